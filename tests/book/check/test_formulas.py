"""Checks of formulas pass on what holds, fail on what does not, and say how they decided."""

import pytest
import sympy as sp

from adai.book import check
from adai.book.check import CheckFailed
from adai.book.ledger import MIME
from adai.book.mutants import mutants

D, t, x, y = sp.symbols("D t x y", positive=True)
H = sp.Symbol("H", real=True, nonzero=True)
WIDTH = D / H * (1 - sp.exp(-2 * H * t))


def test_identity_shows_both_sides_and_counts_mutants():
    found = check.identity("eq:20", sp.expand(WIDTH), WIDTH, name=r"\sigma^2", uses=["eq:19"])
    assert (found.verdict, found.uses) == ("holds", ["eq:19"])
    assert found.printed != found.derived
    assert found.mutants["tried"] == found.mutants["rejected"] > 10
    shown = found._repr_mimebundle_()
    assert shown[MIME]["id"] == "eq:20"
    assert found.printed in shown["text/markdown"] and found.derived in shown["text/markdown"]


@pytest.mark.parametrize("wrong", mutants(WIDTH), ids=str)
def test_every_mutant_of_a_claim_fails_with_a_point(wrong):
    with pytest.raises(CheckFailed, match=r"eq:20.*instead of.*\$H = "):
        check.identity("eq:20", sp.expand(WIDTH), wrong)


def test_an_equivalent_mutant_is_listed_not_rejected():
    found = check.identity("eq:20", x**2 - 2 * x * y + y**2, (x - y) ** 2)
    assert found.mutants["equivalent"] == ["(-x + y)**2"]


def test_identity_compares_matrices_entry_by_entry():
    turn = sp.Matrix([[sp.cos(x), -sp.sin(x)], [sp.sin(x), sp.cos(x)]])
    check.identity("eq:2", turn.inv().applyfunc(sp.simplify), turn.T)
    with pytest.raises(CheckFailed):
        check.identity("eq:2", turn.inv().applyfunc(sp.simplify), turn)


@pytest.mark.parametrize(
    ("derived", "printed", "evidence"),
    [
        (sp.cos(2 * x), 1 - 2 * sp.sin(x) ** 2, "by symbols"),
        (sp.sqrt(3 + 2 * sp.sqrt(2)) * x, (1 + sp.sqrt(2)) * x, "at 16 random points to 50 digits, not by symbols"),
    ],
)
def test_an_identity_says_whether_symbols_showed_it(derived, printed, evidence):
    found = check.identity("eq:2", derived, printed)
    assert found.evidence == f"both sides equal {evidence}"
    assert (found.verdict == "holds") == (evidence == "by symbols")


def test_identity_holds_for_unknown_functions():
    f, g = sp.Function("f"), sp.Function("g")
    product = sp.diff(f(x) * g(x), x)
    check.identity("eq:2", product, f(x).diff(x) * g(x) + f(x) * g(x).diff(x))
    with pytest.raises(CheckFailed):
        check.identity("eq:2", product, f(x).diff(x) * g(x))


def test_an_unknown_item_is_named():
    for items in ({"item": "eq:124"}, {"item": "eq:2", "uses": ["eq:124"]}, {"item": "eq:2", "assumes": ["eq:124"]}):
        with pytest.raises(ValueError, match="'eq:124' is no item"):
            check.identity(derived=x, printed=x, **items)


def test_expansion_knows_its_order_and_its_error_term():
    exact, claim = 1 - sp.exp(-2 * x * y), 2 * x * y
    found = check.expansion("thm:1", exact, claim, small=x, order=2, error=x**2 * y**2)
    assert found.verdict == "leading order" and "first neglected" in found.evidence
    with pytest.raises(CheckFailed, match="below order 3"):
        check.expansion("thm:1", exact, claim, small=x, order=3)
    with pytest.raises(CheckFailed, match="no constant times"):
        check.expansion("thm:1", exact, claim, small=x, order=2, error=x**2 * y)
    with pytest.raises(CheckFailed, match="no constant times"):  # nothing is neglected
        check.expansion("thm:1", claim, claim, small=x, order=2, error=x**2)
    with pytest.raises(CheckFailed, match="misses"):
        check.expansion("thm:1", exact, 3 * x * y, small=x, order=2)


def test_a_bound_is_proved_or_attacked():
    a, b = sp.symbols("a b", real=True)
    proved = check.bound("eq:89", a * b, (a**2 + b**2) / 2, gap=(a - b) ** 2 / 2)
    assert "proved" in proved.evidence and proved.mutants["rejected"] > 5
    searched = check.bound("eq:97", 1 - sp.exp(-x), x, domain={x: (0.01, 2)})
    assert "search" in searched.evidence
    with pytest.raises(CheckFailed, match="exceeds"):
        check.bound("eq:89", a * b, (a**2 + b**2) / 3)
    with pytest.raises(CheckFailed, match="must equal the difference"):
        check.bound("eq:89", a * b, (a**2 + b**2) / 2, gap=(a + b) ** 2 / 2)
    # Without its x the greater side is the lesser one, bit by bit or not: still true, and listed as such.
    assert "1 - y/7" in check.bound("eq:97", 1 - y / 7, 1 - y / 7 + x, gap=x).mutants["equivalent"]


def test_a_bound_that_is_broken_by_a_hundredth_fails():
    with pytest.raises(CheckFailed, match="exceeds"):
        check.bound("eq:97", sp.Rational(101, 100) * x, x)
    # The mutant 19 x is broken by one part in forty.
    assert "19*x" not in check.bound("eq:97", sp.Rational(39, 2) * x, 20 * x).mutants["equivalent"]


