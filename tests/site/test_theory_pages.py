"""Each page of the parts I and II is sound and accessible: light and dark, on a desk and in a hand."""

import pytest

from tests.site.browser import IN_THEORY, page_faults


@pytest.mark.parametrize("page", IN_THEORY)
def test_page_is_sound_and_accessible(page: str, tabs: dict, address: str, troubles: list[str]) -> None:
    faults = page_faults(page, tabs["light"], address, troubles)
    assert not faults, "\n".join(faults)
