"""Figures with sliders, in a browser: they draw what the chapter checked, and stand still without script."""

import itertools
import random
import re

import mpmath
import nbformat
import numpy as np
import pytest
import sympy as sp

from adai.book import ledger
from adai.book.explore import Slider, curves
from adai.book.figures import EXPLORABLE, style
from publishing import ROOT
from publishing.figures import add_sliders, inline_svg
from tests.site.browser import SITE, WIDTHS, open_page


def explorables() -> list[tuple[str, int, dict]]:
    """Return each stored figure with sliders: its page, its number on the page, and what the chapter stored."""
    found = []
    for notebook in ledger.notebooks(ROOT):
        outputs = [o for c in nbformat.read(notebook, 4).cells for o in c.get("outputs", [])]
        specs = [o["data"][EXPLORABLE] for o in outputs if EXPLORABLE in o.get("data", {})]
        page = notebook.relative_to(ROOT).with_suffix(".html").as_posix()
        found += [(page, number, spec) for number, spec in enumerate(specs)]
    return found


EXPLORABLES = explorables()
each_explorable = pytest.mark.parametrize(
    ("page", "number", "stored"), EXPLORABLES, ids=[f"{page}-{number}" for page, number, _ in EXPLORABLES]
)
SHOWN = """id => ({
  paths: [...document.querySelectorAll(`[id^="${id}-curve-"] path`)].map(path => path.getAttribute('d')),
  values: [...document.querySelectorAll(`#${id}-explorable output`)].map(output => output.textContent),
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
})"""


def open_explorable(tab: object, url: str, number: int) -> str:
    """Load a page, and return the id of one of its figures with sliders."""
    open_page(tab, url)
    return tab.evaluate(f"() => window.adaiExplorables[{number}].id")


def test_there_are_explorables() -> None:
    assert len(EXPLORABLES) >= 3


def positions(stored: dict, count: int) -> list[list[float]]:
    """Return drawn points with positions of the sliders: at random, all ends, and with each slider at 0 that can be."""
    draw = random.Random("positions")
    chosen = []
    for _ in range(count):
        steps = [draw.randint(0, round((s["to"] - s["from"]) / s["step"])) for s in stored["sliders"]]
        at = [round(s["from"] + n * s["step"], 10) for s, n in zip(stored["sliders"], steps, strict=True)]
        chosen.append([draw.choice(stored["points"]), *at])
    ends = [stored["points"][:1] + stored["points"][-1:], *([s["from"], s["to"]] for s in stored["sliders"])]
    chosen += map(list, itertools.product(*ends))
    zeros = [n for n, s in enumerate(stored["sliders"], start=1) if s["from"] <= 0 <= s["to"]]
    return chosen + [[*at[:n], 0, *at[n + 1 :]] for at in chosen[:20] for n in zeros]


def exactly(stored: dict, curve: dict, at: list[float]) -> mpmath.mpf:
    """Return the checked expression's value to a hundred digits; where a slider makes it 0/0, next to that."""
    names = [stored["x"]["symbol"], *(s["symbol"] for s in stored["sliders"])]
    symbols = {name: sp.Symbol(name) for name in names}
    formula = sp.lambdify(symbols.values(), sp.sympify(curve["checked"], locals=symbols), "mpmath")
    with mpmath.workdps(100):
        try:
            value = formula(*map(mpmath.mpf, at))
        except ZeroDivisionError:
            value = formula(*(mpmath.mpf(v) or mpmath.mpf("1e-30") for v in at))
        assert abs(mpmath.im(value)) <= abs(value) * mpmath.mpf("1e-60"), f"{curve['label']} is not real at {at}"
        return mpmath.re(value)


