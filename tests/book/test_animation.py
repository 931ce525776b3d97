"""An animated figure stands still at its first frame, and moves to the last when it is asked to."""

from xml.etree import ElementTree

import numpy as np
import pytest

from adai.book import animation, figures
from publishing.figures import inline_svg

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def drawn() -> ElementTree.Element:
    figures.style()
    paths = np.array([[-1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    shown = animation.on_a_curve(lambda u: u**2, np.linspace(-2, 2, 50), paths, seconds=3, xlabel="u", ylabel="height")
    return ElementTree.fromstring(shown._repr_mimebundle_()["image/svg+xml"])


def marks(drawn: ElementTree.Element) -> list[ElementTree.Element]:
    groups = [e for e in drawn.iter(f"{SVG}g") if (e.get("id") or "").startswith("particle-")]
    return [next(group.iter(f"{SVG}use")) for group in groups]


def test_each_particle_starts_where_it_is_drawn_and_follows_its_path(drawn):
    first, second = marks(drawn)
    for mark in (first, second):
        for motion in mark.iter(f"{SVG}animate"):
            values = [float(v) for v in motion.get("values").split(";")]
            assert abs(values[0] - float(mark.get(motion.get("attributeName")))) < 0.1
    (x, y), (other, _) = ([m.get("values").split(";") for m in mark.iter(f"{SVG}animate")] for mark in (first, second))
    # From -1 over 0 to 1 by equal steps; the middle of the parabola is lowest, so farthest down the page.
    assert float(x[2]) - float(x[1]) == pytest.approx(float(x[1]) - float(x[0]), abs=0.2) and float(x[2]) > float(x[0])
    assert y[0] == y[2] and float(y[1]) > float(y[0])
    assert other[0] == x[1] and other[1] == other[2] == x[2]


def test_nothing_moves_unless_asked_and_a_keyboard_can_ask(drawn):
    assert {motion.get("begin") for motion in drawn.iter(f"{SVG}animate")} == {"play.click"}
    (link,) = drawn.iter(f"{SVG}a")
    assert link.get("id") == "play" and link.get("href") == "#play" and link.get("aria-label")
    assert not [e for e in drawn.iter() if (e.get("id") or "").startswith("corner-")]


def test_on_a_page_it_listens_to_its_own_link(drawn):
    page = ElementTree.fromstring(inline_svg(ElementTree.tostring(drawn, encoding="unicode"), "figure-7", "a cloud"))
    assert {motion.get("begin") for motion in page.iter(f"{SVG}animate")} == {"figure_7_play.click"}
    assert [link.get("id") for link in page.iter(f"{SVG}a")] == ["figure_7_play"]
    assert page.get("role") == "group"
