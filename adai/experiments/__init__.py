"""The experiments: one module each.

One that trains has `runs(scale)`, `table(records)` and, where it draws, `figure(records, axes)`; one that measures has
`runs(scale)`, `measure(spec)`, `repeat(result)` and `summary(result)`.
"""

from importlib import import_module
from types import ModuleType, SimpleNamespace

from adai.measurements import Measurement
from adai.records import SCALES, RecordError, Spec

MEASURED = ("escape", "sharpness", "noise")
"""Those that train nothing."""
EXPERIMENTS = (
    "digits",
    *("table1", "table1-many", "table1-vgg16", "table1-resnet34", "table1-densenet121", "table1-googlenet"),
    *("rates", "tuned", "tuned-grid", "power", "long", "table2"),
    *("speed", "speed-vgg16", "speed-densenet121", "speed-googlenet"),
    *("imagenet", "language", "memory-imagenet", "memory-language"),
    *MEASURED,
)


def module(experiment: str) -> ModuleType | SimpleNamespace:
    """What has the experiment's `runs`, `table` and `figure`: its module, or a row's part of it.

    Raises:
        RecordError: there is no such experiment.
    """
    if experiment not in EXPERIMENTS:
        raise RecordError(f"no experiment is called {experiment!r}; there are {', '.join(EXPERIMENTS)}")
    name, _, row = experiment.partition("-")
    found = import_module(f"{__name__}.{name}")
    return found.ROWS[experiment] if row else found


def runs(experiment: str, scale: str) -> dict[str, Spec] | dict[str, Measurement]:
    """All runs of an experiment at one scale, by name, such as `digits/adai/0`.

    Raises:
        RecordError: there is no such experiment, or it has no runs at this scale.
    """
    table = module(experiment).runs(scale)
    if not table:
        offered = ", ".join(other for other in SCALES if module(experiment).runs(other))
        raise RecordError(f"{experiment} has no runs at scale {scale}" + (f"; it has {offered}" if offered else " yet"))
    return table


def find(name: str, scale: str) -> Spec | Measurement:
    """The spec of a run by its name, such as `digits/adai/0`.

    Raises:
        RecordError: the experiment has no such run at this scale.
    """
    table = runs(name.split("/")[0], scale)
    if name not in table:
        first, *_, last = table
        raise RecordError(f"no run at scale {scale} is called {name!r}; there are {first} to {last}")
    return table[name]


def known(experiment: str) -> dict[str, Spec] | dict[str, Measurement]:
    """The specs of an experiment at all scales, by hash; none where there is no such experiment.

    Runs on images may be on the published files or on the copy that our own records were made from.
    """
    if experiment not in EXPERIMENTS:
        return {}
    from adai.experiments import images

    specs = [spec for scale in SCALES for spec in module(experiment).runs(scale).values()]
    if experiment in MEASURED:
        return {spec.hash: spec for spec in specs}
    copies = [images.labelled(s, label) for s in specs if s.dataset == "cifar10" for label in (None, images.JPEG_COPY)]
    return {spec.hash: spec for spec in (*specs, *copies)}
