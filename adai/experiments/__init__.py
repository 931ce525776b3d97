"""The experiments: one module each, with `runs(scale)`, `table(records)` and `figure(records, axes)`."""

from importlib import import_module
from types import ModuleType

from adai.records import SCALES, RecordError, Spec

EXPERIMENTS = ("digits", "table1", "rates", "long", "table2")


def module(experiment: str) -> ModuleType:
    """The module of an experiment.

    Raises:
        RecordError: there is no such experiment.
    """
    if experiment not in EXPERIMENTS:
        raise RecordError(f"no experiment is called {experiment!r}; there are {', '.join(EXPERIMENTS)}")
    return import_module(f"{__name__}.{experiment}")


def runs(experiment: str, scale: str) -> dict[str, Spec]:
    """All runs of an experiment at one scale, by name, such as `digits/adai/0`.

    Raises:
        RecordError: there is no such experiment, or it has no runs at this scale.
    """
    table = module(experiment).runs(scale)
    if not table:
        offered = ", ".join(other for other in SCALES if module(experiment).runs(other))
        raise RecordError(f"{experiment} has no runs at scale {scale}; it has {offered}")
    return table


def find(name: str, scale: str) -> Spec:
    """The spec of a run by its name, such as `digits/adai/0`.

    Raises:
        RecordError: the experiment has no such run at this scale.
    """
    table = runs(name.split("/")[0], scale)
    if name not in table:
        first, *_, last = table
        raise RecordError(f"no run at scale {scale} is called {name!r}; there are {first} to {last}")
    return table[name]


def known(experiment: str) -> dict[str, Spec]:
    """The specs of an experiment at all scales, by hash; none where there is no such experiment."""
    if experiment not in EXPERIMENTS:
        return {}
    return {spec.hash: spec for scale in SCALES for spec in module(experiment).runs(scale).values()}