@each_explorable
def test_the_browser_draws_what_the_chapter_checked(
    page: str, number: int, stored: dict, tabs: dict, address: str
) -> None:
    """At random settings to 1e-12; at the start, its curves lie on those of the picture."""
    tab = tabs["light"]
    name = open_explorable(tab, address + page, number)
    points, compared = positions(stored, 60), 0
    for i, curve in enumerate(stored["curves"]):
        call = "([f, c, points]) => points.map(p => window.adaiExplorables[f].curves[c].at(...p))"
        for at, found in zip(points, tab.evaluate(call, [number, i, points]), strict=True):
            exact = exactly(stored, curve, at)
            # What is smaller than the plot by twenty orders need not keep its digits: the far tail of a bell.
            negligible = 1e-20 * stored["y"]["to"]
            assert abs(found - exact) <= 1e-12 * abs(exact) + negligible, f"{curve['label']} at {at}: {found}, {exact}"
            compared += abs(exact) > negligible
    assert compared > 0.5 * len(points) * len(stored["curves"])

    paths = tab.evaluate(SHOWN, name)["paths"]
    assert len(paths) == len(stored["curves"])
    for i, live in enumerate(paths):
        drawn = re.search(rf'id="{name}-curve-{i}">\s*<path d="([^"]*)"', (SITE / page).read_text("utf-8"))[1]
        (x, y), (known_x, known_y) = coordinates(live), coordinates(drawn)
        apart = np.abs(np.interp(known_x, x, y) - known_y)
        assert max(apart) < 0.3 and abs(x[0] - known_x[0]) < 0.02, f"{name}, curve {i}: {max(apart):.3g} pt apart"


def coordinates(path: str) -> tuple[list[float], list[float]]:
    """Return the x and the y of a path's points."""
    numbers = [float(n) for n in re.findall(r"-?[\d.]+", path)]
    return numbers[::2], numbers[1::2]


@each_explorable
def test_sliders_move_curves_by_keyboard(
    page: str, number: int, stored: dict, tabs: dict, address: str, troubles: list[str]
) -> None:
    tab = tabs["dark"]
    name = open_explorable(tab, address + page, number)
    figure = tab.locator(f"#{name}-explorable")
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": 900})
        start = tab.evaluate(SHOWN, name)
        for n, slider in enumerate(stored["sliders"]):
            before = tab.evaluate(SHOWN, name)
            control = figure.get_by_label(slider["label"], exact=True)
            control.focus()
            # Away from the end, where it may stand.
            tab.keyboard.press("ArrowLeft" if control.input_value() == control.get_attribute("max") else "ArrowRight")
            after = tab.evaluate(SHOWN, name)
            assert after["paths"] != before["paths"], f"{slider['label']} moves no curve"
            changed = [a != b for a, b in zip(after["values"], before["values"], strict=True)]
            assert changed == [i == n for i in range(len(changed))], f"{slider['label']} does not show its value"
            assert after["overflow"] <= 0, f"{width} px"
        figure.get_by_role("button", name="Reset").click()
        reset = tab.evaluate(SHOWN, name)
        assert (reset["paths"], reset["values"]) == (start["paths"], start["values"])
    assert not troubles


@each_explorable
def test_without_script_the_picture_stands_there_and_no_slider(
    page: str, number: int, stored: dict, tabs: dict, address: str
) -> None:
    context = tabs["light"].context.browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(address + page)
    figure = tab.locator(".adai-explorable").nth(number)
    assert figure.locator("svg").is_visible() and figure.bounding_box()["height"] > 100
    assert figure.locator("g[id*=-curve-]").count() == len(stored["curves"])
    assert figure.locator("g[id$=-settings]").is_visible(), "the picture says at which values it is drawn"
    assert figure.locator("input, button, label").count() == 0
    context.close()


def test_a_curve_that_is_nowhere_defined_is_not_drawn_and_says_so(tabs: dict, troubles: list[str]) -> None:
    style()
    t, H = sp.symbols("t H", real=True)
    made = curves(
        {"rooted </script>": sp.sqrt(H) * t, "plain": t}, x=(t, 0, 1), y=(0, 1), xlabel="t", ylabel="y",
        sliders={H: Slider("H", -1, 1, start=0.5, step=0.5)},
    )  # fmt: skip
    figure = add_sliders(inline_svg(made.svg, "figure-1", "Two lines."), "figure-1", made.spec)
    tab = tabs["light"]
    tab.goto("about:blank")
    tab.set_content(figure)
    tab.add_script_tag(path=SITE / "_static/explorable.js")
    tab.get_by_label("H", exact=True).press("Home")
    status = tab.locator("p[role=status]")
    status.filter(has_text="not defined").wait_for()
    assert status.text_content() == "At t = 1: rooted </script>: not defined here; plain: 1"
    assert [bool(path) for path in tab.evaluate(SHOWN, "figure-1")["paths"]] == [False, True]
    key = "document.querySelector('#figure-1-key-{}').style.opacity"
    assert [tab.evaluate(key.format(i)) for i in (0, 1)] == ["0.25", "1"]
    tab.get_by_label("H", exact=True).press("End")
    status.filter(has_text="rooted </script>: 1;").wait_for()
    assert all(tab.evaluate(SHOWN, "figure-1")["paths"])
    assert not troubles
