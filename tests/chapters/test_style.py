"""What no page says: hype, words that talk a reader down, American spellings, a dash for a comma, a word twice."""

import re

import pytest

from publishing import ROOT
from publishing.prose import pages, visible_text

DOCUMENTS = {name: (ROOT / f"{name}.md").read_text("utf-8") for name in ("README", "CONTRIBUTING")}
TEXTS = {name: visible_text(text) for name, text in (pages() | DOCUMENTS).items()}

STYLE = {
    "hype": r"amazing|blazing|cutting[- ]edge|ground-?breaking|incredibl[ey]|novel|powerful|remarkabl[ey]|seamless\w*|"
    r"revolution\w+|state[- ]of[- ]the[- ]art|stunning\w*|superior|unprecedented|world[- ]class",
    "not obvious to everyone": r"basically|clearly|easy to see|evidently|needless to say|obvious(?:ly)?|of course|"
    r"simply|trivial(?:ly)?|well[- ]known that",
    "throat clearing": r"in order to|it should be noted|leverag\w+|(?:we )?note that|utili[sz]\w+|worth noting",
    "a dash where a comma, a colon or a full stop does": r"\w* (?:—|--) \w*|\w*—\w*",
    "American": r"(?:behavi|col|fav|flav|lab|neighb)or(?:s|ed|ing|able)?|center(?:s|ed|ing)?|analyz\w+|catalogs?|gray|"
    r"(?:label|model|travel|cancel)(?:ed|ing)|\w+(?:al|ar|er|or|im|om|in|on|et)iz(?:e[sd]?|ing|ations?)|fulfill",
    "a word twice": r"(\w+)[ \n]\1",
}
# What is neither ours nor to be changed: the paper's words for its Adam, and an argument of torch's optimizers.
EXCEPTIONS = {"idealized", "maximize"}


def slips(text: str) -> list[str]:
    """Return each breach of the style in a text, outside of quotations."""
    text = re.sub(r'"[^"]{1,300}?"', "…", text)
    rules = {why: re.compile(rf"(?<![\w-])(?:{rule})(?!\w)", re.I) for why, rule in STYLE.items()}
    found = [(match[0], why) for why, rule in rules.items() for match in rule.finditer(text)]
    return [f"{said!r}: {why}" for said, why in found if said.lower() not in EXCEPTIONS]


@pytest.mark.parametrize("name", TEXTS)
def test_the_style(name: str) -> None:
    found = slips(TEXTS[name])
    assert not found, f"{name}: {found}"


def test_it_finds_each_kind() -> None:
    bad = "A novel method — obviously, in order to center the the mean."
    assert {slip.rpartition(": ")[2] for slip in slips(bad)} == set(STYLE)
    assert slips('"A novel method", says the paper of its idealized Adam.\n\n## Adam\n\nAdam is older.') == []
