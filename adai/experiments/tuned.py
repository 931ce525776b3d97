"""Table 1 again, with each optimizer at the learning rate that the held-out images chose (`rates`), on other seeds.

Where the chosen rate is the paper's, a run here is Table 1's own run: it is not made twice. The choice was made on a
seed that is not among these, and without the test set.
"""

from adai import records
from adai.experiments import images, rates, table1
from adai.experiments.table1 import figure, table
from adai.optim import settings
from adai.records import Record, Spec

__all__ = ["figure", "kept", "runs", "table"]


def runs(scale: str) -> dict[str, Spec]:
    """The runs at one scale by name, seed by seed, of each optimizer whose rate is chosen; none before any is.

    Raises:
        RecordError: the records of `rates` at this scale are of several data sets.
    """
    return _runs(scale, rates.chosen(records.load("rates", scale=scale)))


def _runs(scale: str, factors: dict[str, float]) -> dict[str, Spec]:
    found = {}
    for name, spec in table1.runs(scale).items():
        _, optimizer, seed = name.split("/")
        if optimizer not in factors:
            continue
        if factors[optimizer] != 1:
            lr = images.scaled(settings(optimizer, "cifar")["lr"].value, factors[optimizer])
            spec = images.spec("tuned", scale, optimizer, int(seed), hyperparameters={"lr": lr})
        found[f"tuned/{optimizer}/{seed}"] = spec
    return found


def kept(scale: str) -> list[Record]:
    """The records of these runs at one scale, on whichever data set the rates were chosen on.

    Raises:
        RecordError: the records at this scale are of several data sets.
    """
    factors = rates.chosen(records.load("rates", scale=scale))
    wanted = {name: images.scaled(settings(name, "cifar")["lr"].value, factor) for name, factor in factors.items()}
    found = [*records.load("table1", scale=scale), *records.load("tuned", scale=scale)]
    return records.comparable(r for r in found if wanted.get(r.spec.optimizer) == r.spec.hyperparameters["lr"])
