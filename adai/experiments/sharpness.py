"""Figure 13: how sharp the minima are that Adai, SGD with momentum and Adam end in, from the weights that runs kept.

One measurement for each run of Table 1 that kept its weights. The loss is that of the first training images of the run,
without weight decay. Noise scales, images, draws and the comparisons of `MEASURES` were fixed before any of it was
measured. The paper prints no noise scales.
"""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from adai.book.figures import optimizer_colour
from adai.experiments import digits, images, table1
from adai.experiments.base import NOTHING, Inputs
from adai.experiments.comparison import Estimate, Table, estimated
from adai.records import Measurement, Result, Spec

if TYPE_CHECKING:
    from adai.theory.sharpness import Landscape

SEED = 0
NOISE = {
    "plain": (0.0025, 0.005, 0.01, 0.02, 0.04),
    "refitted": (0.0025, 0.005, 0.01, 0.02, 0.04),
    "filter": (0.05, 0.1, 0.2, 0.4, 0.8),
    "element": (0.05, 0.1, 0.2, 0.4, 0.8),
}
"""Standard deviations of the noise, in the unit of each kind. `refitted` is plain noise, after which normalisation
layers measure their means and variances anew."""
SIZES = {"smoke": {"images": 64, "draws": 2, "probes": 2}, "laptop": {"images": 5000, "draws": 10, "probes": 20}}
MEASURES = {
    "plain": "rise under plain noise of 0.01",
    "refitted": "the same, norms refitted",
    "filter": "rise under filter-wise noise of 0.2",
    "element": "rise under element-wise noise of 0.2",
    "trace": "trace of the Hessian",
    "eigenvalue": "its largest eigenvalue",
    "filter eigenvalue": "its largest eigenvalue, filter-wise",
}
"""What is compared: rises at the middle noise scale of each kind, and curvatures."""


def runs(scale: str, given: Inputs = NOTHING) -> dict[str, Measurement]:
    """The measurements at one scale by name; at laptop, one for each recorded run that kept its weights."""
    if scale == "smoke":
        specs = {name: spec for name, spec in digits.runs(scale).items() if name.endswith("/0")}
    elif scale in SIZES:
        kept = (record.spec for record in given.records("table1", scale))
        specs = {f"table1/{spec.optimizer}/{spec.seed}": spec for spec in kept if spec.keep_weights}
    else:
        return {}
    return {f"sharpness/{name.partition('/')[2]}": _measurement(scale, name, spec) for name, spec in specs.items()}


def _measurement(scale: str, name: str, spec: Spec) -> Measurement:
    # Its hash names the run whatever fields specs will have later; optimizer and seed are for the comparisons.
    run = {"experiment": spec.experiment, "hash": spec.hash, "optimizer": spec.optimizer, "seed": spec.seed}
    settings = {
        "seed": SEED,
        **SIZES[scale],
        "noise": {kind: list(sigmas) for kind, sigmas in NOISE.items()},
        "run": run,
    }
    return Measurement(experiment="sharpness", scale=scale, name=name.partition("/")[2], settings=settings)


def measure(spec: Measurement, folder: Path) -> dict[str, Any]:
    """The loss, the test error, and the measures of sharpness of one run's last weights.

    Returns:
        `loss` and `test_error` (percent) at the weights; `rises`, by kind of noise a list for each scale of it, with
        one rise a draw; `traces` by unit, one estimate a probe; `eigenvalues` by unit.

    Raises:
        RecordError: the run's data set is not here, or is not the one it was trained on.
    """
    settings = spec.settings
    landscape, test = _landscapes(settings, folder)
    units = {name: landscape.units(name) for name in ("plain", "filter", "element")}
    traces = landscape.traces(list(units.values()), settings["probes"], settings["seed"])
    return {
        "loss": landscape.loss(),
        "test_error": test,
        "rises": {
            kind: [_rises(landscape, kind, sigma, settings["draws"], settings["seed"]) for sigma in sigmas]
            for kind, sigmas in settings["noise"].items()
        },
        "traces": dict(zip(units, traces, strict=True)),
        "eigenvalues": {n: landscape.largest_eigenvalue(units[n], settings["seed"]) for n in ("plain", "filter")},
    }


def repeat(result: Result, folder: Path) -> Iterable[str]:
    """Measure the loss, and one draw of each kind of noise, again, and say where they differ."""
    settings, found = result.spec.settings, result.found
    landscape, _ = _landscapes(settings, folder)
    pairs = [("loss", found["loss"], landscape.loss())]
    for kind, sigmas in settings["noise"].items():
        (again,) = _rises(landscape, kind, sigmas[-1], 1, settings["seed"])
        pairs.append((f"first rise under {kind} noise of {sigmas[-1]}", found["rises"][kind][-1][0], again))
    for what, recorded, again in pairs:
        # Processors add in another order.
        if not math.isclose(recorded, again, rel_tol=1e-3, abs_tol=1e-6):
            yield f"{what} is recorded as {recorded}, measured again it is {again}"


