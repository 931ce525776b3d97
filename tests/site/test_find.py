"""The search finds the paper's items by their numbers."""

from urllib.parse import quote

import pytest

from tests.site.browser import SITE, targets


@pytest.mark.parametrize(
    ("query", "name", "place"),
    [
        ("18", "Equation (18)", "book/diffusion/sgd.html#equation-eq-18"),
        ("(18)", "Equation (18)", "book/diffusion/sgd.html#equation-eq-18"),
        ("Eq. 18", "Equation (18)", "book/diffusion/sgd.html#equation-eq-18"),
        ("theorem 3", "Theorem 3", "book/diffusion/kramers.html#thm:3"),
        ("prop. 1", "Proposition 1", "book/diffusion/adam.html#prop:1"),
        ("table 1", "Table 1", "book/experiments/cifar.html#tab-1"),
        ("momentum", None, None),
        ("a 3", None, None),
        ("eq 999", None, None),
    ],
)
def test_a_search_for_a_number_finds_the_item(
    query: str, name: str | None, place: str | None, tabs: dict, address: str, troubles: list[str]
) -> None:
    tab = tabs["light"]
    tab.goto(f"{address}search.html?q={quote(query)}")
    found = tab.locator(".adai-found a")
    assert found.count() == (name is not None)
    if name:
        assert found.text_content() == name and found.get_attribute("href") == place
        page, _, anchor = place.partition("#")
        assert anchor in targets(SITE / page)
    assert not troubles
