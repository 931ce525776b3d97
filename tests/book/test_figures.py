"""Colours of figures: readable on both grounds, one for each optimizer."""

import math

import pytest

from adai.book.figures import BLUE, GREEN, GREY, ORANGE, PURPLE, optimizer_colour, rounded
from adai.optim import CATALOGUE

WHITE, DARK = "#ffffff", "#14181e"  # the theme's two grounds


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.1 defines it."""
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("colour", sorted({entry.colour for entry in CATALOGUE.values()} | {GREY}))
@pytest.mark.parametrize("ground", [WHITE, DARK])
def test_lines_reach_three_to_one_on_both_grounds(colour, ground):
    assert contrast(colour, ground) >= 3


def test_rounded_keeps_four_digits_zero_and_gaps():
    values = [1.23456, -0.00123449, 98764.0, 0.0, math.nan]
    expected = [1.235, -0.001234, 98760.0, 0.0, math.nan]
    assert rounded(values) == pytest.approx(expected, rel=1e-12, nan_ok=True)


def test_no_two_optimizers_share_a_colour():
    entries = {entry.optimizer: entry for entry in CATALOGUE.values()}  # AdaiS is AdaiW
    colours = [optimizer_colour(entry.label) for entry in entries.values()]
    assert len({GREY, *colours}) == 1 + len(colours)


def test_the_four_shown_most_have_the_palettes_colours():
    four = [optimizer_colour(label) for label in ("SGD M", "Adai", "Adam", "AdaiW")]
    assert four == [BLUE, ORANGE, GREEN, PURPLE]
