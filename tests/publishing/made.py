"""Made-up entries of the ledger."""

from adai.book.ledger import Entry


def entry(item: str, **found: object) -> Entry:
    """Return a checked item of a chapter, with what else its checks found."""
    found = {"checked": True, "anchor": item, "kind": ["identity"], "verdict": "holds", "statement": "a = b"} | found
    return Entry(id=item, part="theory", chapter="SGD as diffusion", notebook="book/diffusion/sgd", **found)


def unchecked(item: str, chapter: str = "Convergence") -> Entry:
    """Return an item that has no check."""
    return Entry(id=item, part="theory", chapter=chapter, notebook="book/inertia/convergence")
