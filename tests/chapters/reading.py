"""The chapters' cells, for tests of what they say and of what is stored of them."""

from pathlib import Path

import nbformat
import pytest

from adai.book import ledger
from publishing import ROOT

CHAPTERS = ledger.notebooks(ROOT)
each_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.relative_to(ROOT).as_posix())


def code(path: Path) -> list[nbformat.NotebookNode]:
    """Return a chapter's code cells."""
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def prose(path: Path) -> str:
    """Return the text of a chapter's Markdown cells."""
    return "\n\n".join(c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "markdown")
