"""Does the batch size matter on the digits? SGD with momentum at two of them; nothing is chosen, seeds are fixed."""

from collections.abc import Iterable
from dataclasses import replace

from adai.experiments import digits
from adai.experiments.base import NOTHING, Inputs
from adai.experiments.comparison import Comparison, compare
from adai.records import Record, Spec

BATCHES = (16, 64)


def runs(scale: str, given: Inputs = NOTHING) -> dict[str, Spec]:
    """Return the runs at one scale by name; none where the experiment does not have the scale."""
    twins = {name: spec for name, spec in digits.runs(scale, given).items() if spec.optimizer == "sgd"}
    return {
        f"toy/{batch}/{spec.seed}": replace(spec, experiment="toy", batch_size=batch)
        for spec in twins.values()
        for batch in BATCHES
    }


def table(records: Iterable[Record]) -> Comparison:
    """Return the test errors of the larger batch."""
    return compare((r for r in records if r.spec.batch_size == BATCHES[1]), {"sgd": "SGD M"}, baseline="sgd")
