"""Table 1 again, with each optimizer at what the held-out images chose (`rates`), on other seeds.

`tuned` has the learning rates, of all ten optimizers. `tuned-grid` has rate and weight decay together, of the three
that Figure 4 has: the choice is a cell of its grid. Where a choice is the paper's, a run here is Table 1's own run: it
is not made twice. The choices were made on a seed that is not among these, and without the test set.
"""

from collections.abc import Mapping
from functools import partial
from types import SimpleNamespace

from adai import records
from adai.experiments import images, rates, table1
from adai.experiments.table1 import figure, table
from adai.records import Record, Spec

__all__ = ["ROWS", "figure", "kept", "runs", "table"]

EXPERIMENTS = ("table1", "tuned", "tuned-grid")
"""Where the runs are: Table 1's own, those at another rate, and those at another decay, too."""


def runs(scale: str, experiment: str = "tuned") -> dict[str, Spec]:
    """The runs at one scale by name, seed by seed, of each optimizer that has chosen; none before any has.

    Raises:
        RecordError: the records of `rates` at this scale are of several data sets.
    """
    return _runs(scale, experiment, _chosen(scale, experiment))


def _chosen(scale: str, experiment: str) -> dict[str, tuple[float, float]]:
    """Multiples of the paper's learning rate and weight decay, by optimizer."""
    found = records.load("rates", scale=scale)
    if experiment == "tuned":
        return {optimizer: (factor, 1) for optimizer, factor in rates.chosen(found).items()}
    return rates.chosen_cells(found)


def _runs(scale: str, experiment: str, choices: Mapping[str, tuple[float, float]]) -> dict[str, Spec]:
    found = {}
    for name, spec in table1.runs(scale).items():
        _, optimizer, seed = name.split("/")
        if optimizer not in choices:
            continue
        factor, decay = choices[optimizer]
        if (factor, decay) != (1, 1):
            home = "tuned" if decay == 1 else "tuned-grid"
            changes = rates.hyperparameters(optimizer, factor, decay)
            spec = images.spec(home, scale, optimizer, int(seed), hyperparameters=changes)
        found[f"{experiment}/{optimizer}/{seed}"] = spec
    return found


def kept(scale: str, experiment: str = "tuned") -> list[Record]:
    """The records of these runs at one scale, on whichever data set the choices were made on.

    Raises:
        RecordError: the records at this scale are of several data sets.
    """
    wanted = {name: rates.hyperparameters(name, *choice) for name, choice in _chosen(scale, experiment).items()}
    found = [record for home in EXPERIMENTS for record in records.load(home, scale=scale)]
    return records.comparable(
        record
        for record in found
        if (choice := wanted.get(record.spec.optimizer)) and choice.items() <= record.spec.hyperparameters.items()
    )


ROWS = {
    "tuned-grid": SimpleNamespace(runs=partial(runs, experiment="tuned-grid"), table=table, figure=figure),
}
