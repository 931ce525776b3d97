"""Table 1 again, with each optimizer at what the held-out images chose (`rates`), on other seeds.

In `tuned` each of the ten optimizers has chosen its learning rate. In `tuned-grid` the three of Figure 4 have chosen
rate and weight decay together, a cell of its grid. Where a choice is the paper's, the run is Table 1's own, and is not
made twice. The choices were made on a seed that is not among these, and without the test set.
"""

from adai.experiments import images, rates, table1
from adai.experiments.base import NOTHING, Fields, Inputs
from adai.records import Spec

CHOICES = {"tuned": rates.chosen_rates, "tuned-grid": rates.chosen_cells}
"""By experiment, the function that chooses multiples of the paper's learning rate and weight decay."""


def runs(scale: str, given: Inputs = NOTHING, experiment: str = "tuned") -> dict[str, Spec]:
    """Return the runs at one scale by name, seed by seed, of the optimizers that have chosen.

    Args:
        scale: one of the scales.
        given: has the records of `rates`, which choose.
        experiment: one of `CHOICES`.

    Raises:
        RecordError: the records of `rates` at this scale are of several data sets.
    """
    choices, found = CHOICES[experiment](given.records("rates", scale)), {}
    for name, spec in table1.runs(scale, given).items():
        _, optimizer, seed = name.split("/")
        if optimizer not in choices:
            continue
        factor, decay = choices[optimizer]
        if (factor, decay) != (1, 1):
            folder = "tuned" if decay == 1 else "tuned-grid"
            changes: Fields = {"hyperparameters": rates.hyperparameters(optimizer, factor, decay)}
            spec = images.spec(folder, scale, optimizer, int(seed), label=given.label, changes=changes)
        found[f"{experiment}/{optimizer}/{seed}"] = spec
    return found
