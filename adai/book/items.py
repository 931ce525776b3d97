"""The paper's numbered items and the chapter that is each one's home."""

THEORY, EXPERIMENTS = "theory", "experiments"

# Chapter, its notebook, and the items whose home it is; "eq:4-9" is a range.
HOMES: list[tuple[str, str, str]] = [
    ("SGD as diffusion", "book/diffusion/sgd", "eq:1-3 eq:11-21 thm:1"),
    ("Gradient noise", "book/diffusion/noise", "fig:6-7"),
    ("Momentum in phase space", "book/diffusion/momentum", "eq:4-9 eq:22-32 thm:2"),
    ("Escaping minima: Kramers", "book/diffusion/kramers", "eq:33-66 thm:3 asm:1-3 fig:8"),
    ("Adam's dynamics", "book/diffusion/adam", "alg:1 eq:67-70 eq:121-123 prop:1-2"),
    ("Adai", "book/inertia/adai", "alg:2 eq:10 eq:71-73 prop:3-4"),
    ("Convergence", "book/inertia/convergence", "eq:74-118 lem:1-4 thm:4"),
    ("Weight decay: AdaiS and AdaiW", "book/inertia/decay", "alg:3"),
    ("Escape times", "book/experiments/escape", "eq:119-120 fig:5"),
    ("CIFAR", "book/experiments/cifar", "tab:1 fig:1-2 fig:10"),
    ("Weight decay and learning rate", "book/experiments/rates", "tab:2 fig:4 fig:9"),
    ("A thousand epochs", "book/experiments/long", "fig:11"),
    ("ImageNet", "book/experiments/imagenet", "fig:3"),
    ("Language modelling", "book/experiments/language", "fig:12"),
    ("Sharpness of minima", "book/experiments/sharpness", "fig:13"),
]


def _expand(ranges: str) -> list[str]:
    """Return 'eq:1-3 thm:1' as ['eq:1', 'eq:2', 'eq:3', 'thm:1']."""
    ids = []
    for part in ranges.split():
        kind, numbers = part.split(":")
        first, _, last = numbers.partition("-")
        ids += [f"{kind}:{n}" for n in range(int(first), int(last or first) + 1)]
    return ids


def _order(item: str) -> tuple[int, int]:
    kind, number = item.split(":")
    return ("eq", "thm", "prop", "lem", "asm", "alg", "tab", "fig").index(kind), int(number)


HOME: dict[str, str] = {i: title for title, _, ids in HOMES for i in _expand(ids)}
"""Title of each item's home chapter, in the paper's order."""
HOME = {item: HOME[item] for item in sorted(HOME, key=_order)}

NOTEBOOK: dict[str, str] = {title: notebook for title, notebook, _ in HOMES}
"""Notebook (without suffix) of each home chapter, written or planned."""


def part(item: str) -> str:
    """Return 'experiments' for the tables, the figures of results and the escape-rate estimators; else 'theory'."""
    of_results = item.startswith(("tab:", "fig:")) and item != "fig:8"
    return EXPERIMENTS if of_results or item in ("eq:119", "eq:120") else THEORY


def require_item(item: str) -> str:
    """Return the item's id as it is.

    Raises:
        ValueError: if the paper has no such item.
    """
    if item not in HOME:
        raise ValueError(
            f"{item!r} is no item of the paper: expected eq:1 … eq:123, thm:1 … 4, prop:1 … 4, "
            "lem:1 … 4, asm:1 … 3, alg:1 … 3, tab:1, tab:2 or fig:1 … 13"
        )
    return item
