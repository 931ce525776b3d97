"""What an experiment is, what its runs depend on besides their scale, and what they have in common."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict

from adai.experiments.comparison import Table
from adai.records import Measurement, Record, RecordError, Result, Spec, default_folder, existing_records, load


class Fields(TypedDict, total=False):
    """Fields of a `Spec` that an experiment gives to many of its runs, as keyword arguments."""

    dataset: str
    model: str
    hyperparameters: dict[str, Any]
    epochs: int
    batch_size: int
    dataset_options: dict[str, Any]
    model_options: dict[str, Any]
    milestones: tuple[float, ...]
    precision: str
    keep_weights: bool
    augment: bool
    crop: str
    top5: bool


@dataclass(frozen=True)
class Inputs:
    """What the runs of an experiment depend on besides their scale.

    Args:
        folder: the records folder that the runs are filed in. Runs whose rate is chosen find there the records of the
            runs that choose it. None if nothing has been run.
        label: of CIFAR's files, if they are not the published ones; it enters the spec.
        elsewhere: a second records folder, for what was chosen at another scale and is not in the first.
    """

    folder: Path | None = None
    label: str | None = None
    elsewhere: Path | None = None

    @classmethod
    def at(cls, folder: Path | None = None, label: str | None = None) -> "Inputs":
        """Return the inputs of runs that are filed in a folder.

        Args:
            folder: by default the book's records.
            label: by default what ``ADAI_LABEL`` says.
        """
        try:
            book = default_folder()
        except RecordError:
            book = None
        return cls(folder or book, label or os.environ.get("ADAI_LABEL"), elsewhere=book)

    def records(self, experiment: str, scale: str) -> list[Record]:
        """Return the folder's records of an experiment at a scale, on files with this label; none without a folder.

        Raises:
            RecordError: a file is not a record, or they are of several data sets.
        """
        return load(experiment, scale=scale, folder=self.folder, wanted=self._on_these_files) if self.folder else []

    def records_of_another_scale(self, experiment: str, scale: str) -> list[Record]:
        """Return the folder's records, or if it has none, those elsewhere; raise what `records` raises."""
        return self.records(experiment, scale) or replace(self, folder=self.elsewhere).records(experiment, scale)

    def existing(self, runs: Mapping[str, Spec]) -> list[Record]:
        """Return the folder's records of these runs, those that there are, in their order; none without a folder.

        Raises:
            RecordError: a file is not a record, or they are of several data sets.
        """
        return existing_records(runs.values(), self.folder) if self.folder else []

    def _on_these_files(self, spec: Spec) -> bool:
        # What one data set's runs have chosen says nothing of another's.
        return not spec.dataset.startswith("cifar") or spec.dataset_options.get("label") == self.label


NOTHING = Inputs()
"""The inputs where nothing has been run and the files are the published ones."""


@dataclass(frozen=True)
class Experiment:
    """An experiment that trains.

    Its module may also have `figure(records, axes)`. Both it and the table take records of one scale and data set, and
    raise a `RecordError` for others.

    Args:
        name: also the folder of its records.
        runs: return its runs at a scale by name, such as `digits/adai/0`; none if it does not have the scale.
        table: return the table of records of one scale and data set.
        after: the experiment whose records decide its runs, if one does.
    """

    name: str
    runs: Callable[[str, Inputs], dict[str, Spec]]
    table: Callable[[Iterable[Record]], Table]
    after: str = ""


@dataclass(frozen=True)
class Measured:
    """An experiment that trains nothing: it measures.

    Args:
        name: also the folder of its results.
        runs: return its measurements at a scale by name, such as `escape/figure5`; none if it does not have the scale.
        measure: carry one out, and return what it found in JSON's types. The weights of recorded runs are read from the
            records folder that it is given.
        repeat: repeat a part of a result, with the same folder, and return what differs, one sentence each.
        summary: return one line for a result.
        after: the experiment whose runs it measures, if it does.
    """

    name: str
    runs: Callable[[str, Inputs], dict[str, Measurement]]
    measure: Callable[[Measurement, Path], Any]
    repeat: Callable[[Result, Path], Iterable[str]]
    summary: Callable[[Result], str]
    after: str = ""
