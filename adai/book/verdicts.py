"""What a check may come to, from the worst to the best: one order for ledger, errata and every page that counts."""

WRONG = "wrong"
NOT_REPRODUCED = "not reproduced"
NEEDS_CONDITION = "needs a condition"
SLIP = "slip"
OPEN = "open"
UNDECIDED = "undecided"
IN_CASES = "holds in the cases tried"
LEADING_ORDER = "leading order"
REPRODUCED = "reproduced"
HOLDS = "holds"

SEVERITY = [
    WRONG,
    NOT_REPRODUCED,
    NEEDS_CONDITION,
    SLIP,
    OPEN,
    UNDECIDED,
    IN_CASES,
    LEADING_ORDER,
    REPRODUCED,
    HOLDS,
]
REFUTED = (WRONG, NEEDS_CONDITION, SLIP)
"""The printed form fails somewhere."""


def worst(verdicts: list[str]) -> str:
    """Return the verdict on a statement, given those of all its checks; '' without any.

    Cases that were tried add trust to what is shown for all cases, and take nothing from it.
    """
    shown = [verdict for verdict in verdicts if verdict != IN_CASES]
    return min(shown or verdicts, key=SEVERITY.index, default="")
