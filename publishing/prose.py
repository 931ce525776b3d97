"""The book's text without code and outputs: its pages' words, and the symbols of their formulas."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from adai.book import ledger
from publishing import ROOT

_FENCE = re.compile(r"^ *(`{3,}|~{3,})(?!\{math)[^\n]*\n.*?^ *\1 *$", re.M | re.S)
_INLINE_CODE = re.compile(r"(?<![`}])(`+)(?!`).+?\1(?!`)")
_EXERCISE = re.compile(
    r"^(:{3,})\{(?:exercise|solution)\}.*?^\1$|^(:{3,})\{(exercise|solution)-start\}.*?^:{3,}\{\3-end\}\n:{3,}$",
    re.M | re.S,
)
_FORMULA = re.compile(
    r"\$\$(?P<display>.+?)\$\$|(?<![\\$])\$(?P<inline>[^$\s](?:[^$]*?[^$\s\\])?)\$(?![\d$])"
    r"|\\begin\{(?P<name>(?:align|gather|equation)\*?)\}(?P<environment>.+?)\\end\{(?P=name)\}",
    re.S,
)
_ROLE = re.compile(r"\{[a-z:]+\}`[^`]*`")
_ADDRESS = re.compile(r"\]\([^)]*\)|<https?://[^>]*>|https?://\S+|!?\[(?=[^\]]*\])")
_DIRECTIVE = re.compile(r"^ *(?::{3,}.*|:[\w-]+:.*|\(\S+\)=|[|\s:-]+)$", re.M)


def pages(root: Path = ROOT) -> dict[str, str]:
    """Return the Markdown of every page by its name; of a notebook, that of its text cells."""
    written = sorted(p for p in (root / "book").rglob("*.md") if p.parent.name != "records")
    found = {path: path.read_text("utf-8") for path in written}
    for path in ledger.notebooks(root):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        found[path] = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return {path.relative_to(root).with_suffix("").as_posix(): text for path, text in found.items()}


def _without_code(text: str) -> str:
    """Return the text without fenced blocks and without code between the words."""
    return _INLINE_CODE.sub("`code`", _FENCE.sub("", text))


def without_exercises(text: str) -> str:
    """Return the text without its exercises and their solutions."""
    return _EXERCISE.sub("", text)


def visible_text(text: str) -> str:
    """Return what a proof-reader reads: no directive and no address, and `…` for code, formulas and references."""
    text = _ROLE.sub("…", _INLINE_CODE.sub("…", _FENCE.sub("", text)))
    return _ADDRESS.sub("", _DIRECTIVE.sub("", _FORMULA.sub("…", text)))


def formulas(text: str) -> Iterator[str]:
    """Yield the LaTeX of every formula of a page, in order."""
    for found in _FORMULA.finditer(_without_code(text)):
        yield found["display"] or found["inline"] or found["environment"]


_GREEK = (
    "alpha|beta|gamma|delta|epsilon|varepsilon|zeta|eta|theta|vartheta|iota|kappa|lambda|mu|nu|xi|pi|rho|varrho|sigma|"
    "tau|upsilon|phi|varphi|chi|psi|omega|ell|Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Upsilon|Phi|Psi|Omega"
)
_MARKS = "hat|bar|tilde|vec|mathcal|mathbb|mathbf|boldsymbol|widehat|widetilde"
_WORD = re.compile(
    r"\\(?:text|textit|textbf|mathrm|operatorname\*?|begin|end|label|tag|phantom|hspace)\s*\{[^{}]*\}|(?<![A-Za-z\\])[A-Za-z]{3,}"
)
_SUBSCRIPT = re.compile(r"(?<!\\)_\s*(?:\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}|\\[A-Za-z]+(?:\{[^{}]*\})?|.)", re.S)
_FUNCTION = re.compile(rf"\\(?!(?:{_GREEK}|{_MARKS})(?![A-Za-z]))[A-Za-z]+")
_SYMBOL = re.compile(rf"(?:\\({_MARKS})(?![A-Za-z])[\s{{]*)?(?:\\({_GREEK})(?![A-Za-z])|([A-Za-z]))")


def symbols(formula: str) -> list[str]:
    r"""Return the symbols of a formula, in order and with repetitions: `['\\hat D', 't']` of `\hat{D}_i^{-t}`.

    A symbol is a letter, Latin or Greek, with its hat, bar, tilde or script. Subscripts and dots, which are
    derivatives, are ignored. Words (three letters or more, \text, \mathrm) and functions are no symbols.
    """
    formula = _WORD.sub(" ", _SUBSCRIPT.sub(" ", formula))
    found = (match.groups(default="") for match in _SYMBOL.finditer(_FUNCTION.sub(" ", formula)))
    return [f"\\{mark} " * bool(mark) + (f"\\{greek}" if greek else latin) for mark, greek, latin in found]
