"""The graph of the ledger stands in the order of its items, and tells what they rest on."""

import re

import pytest

from publishing.graph import assign_columns, draw_graph
from tests.publishing.made import entry, unchecked


def test_an_item_stands_right_of_all_that_it_uses() -> None:
    assert assign_columns({"eq:3": ["eq:1", "eq:2"], "eq:2": ["eq:1"]}) == {"eq:1": 0, "eq:2": 1, "eq:3": 2}


def test_a_circular_argument_is_named() -> None:
    with pytest.raises(ValueError, match="eq:1 uses eq:2 uses eq:1"):
        assign_columns({"eq:1": ["eq:2"], "eq:2": ["eq:1"]})


def test_the_graph_tells_what_an_item_inherits() -> None:
    entries = [
        entry("eq:1"),
        entry("eq:2", uses=["eq:1"]),
        entry("eq:3", uses=["eq:9"]),
        entry("eq:4", verdict="wrong"),
        entry("eq:5", uses=["eq:4"]),
        unchecked("eq:9"),
    ]
    column = assign_columns({e.id: e.uses for e in entries if e.checked})
    graph = draw_graph(entries, column, {"eq:1": "sgd.html#equation-eq-1"})
    found = re.findall(r'<g class="(\w+)"><title>Equation (\d)', graph)
    states = {item: state for state, item in found}
    inherits = {"3": "inherits", "5": "inherits"}
    assert states == {"1": "founded", "2": "founded", "4": "refuted", "9": "planned"} | inherits
    assert '<a href="sgd.html#equation-eq-1">' in graph
