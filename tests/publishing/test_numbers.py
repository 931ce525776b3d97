"""Items are named and linked as the paper numbers them."""

import pytest

from publishing.numbers import item_in_text, item_name, item_reference
from tests.publishing.made import entry, unchecked


@pytest.mark.parametrize(
    ("item", "name", "reference", "in_text"),
    [
        ("eq:18", "Equation (18)", "{eq}`eq:18`", "Equation {eq}`eq:18`"),
        ("thm:3", "Theorem 3", "{prf:ref}`thm:3`", "{prf:ref}`thm:3`"),
        ("tab:1", "Table 1", "{ref}`Table 1 <tab:1>`", "{ref}`Table 1 <tab:1>`"),
    ],
)
def test_an_item_is_named_and_linked_by_its_kind(item: str, name: str, reference: str, in_text: str) -> None:
    checked = entry(item)
    assert (item_name(checked), item_reference(checked), item_in_text(checked)) == (name, reference, in_text)


def test_an_item_that_stands_nowhere_is_named_only() -> None:
    assert item_in_text(unchecked("eq:18")) == "Equation (18)" and item_in_text(unchecked("fig:5")) == "Figure 5"
