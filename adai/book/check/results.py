"""What a check found: shown as formulas, and stored as JSON in the cell's output."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

import sympy as sp
from sympy.printing.latex import LatexPrinter

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
        ours = "found" if self.kind in ("definition", "measurement", "record") else "derived"
        rows = [("printed", self.printed), ("corrected", self.corrected), (ours, self.derived)]
        return [(name, formula) for name, formula in rows if formula]

    def _mutants_in_words(self) -> str:
        tried, rejected, kept = self.mutants["tried"], self.mutants["rejected"], self.mutants["equivalent"]
        kind = "bound" if r"\le" in self.corrected else self.kind  # whose mutants are the corrected bound's
        same = {"bound": "are still true", "measurement": "are too close to tell"}.get(kind, "say the same")
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


def equation(name: str, formula: sp.Expr, relation: str = "=") -> str:
    """Return LaTeX of `name = formula`, or of the formula alone if the name is empty."""
    shown = latex(formula)
    return f"{name} {LATEX[relation]} {shown}" if name else shown


LATEX = {"=": "=", "<=": r"\le", ">=": r"\ge"}


class _Printer(LatexPrinter):  # type: ignore[misc]  # SymPy has no types
    """SymPy's printer, but for what it makes ambiguous."""

    def _print_Symbol(self, symbol: sp.Symbol, style: str = "plain") -> str:
        # A name that is LaTeX stays as it is: SymPy would take its superscripts and subscripts apart.
        if "+" in symbol.name:
            return rf"\left({symbol.name}\right)"
        written = any(mark in symbol.name for mark in "\\{")
        return f"{{{symbol.name}}}" if written else str(super()._print_Symbol(symbol, style))

    def _print_Derivative(self, derivative: sp.Derivative) -> str:
        shown = str(super()._print_Derivative(derivative))
        if not derivative.expr.is_Mul:
            return shown
        product = self._print(derivative.expr)  # without brackets, (P L')' and P' L' would look alike
        if not shown.endswith(product):  # where it begins with a minus, it has brackets
            return shown
        return rf"{shown.removesuffix(product)}\left({product}\right)"


def latex(formula: sp.Basic) -> str:
    """Return LaTeX of a formula that can be read in one way only."""
    return str(_Printer({"fold_short_frac": False}).doprint(formula))
