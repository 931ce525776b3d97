"""Figures with sliders: what is stored for the browser, and what is refused. Its use in a browser: tests/site."""

import re

import pytest
import sympy as sp

from adai.book import explore
from adai.book.explore import Slider
from adai.book.figures import EXPLORABLE, style
from adai.theory.symbols import D, H, T, t

SLIDERS = {H: Slider("curvature H", -1, 1, start=0.5, step=0.25), D: Slider("diffusion D", 0.1, 1, start=0.5, step=0.1)}
VARIANCE = D / H * (1 - sp.exp(-2 * H * t))


def curves(formulas: dict, **changed: object) -> explore.Explorable:
    style()
    options = {"x": (t, 0, 4), "y": (0, 2), "sliders": SLIDERS, "xlabel": "t", "ylabel": "v"} | changed
    return explore.curves(formulas, **options)


def script(formula: sp.Expr, **changed: object) -> str:
    (curve,) = curves({"a": formula}, **changed).spec["curves"]
    return curve["javascript"]


def test_a_formula_becomes_a_function_that_keeps_its_digits_and_its_limit():
    found = script(VARIANCE)
    assert found.startswith("(t, H, D) => {")
    assert "const _0 = 2*t; return ((H == 0) ? ( D*_0 ) :" in found, "0/0 in the middle of the slider"
    assert "Math.expm1" in found and "1 - Math.exp" not in found
    assert "Math.expm1" in script(sp.expand(VARIANCE)), "the difference is hidden in a - a exp(u)"


def test_the_output_carries_picture_text_and_formulas():
    shown = curves({"a": VARIANCE, "b": 2 * D * t})._repr_mimebundle_()
    assert shown["text/plain"] == "a, b at curvature H = 0.5,  diffusion D = 0.5"
    assert [c["checked"] for c in shown[EXPLORABLE]["curves"]] == ["D*(1 - exp(-2*H*t))/H", "2*D*t"]
    assert [(s["symbol"], s["start"]) for s in shown[EXPLORABLE]["sliders"]] == [("H", 0.5), ("D", 0.5)]
    names = re.findall(r'<g id="((?:curve|key|plot|settings)[^"]*)"', shown["image/svg+xml"])
    assert sorted(names) == ["curve-0", "curve-1", "key-0", "key-1", "plot", "settings"]


def test_the_values_are_read_at_the_end_or_where_the_chapter_says():
    assert curves({"a": VARIANCE}).spec["read_at"] == 4
    assert curves({"a": VARIANCE}, read_at=2).spec["read_at"] == 2


def test_a_formula_without_a_limit_is_left_as_it_is():
    assert "?" not in script(t / H), "infinite in the middle of the slider: there the page says that it has no value"


def test_drawing_twice_gives_the_same_bytes():
    assert curves({"a": VARIANCE}) == curves({"a": VARIANCE})


def test_an_integer_is_drawn_at_integers_only():
    assert curves({"a": T * D}, x=(T, 0, 5)).spec["points"] == [0, 1, 2, 3, 4, 5]
    many = curves({"a": T * D}, x=(T, 1, 1000), log="x").spec["points"]
    assert many == sorted(set(many)) and {1, 2, 1000} < set(many) and len(many) < 200


def test_a_pair_is_drawn_by_its_second_form_and_judged_by_its_first():
    grown = (VARIANCE, -D / H * sp.exp(-2 * H * t) * (1 - sp.exp(2 * H * t)))
    (curve,) = curves({"a": grown}).spec["curves"]
    assert curve["checked"] == str(VARIANCE) and "Math.exp(-_1)*Math.expm1(_1)" in curve["javascript"]


@pytest.mark.parametrize(
    ("formula", "complaint"),
    [
        (sp.Symbol("k") * t, "'a' depends on {k}, which has no slider"),
        ((VARIANCE, 1.001 * VARIANCE), "not equal to the checked one"),
        (sp.sqrt(H - 1) * t, "'a' is .*j at t"),
        (t + sp.I * t / 1000, r"'a' is .*j\) at t"),
        (sp.log(t), "'a' is .* at t = 0"),
        (sp.zeta(H + 2), "cannot write zeta.*there is no zeta"),
        (sp.Sum(T * t, (T, 1, 3)), "cannot write .*Sum"),
        (sp.Catalan * t, "there is no Catalan"),
    ],
)
def test_what_cannot_be_drawn_honestly_is_refused(formula, complaint):
    with pytest.raises(ValueError, match=complaint):
        curves({"a": formula})


def test_a_symbol_that_is_no_name_is_refused():
    with pytest.raises(ValueError, match=r"'sigma\^2' is no name in JavaScript"):
        script(sp.Symbol("sigma^2") * t, sliders={sp.Symbol("sigma^2"): Slider("σ²", 0, 1, start=0)})


def test_a_slider_starts_where_it_can_stand():
    assert Slider("H", 0, 1, start=0.37).step == 0.01
    for start in (0.3, 1.25):
        with pytest.raises(ValueError, match=f"start {start} is not among 0, 0.25, … 1"):
            Slider("H", 0, 1, start=start, step=0.25)
