"""All experiments by name: one row each."""

from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from typing import TypeVar

from adai.experiments import (
    adai_memory,
    digits,
    escape,
    imagenet,
    images,
    language,
    long_runs,
    noise,
    padam_power,
    rates,
    sharpness,
    speed,
    table1,
    table1_tuned,
    table2,
)
from adai.experiments.base import Experiment, Inputs, Measured
from adai.records import SCALES, Measurement, RecordError, Spec

_Kind = TypeVar("_Kind", Spec, Measurement)
_ROWS: tuple[Experiment | Measured, ...] = (
    Experiment("digits", digits.runs, digits.table),
    *(Experiment(table1.name(row), partial(table1.runs, row=row), table1.table) for row in images.SIZES),
    Experiment("rates", rates.runs, rates.table),
    *(Experiment(n, partial(table1_tuned.runs, experiment=n), table1.table, "rates") for n in table1_tuned.CHOICES),
    Experiment("power", padam_power.runs, padam_power.table, "rates"),
    Experiment("long", long_runs.runs, long_runs.table),
    Experiment("table2", table2.runs, table1.table),
    *(Experiment(speed.name(row), partial(speed.runs, row=row), speed.table) for row in speed.PANELS),
    Experiment("imagenet", imagenet.runs, imagenet.table),
    Experiment("language", language.runs, language.table),
    *(
        Experiment(f"memory-{row}", partial(adai_memory.runs, row=row), adai_memory.table, row)
        for row in adai_memory.FIRST_RUNS
    ),
    Measured("escape", escape.runs, escape.measure, escape.repeat, escape.summary),
    Measured("sharpness", sharpness.runs, sharpness.measure, sharpness.repeat, sharpness.summary, "table1"),
    Measured("noise", noise.runs, noise.measure, noise.repeat, noise.summary, "table1"),
)
EXPERIMENTS = {experiment.name: experiment for experiment in _ROWS}


def find(name: str) -> Experiment | Measured:
    """Return an experiment by its name.

    Raises:
        RecordError: there is no such experiment; the message names those that there are.
    """
    if name not in EXPERIMENTS:
        raise RecordError(f"no experiment is called {name!r}; there are {', '.join(EXPERIMENTS)}")
    return EXPERIMENTS[name]


def find_trained(name: str) -> Experiment:
    """Return an experiment that trains, by its name.

    Raises:
        RecordError: there is no such experiment, or it trains nothing.
    """
    experiment = find(name)
    if isinstance(experiment, Measured):
        raise RecordError(f"{name} trains nothing: `adai run {name}` measures it")
    return experiment


def find_measured(name: str) -> Measured:
    """Return an experiment that trains nothing, by its name.

    Raises:
        RecordError: there is no such experiment, or it trains.
    """
    experiment = find(name)
    if isinstance(experiment, Experiment):
        raise RecordError(f"{name} trains its runs: `adai sweep {name}` trains all of them")
    return experiment


def specs(name: str, scale: str, given: Inputs | None = None) -> dict[str, Spec]:
    """Return all runs of an experiment that trains, at one scale, by name.

    Args:
        name: of the experiment.
        scale: one of the scales.
        given: what the runs depend on; by default the book's records, on the files that ``ADAI_LABEL`` names.

    Raises:
        RecordError: there is no such experiment, or it has no runs at this scale.
    """
    return _at_a_scale(name, find_trained(name).runs, scale, given)


def measurements(name: str, scale: str, given: Inputs | None = None) -> dict[str, Measurement]:
    """Return all measurements of an experiment that trains nothing, at one scale, by name; as `specs`."""
    return _at_a_scale(name, find_measured(name).runs, scale, given)


def _at_a_scale(
    name: str, runs: Callable[[str, Inputs], dict[str, _Kind]], scale: str, given: Inputs | None
) -> dict[str, _Kind]:
    given = given or Inputs.at()
    if table := runs(scale, given):
        return table
    said = f"{name} has no runs at scale {scale}"
    if offered := ", ".join(other for other in SCALES if runs(other, given)):
        said += f"; it has {offered}"
    if after := EXPERIMENTS[name].after:
        said += f". It starts from records of {after}, which {given.folder} lacks: `adai sweep {after}` first, there "
        said += f"and on the same data (ADAI_LABEL is {given.label!r})"
    raise RecordError(said)


def find_run(table: dict[str, _Kind], name: str, scale: str) -> _Kind:
    """Return the spec of one run by its name.

    Args:
        table: from `specs` or `measurements`, at this scale.
        name: of the run, such as `digits/adai/0`.
        scale: for the message of the error.

    Raises:
        RecordError: the table has no such run.
    """
    if name not in table:
        nearest = ", ".join(get_close_matches(name, table, cutoff=0))
        raise RecordError(f"no run at scale {scale} is called {name!r}, of {len(table)}; the nearest are {nearest}")
    return table[name]


def known_specs(name: str, given: Inputs | None = None) -> dict[str, Spec | Measurement]:
    """Return the specs of an experiment at all scales, by hash; none if there is no such experiment.

    Runs on CIFAR are on the published files or on the copy that our own records were made from: both are known.

    Args:
        name: of the experiment.
        given: as in `specs`; its label is not used.
    """
    if name not in EXPERIMENTS:
        return {}
    given, labels = given or Inputs.at(), (None, images.JPEG_COPY)
    tables = [EXPERIMENTS[name].runs(scale, replace(given, label=label)) for scale in SCALES for label in labels]
    return {spec.hash: spec for table in tables for spec in table.values()}
