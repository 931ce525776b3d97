"""Table 1 again, with each optimizer at what the held-out images chose (`rates`), on other seeds.

`tuned` has the learning rates, of all ten optimizers. `tuned-grid` has rate and weight decay together, of the three
that Figure 4 has: the choice is a cell of its grid. Where a choice is the paper's, a run here is Table 1's own run: it
is not made twice. The choices were made on a seed that is not among these, and without the test set.
"""

from pathlib import Path

from adai.experiments import images, rates, table1
from adai.experiments.base import NOTHING, Inputs
from adai.records import Record, Spec, comparable, load

CHOICES = {"tuned": rates.chosen_rates, "tuned-grid": rates.chosen_cells}
"""For each experiment, what chooses multiples of the paper's learning rate and weight decay, by optimizer."""
FOLDERS = ("table1", *CHOICES)
"""Where the runs are: Table 1's own, those at another rate, and those at another decay, too."""


def runs(scale: str, given: Inputs = NOTHING, experiment: str = "tuned") -> dict[str, Spec]:
    """Return the runs at one scale by name, seed by seed, of each optimizer that has chosen; none before any has.

    Args:
        scale: one of the scales.
        given: the records of `rates` that choose.
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
            changes = rates.hyperparameters(optimizer, factor, decay)
            spec = images.spec(folder, scale, optimizer, int(seed), label=given.label, hyperparameters=changes)
        found[f"{experiment}/{optimizer}/{seed}"] = spec
    return found


def kept(scale: str, experiment: str = "tuned", *, folder: Path | None = None) -> list[Record]:
    """Return the records of these runs at one scale, on whichever data set the choices were made on.

    Args:
        scale: one of the scales.
        experiment: one of `CHOICES`.
        folder: the records folder; by default the book's.

    Raises:
        RecordError: the records at this scale are of several data sets.
    """
    choices = CHOICES[experiment](load("rates", scale=scale, folder=folder))
    wanted = {name: rates.hyperparameters(name, *choice) for name, choice in choices.items()}
    found = [record for name in FOLDERS for record in load(name, scale=scale, folder=folder)]
    return comparable(
        record
        for record in found
        if (choice := wanted.get(record.spec.optimizer)) and choice.items() <= record.spec.hyperparameters.items()
    )
