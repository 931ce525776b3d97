"""What an experiment is, and what its runs may depend on beside their scale."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adai.experiments.comparison import Table
from adai.records import Measurement, Record, RecordError, Result, Spec, default_folder, load


@dataclass(frozen=True)
class Inputs:
    """What the runs of an experiment depend on beside their scale.

    Args:
        folder: the records that the runs are filed in: where a rate is chosen, those of the runs that choose it. None
            where nothing has been run.
        label: of the files of CIFAR, where they are not the published ones; it enters the spec.
        elsewhere: more records, for what another scale has chosen and the folder does not have.
    """

    folder: Path | None = None
    label: str | None = None
    elsewhere: Path | None = None

    @classmethod
    def at(cls, folder: Path | None = None) -> "Inputs":
        """Return the inputs of runs filed in a folder, by default the book's; ``ADAI_LABEL`` gives the label."""
        try:
            book = default_folder()
        except RecordError:
            book = None
        return cls(folder or book, os.environ.get("ADAI_LABEL"), elsewhere=book)

    def records(self, experiment: str, scale: str) -> list[Record]:
        """Return the folder's records of an experiment at a scale.

        Raises:
            RecordError: a file is not a record, or they are of several data sets.
        """
        return load(experiment, scale=scale, folder=self.folder) if self.folder else []

    def records_of_another_scale(self, experiment: str, scale: str) -> list[Record]:
        """Return these records, or where the folder has none, those elsewhere; raise what `records` raises."""
        found = self.records(experiment, scale)
        return found or (load(experiment, scale=scale, folder=self.elsewhere) if self.elsewhere else [])


NOTHING = Inputs()
"""Nothing has been run, and the files are the published ones."""


@dataclass(frozen=True)
class Experiment:
    """One that trains.

    Args:
        name: also the folder of its records.
        runs: its runs at a scale by name, such as `digits/adai/0`; none where it does not have the scale.
        table: shows records of one scale and data set.
    """

    name: str
    runs: Callable[[str, Inputs], dict[str, Spec]]
    table: Callable[[Iterable[Record]], Table]


@dataclass(frozen=True)
class Measured:
    """One that trains nothing.

    Args:
        name: also the folder of its results.
        runs: its measurements at a scale by name, such as `escape/figure5`; none where it does not have the scale.
        measure: carries one out; of recorded runs it finds the weights in the records folder that it is given.
        repeat: repeats a part of a result, and says what differs; it is given the same folder.
        summary: one line for a result.
    """

    name: str
    runs: Callable[[str, Inputs], dict[str, Measurement]]
    measure: Callable[[Measurement, Path], Any]
    repeat: Callable[[Result, Path], Iterable[str]]
    summary: Callable[[Result], str]
