"""Figures stand in the page and follow the theme."""

import re

from adai.book.figures import GRID, INK
from publishing.figures import inline_svg

DRAWING = f"""<?xml version="1.0" encoding="utf-8" standalone="no"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg xmlns:xlink="http://www.w3.org/1999/xlink" xmlns="http://www.w3.org/2000/svg" width="460pt" height="230pt"
     viewBox="0 0 460 230">
  <metadata>drawn today</metadata>
  <defs><style type="text/css">*{{stroke-linejoin: round}}</style><clipPath id="p1"><rect/></clipPath></defs>
  <g id="m1" clip-path="url(#p1)" style="fill: none; stroke: {INK.upper()}"/>
  <use xlink:href="#m1" style="stroke: {GRID}; fill: #2f7fc4"/>
  <image xlink:href="data:image/png;base64,iVBORw0KGgo="/>
</svg>"""


def test_a_glyph_whose_name_holds_the_word_play_keeps_its_id() -> None:
    drawing = DRAWING.replace("m1", "DejaVuSansDisplay-11")
    assert {'id="f-DejaVuSansDisplay-11"', '"#f-DejaVuSansDisplay-11"'} <= set(
        re.findall(r'id="[^"]*11"|"#[^"]*11"', inline_svg(drawing, "f", "a drawing"))
    )


class TestInlineSvg:
    svg = inline_svg(DRAWING, "figure-1", "Width & time: a < b")

    def test_every_id_and_every_reference_to_one_is_prefixed(self) -> None:
        assert 'id="figure-1-p1"' in self.svg and 'id="figure-1-m1"' in self.svg
        assert "url(#figure-1-p1)" in self.svg and 'xlink:href="#figure-1-m1"' in self.svg
        assert not re.search(r'(#|id=")(p1|m1)', self.svg)

    def test_embedded_images_stay(self) -> None:
        assert 'href="data:image/png;base64,iVBORw0KGgo="' in self.svg

    def test_reserved_colours_follow_the_theme_and_others_stay(self) -> None:
        assert "stroke: var(--adai-ink)" in self.svg and "stroke: var(--adai-grid)" in self.svg
        assert INK not in self.svg.lower() and GRID not in self.svg.lower()
        assert "fill: #2f7fc4" in self.svg

    def test_alternative_text_is_the_title_that_labels_it(self) -> None:
        assert '<title id="figure-1-title">Width &amp; time: a &lt; b</title>' in self.svg
        assert 'role="img"' in self.svg and 'aria-labelledby="figure-1-title"' in self.svg

    def test_it_can_shrink_with_its_column(self) -> None:
        opening = self.svg[: self.svg.index(">")]
        assert 'viewBox="0 0 460 230"' in opening and "height=" not in opening

    def test_it_brings_no_style_sheet_which_would_rule_the_page(self) -> None:
        assert "<style" not in self.svg and "metadata" not in self.svg
