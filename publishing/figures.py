"""Figures of the site: inlined, so that they follow the theme, and with sliders where a cell stored formulas."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

from adai.book.animation import PLAY
from adai.book.figures import EXPLORABLE, GRID, INK

logger = logging.getLogger(__name__)

_THEMED = {INK: "var(--adai-ink)", GRID: "var(--adai-grid)"}
_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
ElementTree.register_namespace("", _SVG)
ElementTree.register_namespace("xlink", _XLINK)


def inline_svg(source: str, name: str, alt: str) -> str:
    """Turn an SVG file's text into an element of a page.

    Its own style sheet would rule the page, so it is dropped: book.css holds the same rules as matplotlib's.

    Args:
        source: the SVG file's text.
        name: the element's id; all ids inside are prefixed with it, so that a page can hold many figures.
        alt: alternative text, which becomes the title that a screen reader reads.

    Returns:
        The `<svg>` element, as wide as drawn but never wider than its column, with the theme's colours for the
        reserved ones.

    Raises:
        xml.etree.ElementTree.ParseError: if the source is not well-formed.
    """
    root = ElementTree.fromstring(source)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        for key, value in element.items():
            element.set(key, _inline_attribute(key, value, name))
    title = ElementTree.Element(f"{{{_SVG}}}title", id=f"{name}-title")
    title.text = alt
    root.insert(0, title)
    root.attrib.pop("height", None)  # it follows from the width and the viewBox
    # Screen readers skip what is inside an image, and must find the link that starts an animation.
    role = "img" if root.find(f".//{{{_SVG}}}animate") is None else "group"
    root.attrib.update({"id": name, "class": "adai-figure", "role": role, "aria-labelledby": f"{name}-title"})
    return ElementTree.tostring(root, encoding="unicode")


def _inline_attribute(key: str, value: str, name: str) -> str:
    """Return an attribute's value with prefixed ids and the theme's colours."""
    if re.search(rf"\b{PLAY}\b", value) and key in ("id", "href", "begin"):  # `begin` reads a hyphen as a minus
        return value.replace(PLAY, f"{name}-{PLAY}".replace("-", "_"))
    if key == "id":
        return f"{name}-{value}"
    if key in ("href", f"{{{_XLINK}}}href"):
        return re.sub(r"^#", f"#{name}-", value)
    value = re.sub(r"url\((['\"]?)#", rf"url(\1#{name}-", value)
    for colour, variable in _THEMED.items():
        value = re.sub(re.escape(colour), variable, value, flags=re.IGNORECASE)
    return value


class InlineFigures(SphinxPostTransform):
    """Put SVG images into the page itself, where the theme's colours reach them."""

    default_priority = 90
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        figures = [image for image in self.document.findall(nodes.image) if image["uri"].endswith(".svg")]
        for number, image in enumerate(figures, start=1):
            source = (Path(self.env.srcdir) / image["uri"]).read_text("utf-8")
            name = f"figure-{number}"
            svg = inline_svg(source, name, image.get("alt", ""))
            if spec := _slider_spec(image, Path(self.env.doc2path(self.env.docname))):
                svg = add_sliders(svg, name, spec)
            image.replace_self(nodes.raw("", svg, format="html"))


def add_sliders(svg: str, name: str, spec: dict[str, Any]) -> str:
    """Return a figure with the functions that move its curves, as code, so that the page evaluates no text.

    Args:
        svg: the figure, as `inline_svg` gives it.
        name: its id.
        spec: what `adai.book.explore` stored with it.
    """
    curves = [f"{{label: {js_literal(c['label'])}, at: {c['javascript']}}}" for c in spec["curves"]]
    known = [f"{key}: {js_literal(value)}" for key, value in ({"id": name} | spec).items() if key != "curves"]
    figure = f"{{{', '.join(known)}, curves: [{', '.join(curves)}]}}"
    script = f"(window.adaiExplorables ??= []).push({figure});"
    return f'<div class="adai-explorable" id="{name}-explorable">{svg}<script>{script}</script></div>'


def js_literal(value: object) -> str:
    """Return a value as a JavaScript literal that cannot end the script element around it."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def _slider_spec(image: nodes.image, document: Path) -> dict[str, Any] | None:
    """Return what an image's cell stored for sliders, if anything; the doctree lacks it, so the notebook is read."""
    if not (cell := _cell(image)):
        return None
    outputs = json.loads(document.read_text("utf-8"))["cells"][cell["cell_index"]]["outputs"]
    found: Iterator[dict[str, Any]] = (o["data"][EXPLORABLE] for o in outputs if EXPLORABLE in o.get("data", {}))
    return next(found, None)


def _cell(image: nodes.image) -> nodes.Element | None:
    """Return the notebook cell that contains an image, or None on a page of text."""
    cell: nodes.Element | None = image.parent
    while cell and "cell_index" not in cell:
        cell = cell.parent
    return cell


def demand_alternative_text(app: Sphinx, doctree: nodes.document) -> None:
    """Warn of every image without alternative text."""
    for image in doctree.findall(nodes.image):
        alt = image.get("alt", "").strip()
        if alt in ("", image["uri"], Path(image["uri"]).name):
            cell = _cell(image)
            where = f"figure of cell {cell['cell_index'] + 1}" if cell else f"image {image['uri']}"
            hint = "in the cell's metadata, mystnb: image: alt" if cell else "between the brackets of ![…]"
            logger.warning("%s has no alternative text; say what it shows (%s)", where, hint, location=app.env.docname)