def test_a_gap_proves_a_bound_only_where_its_sign_is_plain():
    a, b = sp.symbols("a b", real=True)
    square = (a**2 + b**2) / 2
    with pytest.raises(CheckFailed, match="be nonnegative by symbols"):
        check.bound("eq:89", a * b, square, gap=square - a * b)  # the right difference, but any sum might be negative


def test_a_mutant_that_is_not_real_is_no_bound():
    found = check.bound("eq:79", sp.Rational(1, 2), 1 / sp.sqrt(1 - x**2), domain={x: (0.1, 0.9)}, tries=400)
    assert found.mutants["tried"] == found.mutants["rejected"] + len(found.mutants["equivalent"])
    assert {"2/sqrt(1 - x**2)"} <= set(found.mutants["equivalent"])
    assert not {"1/sqrt(1 - 4*x**2)", "1/sqrt(-x**2 - 1)"} & set(found.mutants["equivalent"])


def test_cases_are_counted_apart():
    for tried in (check.identity, check.definition):
        found = tried("eq:20", sp.expand(WIDTH), WIDTH, cases="one dimension")
        assert found.verdict == "holds in the cases tried" and found.evidence.endswith("cases tried: one dimension")
    assert check.bound("eq:97", 1 - sp.exp(-x), x, domain={x: (0.01, 2)}).verdict == "holds in the cases tried"
    gap = {"gap": (x - y) ** 2 / 2}
    assert check.bound("eq:89", x * y, (x**2 + y**2) / 2, **gap).verdict == "holds"
    assert check.bound("eq:89", x * y, (x**2 + y**2) / 2, cases="two", **gap).verdict == "holds in the cases tried"


# ── refutations ──


def test_a_refutation_needs_a_wrong_print_and_a_right_correction():
    derived = sp.exp(-(x**2) / (2 * y))
    right, wrong = derived, sp.exp(-(x**2) * y / 2)
    found = check.refuted("eq:11", derived, wrong, right)
    assert found.verdict == "wrong" and found.corrected != found.printed and "instead of" in found.evidence
    assert check.refuted("eq:11", derived, wrong).corrected == ""
    with pytest.raises(CheckFailed, match="not refuted"):
        check.refuted("eq:11", derived, right, right)
    with pytest.raises(CheckFailed):
        check.refuted("eq:11", derived, wrong, 2 * right)
    with pytest.raises(ValueError, match="relation '<': expected"):
        check.refuted("eq:11", derived, wrong, relation="<")


@pytest.mark.parametrize(("relation", "sign"), [("<=", 1), (">=", -1)])
def test_an_inequality_is_refuted_only_where_it_is_false(relation, sign):
    """A true bound is another number than what it bounds, and that does not make it wrong."""
    with pytest.raises(CheckFailed, match="is not violated anywhere"):
        check.refuted("lem:3", sign * sp.sin(x), sign * x, relation=relation)
    with pytest.raises(CheckFailed, match="is not violated anywhere"):
        check.refuted("lem:3", sign * x, sign * x, relation=relation)
    found = check.refuted("lem:3", sign * x, sign * sp.sin(x), sign * (x + x**3), relation=relation)
    words = {"<=": r"is not $\le$", ">=": r"is not $\ge$"}[relation]
    assert found.verdict == "wrong" and words in found.evidence and "at $x = " in found.evidence
    with pytest.raises(CheckFailed, match="exceeds"):
        check.refuted("lem:3", sign * x, sign * sp.sin(x), sign * x / 2, relation=relation)


def test_a_condition_must_make_the_printed_form_true():
    clamped = sp.Max(x, sp.Integer(1))
    above = check.Condition("where x is above 1", domain={x: (1, 3)})
    found = check.refuted("eq:73", clamped, x, clamped, condition=above)
    assert found.verdict == "needs a condition" and "holds where x is above 1" in found.evidence
    assert check.refuted("eq:73", x * y, x, condition=check.Condition("if y = 1", at={y: 1})).verdict == found.verdict
    assert check.refuted("eq:96", y, x, relation="<=", condition=check.Condition("if y is small", {y: (0, 0.2)}))
    barely = {"domain": {x: (0.9999, 3)}}  # which only a corner tells
    for wrong in ({"domain": {x: (0.5, 3)}}, barely, {"at": {x: sp.Rational(1, 2)}}):
        with pytest.raises(CheckFailed, match="fails where, too"):
            check.refuted("eq:73", clamped, x, condition=check.Condition("where", **wrong))


def test_a_slip_is_one_only_if_the_paper_goes_on_with_the_corrected_form():
    def squared(form):
        return form**2

    derived, printed = x / y, x * y
    found = check.refuted("eq:11", derived, printed, derived, next_use=check.NextUse("eq:12", squared, x**2 / y**2))
    assert found.verdict == "slip" and found.evidence.endswith("goes on with it in eq:12")
    with pytest.raises(CheckFailed, match="eq:12 does not follow from the corrected form"):
        check.refuted("eq:11", derived, printed, derived, next_use=check.NextUse("eq:12", squared, x**2 * y**2))
    with pytest.raises(CheckFailed, match="eq:12 follows from the printed form as well"):
        check.refuted("eq:11", derived, -derived, derived, next_use=check.NextUse("eq:12", squared, x**2 / y**2))
    with pytest.raises(ValueError, match="no condition under which it is none"):
        check.refuted("eq:11", derived, printed, next_use=check.NextUse("eq:12", squared, x**2 / y**2))
