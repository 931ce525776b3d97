"""The site's icon fonts hold what it shows, and nothing is thinned by a rule that no longer fits."""

import pytest
from sphinx.errors import ExtensionError

from publishing.assets import needed_glyphs


@pytest.mark.parametrize(
    "rules",
    [
        r'.fa-house:before,.fa-home:before{content:"\f015"}.fa-1:before{content:"\31 "}',
        r'.fa-house,.fa-home{--fa:"\f015"}.fa-egg{--fa:"\f7fb";--fa--fa:"\f7fb\f7fb"}',
    ],
    ids=["Font Awesome 6", "Font Awesome 7"],
)
def test_only_shown_icons_and_those_of_boxes_are_needed(rules: str) -> None:
    assert needed_glyphs(rules + r'.note{--icon:"\f05a"}', '<i class="fa-solid fa-home">') == {0xF015, 0xF05A}


def test_styles_in_which_no_icon_is_found_fail_the_build() -> None:
    with pytest.raises(ExtensionError, match="no rule for an icon"):
        needed_glyphs(r'.fa-house{--unheard-of:"\f015"}.note{--icon:"\f05a"}', '<i class="fa-solid fa-house">')
