"""The paper as data: each numbered item as it is printed, once; what chapters and ledger show is held against it."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_suffix(".md")
_ENTRY = re.compile(r"^## (\S+), (.+)\n\n((?:.*\n)+?)(?=\n## |\Z)", re.M)
_DISPLAY = re.compile(r"^\$\$\n(.+)\n\$\$$", re.S)


@dataclass(frozen=True)
class Printed:
    """An item as the paper prints it.

    Args:
        id: such as "eq:19".
        place: its section or appendix.
        text: its statement, in MyST.
    """

    id: str
    place: str
    text: str

    @property
    def latex(self) -> str:
        """Return the formula of an item that is nothing but one; '' of any other."""
        display = _DISPLAY.match(self.text)
        return display[1] if display else ""


@cache
def printed() -> dict[str, Printed]:
    """Return every item by its id, in the paper's order."""
    entries = _ENTRY.findall(_FILE.read_text("utf-8"))
    return {item: Printed(item, place, text.strip()) for item, place, text in entries}
