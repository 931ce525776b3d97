"""What a check found: shown as formulas, and stored as JSON in the cell's output."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

import sympy as sp

from adai.book.items import require_item

MIME = "application/vnd.adai.check+json"
"""As in `adai.book.ledger`, which reads without SymPy what checks store: neither imports the other."""


class CheckFailed(AssertionError):
    """The claim fails, or the check is too weak to tell."""


class MutantTally(TypedDict):
    """Counts of a claim's mutants, tried and rejected, and those that say the same as the claim."""

    tried: int
    rejected: int
    equivalent: list[str]


def _none_tried() -> MutantTally:
    return {"tried": 0, "rejected": 0, "equivalent": []}


@dataclass(frozen=True)
class Check:
    """What one check found.

    Args:
        id: the item, such as "eq:19".
        kind: how it was decided: the name of the function that made this.
        verdict: such as "holds"; earned by the run, never typed.
        printed, derived, corrected: LaTeX of the two sides compared, and of the form that holds where the print fails.
        evidence: in a sentence, what decided.
        uses, assumes: items that this one needs to be true, and items that it needs only to be stated.
        mutants: what became of the claim's mutants.

    Raises:
        ValueError: if the paper has no such item.
    """

    id: str
    kind: str
    verdict: str
    printed: str
    derived: str
    evidence: str
    uses: list[str] = field(default_factory=list)
    assumes: list[str] = field(default_factory=list)
    mutants: MutantTally = field(default_factory=_none_tried)
    corrected: str = ""

    def __post_init__(self) -> None:
        for item in (self.id, *self.uses, *self.assumes):
            require_item(item)

    def _rows(self) -> list[tuple[str, str]]:
        ours = "derived" if self.kind in ("identity", "expansion", "erratum", "bound") else "found"
        rows = [("printed", self.printed), ("corrected", self.corrected), (ours, self.derived)]
        return [(name, formula) for name, formula in rows if formula]

    def _mutants_in_words(self) -> str:
        tried, rejected, kept = self.mutants["tried"], self.mutants["rejected"], self.mutants["equivalent"]
        same = {"bound": "are still true", "measurement": "are too close to tell"}.get(self.kind, "say the same")
        return f"; {rejected} of {tried} mutants rejected" * bool(tried) + f", {len(kept)} {same}" * bool(kept)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Mapping[str, object]:
        rows = r" \\[4pt] ".join(rf"\textsf{{{name}}} &\quad {formula}" for name, formula in self._rows())
        said = f"{self.evidence}{self._mutants_in_words()}"
        plain = [
            f"{self.id} {self.verdict}: {said}",
            *(f"{name}: {formula}" for name, formula in self._rows()),
        ]
        return {
            "text/plain": "\n".join(plain),
            "text/markdown": f"$$\n\\begin{{aligned}} {rows} \\end{{aligned}}\n$$\n\n"
            f"**{self.id} {self.verdict}**: {said}",
            MIME: dict(self.__dict__),
        }


def equation(name: str, formula: sp.Expr) -> str:
    """Return LaTeX of `name = formula`, or of the formula alone if the name is empty."""
    shown: str = sp.latex(formula)
    return f"{name} = {shown}" if name else shown
