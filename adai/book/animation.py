"""A figure whose particles move when the reader asks for it: an SVG that stands still, with the motion inside.

Nothing but the browser is needed, and nothing moves by itself: a link in the figure, which the keyboard reaches too,
starts it. In print, and where links in figures do nothing, the particles stand at the first frame.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from adai.book.figures import INK, ORANGE

if TYPE_CHECKING:
    import numpy as np

SVG = "http://www.w3.org/2000/svg"
PLAY = "play"
"""Id of the link that starts the motion."""


@dataclass(frozen=True)
class Animation:
    """An animated drawing, shown as SVG."""

    svg: str
    text: str

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"image/svg+xml": self.svg, "text/plain": self.text}


def on_a_curve(
    height: "Callable[[np.ndarray], np.ndarray]",
    places: "np.ndarray",
    paths: "np.ndarray",
    *,
    seconds: float,
    xlabel: str,
    ylabel: str,
) -> Animation:
    """Draw particles that move along a curve.

    Args:
        height: the curve, a function of an array of places.
        places: where the curve is drawn, shape (points,).
        paths: where each particle is in each frame, shape (frames, particles); frames are equally long.
        seconds: how long the whole takes.
        xlabel, ylabel: of the axes.
    """
    import matplotlib.pyplot as plt
    import numpy as np
    from IPython.core.pylabtools import print_figure

    from adai.book.figures import rounded

    figure, axes = plt.subplots()
    axes.plot(places, rounded(height(places)), color=INK)
    heights = height(paths)
    for i, (x, y) in enumerate(zip(paths[0], heights[0], strict=True)):
        axes.plot(x, y, "o", color=ORANGE, alpha=0.6, ms=6, gid=f"particle-{i}")
    corners = np.array([[places[0], heights.min()], [places[-1], heights.max()]])
    for i, corner in enumerate(corners):
        axes.plot(*corner, "o", alpha=0, gid=f"corner-{i}")
    axes.text(0.5, 1.02, "▶ play", transform=axes.transAxes, ha="center", gid="label")
    axes.set(xlabel=xlabel, ylabel=ylabel)
    source = print_figure(  # type: ignore[no-untyped-call]  # IPython's
        figure, "svg", bbox_inches="tight", metadata={"Date": None, "Creator": None}
    )
    plt.close(figure)

    root = ElementTree.fromstring(source)
    parents = {child: parent for parent in root.iter() for child in parent}
    named = {name: element for element in root.iter() if (name := element.get("id"))}
    ends = np.array([[float(_mark(named[f"corner-{i}"]).attrib[axis]) for axis in "xy"] for i in range(2)])
    scale = (ends[1] - ends[0]) / (corners[1] - corners[0])
    for i in range(paths.shape[1]):
        for axis, values, start, factor, corner in zip("xy", (paths, heights), ends[0], scale, corners[0], strict=True):
            _move(_mark(named[f"particle-{i}"]), axis, start + factor * (values[:, i] - corner), seconds)
    for i in range(2):
        parents[named[f"corner-{i}"]].remove(named[f"corner-{i}"])
    _link(named["label"], parents[named["label"]])
    text = f"{paths.shape[1]} particles, {len(paths)} frames"
    return Animation(ElementTree.tostring(root, encoding="unicode"), text)


def _mark(group: ElementTree.Element) -> ElementTree.Element:
    """Return the mark that matplotlib drew in a group."""
    return next(group.iter(f"{{{SVG}}}use"))


def _move(mark: ElementTree.Element, axis: str, values: "np.ndarray", seconds: float) -> None:
    """Make a mark run through the values, shape (frames,), along one axis of the page."""
    motion = {"attributeName": axis, "values": ";".join(f"{v:.1f}" for v in values)}
    timing = {"dur": f"{seconds:g}s", "begin": f"{PLAY}.click", "fill": "freeze"}
    ElementTree.SubElement(mark, f"{{{SVG}}}animate", motion | timing)


def _link(label: ElementTree.Element, parent: ElementTree.Element) -> None:
    """Put the label into a link that leads to itself."""
    place = list(parent).index(label)
    parent.remove(label)
    link = ElementTree.Element(f"{{{SVG}}}a", {"id": PLAY, "href": f"#{PLAY}", "aria-label": "play the animation"})
    link.append(label)
    parent.insert(place, link)
