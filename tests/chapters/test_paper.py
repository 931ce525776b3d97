"""What a chapter displays as the paper's is what the paper prints, each item once."""

import re

from adai.book.items import HOME, NOTEBOOK
from adai.book.paper import printed
from publishing import ROOT
from tests.chapters.reading import CHAPTERS, each_chapter, prose

_EQUATION = re.compile(r"\$\$((?:(?!\$\$).)+?)\$\$ \((eq:\d+)\)", re.S)
_STATEMENT = re.compile(r"^:{3,}\{prf:\w+\}[^\n]*\n:label: (\S+)\n(?::\S+:.*\n)*\n(.*?)\n:{3,}$", re.S | re.M)


def displayed(text: str) -> list[tuple[str, str]]:
    """The items that a text shows, each with what it shows of it."""
    found = [(item, formula.strip()) for formula, item in _EQUATION.findall(text)]
    return found + [(item, body.strip()) for item, body in _STATEMENT.findall(text) if item in HOME]


def differs(item: str, shown: str) -> bool:
    """Whether this is something else than the paper prints; line breaks do not count."""
    one, other = ("".join(text.split()).strip("$") for text in (shown, printed()[item].text))
    return one != other


def test_the_items_are_these_and_each_has_its_place():
    assert list(printed()) == list(HOME)
    assert all(re.fullmatch(r"Section \d(\.\d)?|Appendix [A-H](\.\d)?", item.place) for item in printed().values())


@each_chapter
def test_a_chapter_displays_what_the_paper_prints(path):
    found = displayed(prose(path))
    wrong = {item: shown for item, shown in found if differs(item, shown)}
    assert not wrong, f"adai/book/paper.md has {[printed()[item].text for item in wrong]}, the chapter {wrong}"
    home = path.relative_to(ROOT).with_suffix("").as_posix()
    assert {NOTEBOOK[HOME[item]] for item, _ in found} <= {home}


def test_every_formula_statement_and_algorithm_is_displayed_once():
    found = [item for path in CHAPTERS for item, _ in displayed(prose(path))]
    assert sorted(found) == sorted(item for item in HOME if not item.startswith(("tab:", "fig:")))


def test_a_changed_sign_is_noticed():
    formula = printed()["eq:19"].latex
    assert displayed(f"$$ {formula} $$ (eq:19)") == [("eq:19", formula)]
    assert not differs("eq:19", formula) and differs("eq:19", formula.replace("2D -", "2D +"))
    statement = printed()["asm:2"].text
    shown = f":::{{prf:assumption}} A title\n:label: asm:2\n\n{statement}\n:::"
    assert displayed(shown) == [("asm:2", statement)] and differs("asm:2", statement.replace("near", "far from"))
