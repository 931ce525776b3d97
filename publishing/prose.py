"""The book's text, apart from its code and outputs: what its pages say, and which symbols their formulas use.

Standard library only, like the ledger: whoever proof-reads the book need not be able to run it.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from adai.book import ledger
from publishing import ROOT

FENCE = re.compile(r"^ *(`{3,}|~{3,})(?!\{math)[^\n]*\n.*?^ *\1 *$", re.M | re.S)
INLINE_CODE = re.compile(r"(?<![`}])(`+)(?!`).+?\1(?!`)")
EXERCISE = re.compile(
    r"^(:{3,})\{(?:exercise|solution)\}.*?^\1$|^(:{3,})\{(exercise|solution)-start\}.*?^:{3,}\{\3-end\}\n:{3,}$",
    re.M | re.S,
)
FORMULA = re.compile(
    r"\$\$(?P<display>.+?)\$\$|(?<![\\$])\$(?P<inline>[^$\s](?:[^$]*?[^$\s\\])?)\$(?![\d$])"
    r"|\\begin\{(?P<name>(?:align|gather|equation)\*?)\}(?P<environment>.+?)\\end\{(?P=name)\}",
    re.S,
)
ROLE = re.compile(r"\{[a-z:]+\}`[^`]*`")
ADDRESS = re.compile(r"\]\([^)]*\)|<https?://[^>]*>|https?://\S+|!?\[(?=[^\]]*\])")
DIRECTIVE = re.compile(r"^ *(?::{3,}.*|:[\w-]+:.*|\(\S+\)=|[|\s:-]+)$", re.M)


def pages(root: Path = ROOT) -> dict[str, str]:
    """The Markdown of every page, by its name: a page's own, or that of a notebook's text cells."""
    written = sorted(p for p in (root / "book").rglob("*.md") if p.parent.name != "records")
    found = {path: path.read_text("utf-8") for path in written}
    for path in ledger.notebooks(root):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        found[path] = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return {path.relative_to(root).with_suffix("").as_posix(): text for path, text in found.items()}


def without_code(text: str) -> str:
    """The text without fenced blocks and without code between the words."""
    return INLINE_CODE.sub("`code`", FENCE.sub("", text))


def without_exercises(text: str) -> str:
    """The text without its exercises and their solutions."""
    return EXERCISE.sub("", text)


def words(text: str) -> str:
    """What a proof-reader reads: no directive and no address, and `…` for code, formulas and references."""
    text = ROLE.sub("…", INLINE_CODE.sub("…", FENCE.sub("", text)))
    return ADDRESS.sub("", DIRECTIVE.sub("", FORMULA.sub("…", text)))


def formulas(text: str) -> Iterator[str]:
    """The LaTeX of every formula of a page, in order."""
    for found in FORMULA.finditer(without_code(text)):
        yield found["display"] or found["inline"] or found["environment"]


GREEK = (
    "alpha|beta|gamma|delta|epsilon|varepsilon|zeta|eta|theta|vartheta|iota|kappa|lambda|mu|nu|xi|pi|rho|varrho|sigma|"
    "tau|upsilon|phi|varphi|chi|psi|omega|ell|Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Upsilon|Phi|Psi|Omega"
)
MARKS = "hat|bar|tilde|vec|mathcal|mathbb|mathbf|boldsymbol|widehat|widetilde"
WORD = re.compile(
    r"\\(?:text|textit|textbf|mathrm|operatorname\*?|begin|end|label|tag|phantom|hspace)\s*\{[^{}]*\}|(?<![A-Za-z\\])[A-Za-z]{3,}"
)
SUBSCRIPT = re.compile(r"(?<!\\)_\s*(?:\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}|\\[A-Za-z]+(?:\{[^{}]*\})?|.)", re.S)
FUNCTION = re.compile(rf"\\(?!(?:{GREEK}|{MARKS})(?![A-Za-z]))[A-Za-z]+")
SYMBOL = re.compile(rf"(?:\\({MARKS})(?![A-Za-z])[\s{{]*)?(?:\\({GREEK})(?![A-Za-z])|([A-Za-z]))")


def symbols(formula: str) -> list[str]:
    r"""The symbols of a formula, in order and with repetitions: `['\\hat D', 't']` of `\hat{D}_i^{-t}`.

    A symbol is a letter, Latin or Greek, with the hat, bar, tilde or script that sets it apart. Indices below fold into
    it, and so do dots, which are derivatives. Words (three letters or more, \text, \mathrm) and functions are none.
    """
    formula = WORD.sub(" ", SUBSCRIPT.sub(" ", formula))
    found = (match.groups(default="") for match in SYMBOL.finditer(FUNCTION.sub(" ", formula)))
    return [f"\\{mark} " * bool(mark) + (f"\\{greek}" if greek else latin) for mark, greek, latin in found]
