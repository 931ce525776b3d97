"""One style for all figures: vector, transparent, the same bytes at every run, and readable in light and dark.

Ink and grid are drawn in two reserved colours, which the site maps to the theme's (`publishing.figures`). Colours of
series reach 3:1 on white and on the dark ground alike.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

INK, GRID = "#1f2933", "#d5dbe1"
DARK_INK, DARK_GRID = "#d8dee6", "#3b4450"
"""What ink and grid become on a dark ground."""
BLUE, ORANGE, GREEN, PURPLE, GREY = "#2f7fc4", "#d9631e", "#1a9171", "#a65fb5", "#7b8794"
EXPLORABLE = "application/vnd.adai.explorable+json"
"""The type under which a figure with sliders (`adai.book.explore`) carries its formulas."""


def optimizer_colour(label: str) -> str:
    """Return the colour of an optimizer, the same in every chapter, by its label in the catalogue.

    Ten are too many to tell apart by colour alone: where more than four meet, label the lines themselves.

    Raises:
        KeyError: no optimizer has this label.
    """
    from adai.optim import CATALOGUE

    return {entry.label: entry.colour for entry in CATALOGUE.values()}[label]


def style() -> None:
    """Make matplotlib draw in the book's style, and the notebook show deterministic SVG."""
    import matplotlib as mpl
    from cycler import cycler
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    mpl.rcdefaults()
    mpl.rcParams.update(
        {
            "figure.figsize": (6.4, 3.4),
            "figure.facecolor": "none",
            "axes.facecolor": "none",
            "savefig.facecolor": "none",
            "axes.prop_cycle": cycler(color=[BLUE, ORANGE, GREEN, PURPLE, GREY]),
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "grid.color": GRID,
            "grid.linewidth": 0.6,
            "legend.frameon": False,
            "legend.labelcolor": INK,
            "font.size": 10,
            "svg.hashsalt": "adai",
            "svg.fonttype": "path",
            "text.color": INK,
            "axes.labelcolor": INK,
            "axes.edgecolor": INK,
            "axes.titlecolor": INK,
            "xtick.color": INK,
            "ytick.color": INK,
        }
    )
    set_matplotlib_formats(  # type: ignore[no-untyped-call]  # its package has no types
        "svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight"
    )


def rounded(values: "ArrayLike", digits: int = 4) -> "np.ndarray":
    """Return values to a few significant digits, so that a figure does not depend on the processor's last bits.

    Args:
        values: anything NumPy can make an array of.
        digits: significant digits kept; far more than a figure's resolution.

    Returns:
        An array of the values' shape.
    """
    import numpy as np

    array = np.asarray(values, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 10.0 ** (digits - 1 - np.floor(np.log10(np.abs(array))))
        return np.where(np.isfinite(scale), np.round(array * scale) / scale, array)
