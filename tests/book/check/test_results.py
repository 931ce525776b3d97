"""A check shows what was printed, what was found, and what became of the mutants; it is stored as data."""

import pytest
import sympy as sp

from adai.book import check
from adai.book.check.results import latex
from adai.book.ledger import MIME

x, y = sp.symbols("x y", positive=True)
L, P = sp.symbols("L P", cls=sp.Function)


def test_a_refutation_shows_printed_corrected_and_derived():
    found = check.refuted("eq:11", x / y, x * y, x / y, name="f")
    shown = found._repr_mimebundle_()
    assert r"\textsf{printed} &\quad f = x y" in shown["text/markdown"]
    assert r"\textsf{corrected} &\quad f = \frac{x}{y}" in shown["text/markdown"]
    assert (
        "corrected: f = " in shown["text/plain"] and "**eq:11 wrong**: the printed form fails" in shown["text/markdown"]
    )


def test_what_is_stored_is_the_check_itself():
    found = check.identity("eq:20", x * (x + y), x**2 + x * y, uses=["eq:19"], assumes=["asm:1"])
    stored = found._repr_mimebundle_()[MIME]
    assert stored == {name: getattr(found, name) for name in found.__dataclass_fields__}
    assert stored["uses"] == ["eq:19"] and stored["assumes"] == ["asm:1"]


def test_mutants_that_were_not_rejected_are_told_in_the_words_of_the_kind():
    at = {"at": [{x: 1.1, y: 0.06}], "estimate": [1.13], "standard_error": [0.01]}
    for found, words in (
        (check.identity("eq:20", x**2 - 2 * x * y + y**2, (x - y) ** 2), "say the same"),
        (check.bound("eq:97", 1 - sp.exp(-x), x, domain={x: (0.01, 2)}), "are still true"),
        # Without y the claim is 6 standard errors lower: nearer than two measurements of 4 allowed errors can tell.
        (check.measurement("thm:3", x + y, **at), "are too close to tell"),
    ):
        assert f"{len(found.mutants['equivalent'])} {words}" in found._repr_mimebundle_()["text/plain"]


@pytest.mark.parametrize(
    ("formula", "shown"),
    [
        (sp.Symbol(r"\partial_t\sigma^2") * x, r"{\partial_t\sigma^2} x"),
        (sp.Symbol("C_2+C_3") * x, r"\left(C_2+C_3\right) x"),
        (sp.Derivative(P(x) * L(x), x), r"\frac{d}{d x} \left(L{\left(x \right)} P{\left(x \right)}\right)"),
        (sp.Derivative(-x * P(x), x), r"\frac{d}{d x} \left(- x P{\left(x \right)}\right)"),
        (sp.Derivative(P(x), x) * L(x), r"L{\left(x \right)} \frac{d}{d x} P{\left(x \right)}"),
    ],
)
def test_a_formula_is_shown_so_that_it_can_be_read_in_one_way_only(formula, shown):
    assert latex(formula) == shown