def _rises(landscape: "Landscape", kind: str, sigma: float, draws: int, seed: int) -> list[float]:
    units = landscape.units("plain" if kind == "refitted" else kind)
    return landscape.rises(units, sigma, draws, seed, refitted=kind == "refitted")


def _landscapes(settings: dict[str, Any], folder: Path) -> tuple["Landscape", float]:
    """The loss landscape about a run's last weights, and its test error there in percent."""
    from adai.theory.sharpness import Landscape
    from adai.training import load_finished

    run = load_finished(digits.ended(settings["run"]["experiment"], settings["run"]["hash"], folder), folder)
    run.evaluate()
    count = settings["images"]
    inputs = run.data.normalised(run.data.train_inputs[:count])
    return Landscape(run.model, inputs, run.data.train_targets[:count]), run.curves["test_error"][0]


def summary(result: Result) -> str:
    """One line: the loss, and what is behind its rise."""
    trace, largest = fmean(result.found["traces"]["plain"]), result.found["eigenvalues"]["plain"]
    return (
        f"sharpness/{result.spec.name}  loss {result.found['loss']:.2g}, trace of the Hessian {trace:.3g}, "
        f"largest eigenvalue {largest:.3g}, {result.seconds:.0f} s"
    )


# ── comparisons ───────────────────────────────────────────────────────────────────────────────────────────────────


def value(result: Result, name: str) -> float:
    """One of `MEASURES` of one run."""
    if name == "trace":
        return fmean(result.found["traces"]["plain"])
    if name.endswith("eigenvalue"):
        return result.found["eigenvalues"]["filter" if name.startswith("filter") else "plain"]
    return fmean(result.found["rises"][name][len(NOISE[name]) // 2])


def by_seed(results: Iterable[Result], name: str) -> dict[str, dict[int, float]]:
    """A measure's values, by optimizer and seed."""
    found: dict[str, dict[int, float]] = {optimizer: {} for optimizer in table1.KEPT}
    for result in results:
        run = result.spec.settings["run"]
        found[run["optimizer"]][run["seed"]] = value(result, name)
    return found


def log_ratio(results: Iterable[Result], name: str, optimizer: str, other: str) -> Estimate | None:
    """The logarithm of one optimizer's measure over another's at the same seed; None where no seed has both."""
    found = by_seed(results, name)
    shared = sorted(found[optimizer].keys() & found[other].keys())
    return estimated(math.log(found[optimizer][seed] / found[other][seed]) for seed in shared)


class Sharpness(Table):
    """The measures by optimizer."""

    def __init__(self, results: Iterable[Result]) -> None:
        self.results = list(results)
        self.title = "sharpness of the last weights: geometric mean over seeds, lowest and highest"

    def cells(self) -> list[list[str]]:
        """One line for each measure; what nobody has measured yet is an empty cell."""
        lines = [["measure", *(images.LABELS[name] for name in table1.KEPT)]]
        for name, description in MEASURES.items():
            values = by_seed(self.results, name)
            lines.append([description, *(_range(values[optimizer].values()) for optimizer in table1.KEPT)])
        return lines


def _range(values: Iterable[float]) -> str:
    values = sorted(values)
    if not values:
        return ""
    middle = math.exp(fmean(map(math.log, values)))
    return f"{middle:.3g} ({values[0]:.3g} to {values[-1]:.3g})"


def table(results: Iterable[Result]) -> Sharpness:
    """The measures by optimizer."""
    return Sharpness(results)


def figure(results: Iterable[Result], axes: Sequence[Any]) -> None:
    """Draw the mean rise of the loss over the noise's scale, a line a run, as Figure 13 does for plain noise.

    Args:
        results: of one scale.
        axes: a matplotlib axis for each kind of noise.
    """
    labelled = set()
    for result in results:
        label = images.LABELS[result.spec.settings["run"]["optimizer"]]
        for axis, (kind, sigmas) in zip(axes, result.spec.settings["noise"].items(), strict=True):
            rises = [fmean(draws) for draws in result.found["rises"][kind]]
            axis.loglog(
                sigmas, rises, color=optimizer_colour(label), linewidth=1, label=None if label in labelled else label
            )
        labelled.add(label)
    for axis, (kind, sigmas) in zip(axes, NOISE.items(), strict=True):
        axis.set(title=kind, xlabel="noise scale")
        axis.set_xticks(sigmas[::2], [f"{sigma:g}" for sigma in sigmas[::2]])
        axis.set_xticks([], minor=True)
    axes[0].set_ylabel("rise of the training loss")
    if labelled:
        axes[0].legend()
