"""The table of the API page: what became of each behaviour of each optimizer."""

import re
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

from tests.optim.conformance import (
    arguments,
    checkpoints,
    hooks,
    learned,
    paths,
    schedules,
    states,
    surgery,
    tensors,
    training,
    wrappers,
)
from tests.optim.conformance.case import INFOS, AbsentError, Case, NeedsCudaError

FAMILIES = (arguments, training, paths, schedules, learned, tensors, states, hooks, surgery, checkpoints, wrappers)
BEHAVIOURS: dict[str, Callable[[Case], None]] = {
    function.row: function for family in FAMILIES for function in vars(family).values() if hasattr(function, "row")
}

TABLE = Path(__file__).parents[3] / "book/reference/conformance.md"
PASSED = "✓"
RESULTS = (PASSED, "failed", "absent", "needs CUDA")


def outcome(function: Callable[[Case], None], name: str) -> tuple[str, str]:
    """What became of one behaviour of one optimizer, and why if it is not simply ``passed``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function(Case(INFOS[name]))
    except AbsentError as reason:
        return "absent", str(reason)
    except NeedsCudaError as reason:
        return "needs CUDA", str(reason)
    except Exception as error:
        return "failed", f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"
    return "passed", ""


def version() -> str:
    return ".".join(torch.__version__.split(".")[:2])


def table(tried: Iterable[str] = INFOS) -> str:
    """The table, with new columns of the optimizers that are to be tried; the others are as stored."""
    stored, known = read_table()[1], stored_reasons()
    rows, reasons = [], {}
    for title, function in BEHAVIOURS.items():
        outcomes = {
            name: outcome(function, name)
            if name in tried
            else (stored[title][name].replace(PASSED, "passed"), known.get((title, name), ""))
            for name in INFOS
        }
        rows.append([title, *(result.replace("passed", PASSED) for result, _ in outcomes.values())])
        for name, (result, reason) in outcomes.items():
            if reason:
                reasons.setdefault((result, title, reason), []).append(name)
    columns = list(zip(*rows, strict=True))[1:]
    counts = [[f"**{one}**", *(str(column.count(one)) for column in columns)] for one in RESULTS]
    header = [f"torch {version()}, CPU", *INFOS]
    lines = ["| " + " | ".join(row) + " |" for row in [header, ["---"] * len(header), *rows, *counts]]
    notes = [f"- *{title}*, {result}: {', '.join(names)} ({why})" for (result, title, why), names in reasons.items()]
    return "\n".join([*lines, "", *notes, ""])


def stored_reasons() -> dict[tuple[str, str], str]:
    """Why a row lacks a tick, by its title and the optimizer."""
    notes = re.findall(r"^- \*(.+)\*, [\w ]+: ([\w, ]+) \((.+)\)$", TABLE.read_text(encoding="utf-8"), re.MULTILINE)
    return {(title, name): why for title, names, why in notes for name in names.split(", ")}


def read_table() -> tuple[str, dict[str, dict[str, str]]]:
    """The version of torch that the stored table is of, and its rows."""
    lines = [line.strip("| \n").split(" | ") for line in TABLE.read_text().splitlines() if line.startswith("|")]
    (version_cell, *names), _, *rows = lines
    return version_cell, {title: dict(zip(names, results, strict=True)) for title, *results in rows}
