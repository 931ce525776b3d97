"""Gradient noise: Figure 6 (noise against curvature) and Figure 7 (which law the noise has).

Most of it is on a small MLP and MNIST, where everything is exact.

The network has three layers, as in the paper; the paper names no widths. At `laptop` scale MNIST's 60,000 training
images are 14 × 14 pixels and the hidden layers have ten units: 2,190 parameters, so that Hessian and covariance are
exact. At `paper` scale the images are the published ones, and the matrices have 8,070 rows. No test image is looked at.

Seeds 0 to 4 are for results. Rate, steps and the states that are measured were fixed with seed 100, for which only the
training loss was looked at. Predictions, written before the first measured run (C is the covariance of a minibatch's
noise, B its examples, H the Hessian, F the second moment of the gradients at the labels, G the same at labels that the
model draws, r the Brier score over what the model expects of it):

1. C = (F - gradient²) / B exactly, so 1/B is no finding. At all states F is near r G, within 30 % in Frobenius norm.
2. At random weights r = 1 and F is near G, but H is not: it has negative eigenvalues, more than a tenth of its trace
   norm, and the norm of BC - H is more than half of that of H. Among the elements that Figure 6 shows, selected by H,
   the log-log slope of C on H is below 1, and C is above H/B where H is small.
3. After training BC = k H with k between 0.5 and 1, at a cosine above 0.9.
4. Memorised labels: k is near r, far below 1. Random labels that cannot be memorised: k is near 1 although the loss is
   large, so it is calibration that counts and not a small loss.
5. Excess kurtosis over minibatches is that of one example over B. At B = 1 the stable law wins, at B = 256 the Gaussian
   or neither; alpha rises with B, as for no stable law. Trained weights need larger B than random ones.
6. Across parameters the stable law wins at every B. It wins as clearly for a Gaussian vector of the same covariance,
   and at B = 256 the two alphas differ by less than 0.1.

Figure 7 again on the network and the data of `table1`, from the weights that its runs with SGD kept. Because of batch
normalisation a minibatch's gradient is no mean of its examples' gradients, so minibatches are drawn and nothing is
exact. Added after the first results of the above, again with the prediction written first:

7. Across parameters the stable law wins, at B = 16 and 128, at random weights and after training, and by more than over
   minibatches. Over minibatches it wins after training at B = 16, and nobody wins at random weights.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adai.experiments import curvature, digits, tails
from adai.experiments.base import NOTHING, Inputs
from adai.records import Measurement, Result, Spec

if TYPE_CHECKING:
    from torch import Tensor, nn

    from adai.training import Run


SEEDS = range(5)
WIDTH = 10
LAST_STEP = 18_000
TRAINING = {"lr": 0.1, "momentum": 0.9, "batch": 100, "steps": LAST_STEP}
"""SGD; the rate falls to a tenth at 40 % and 80 % of the steps, as in the paper's other experiments."""
BATCHES = (1, 4, 16, 64, 256)
TAILS = {"batches": list(BATCHES), "draws": 3000, "vectors": 1000, "vectors_fitted": 6}
RESNET_TAILS = {"batches": [16, 128], "draws": 600, "directions": 6, "elements": 4000, "vectors_fitted": 6}


def runs(scale: str, given: Inputs = NOTHING) -> dict[str, Measurement]:
    """Return the measurements at one scale by name; none at `colab`."""
    if scale == "colab":
        return {}
    if scale == "smoke":
        few = {"draws": 40, "vectors": 20, "vectors_fitted": 1, "batches": [1, 16]}
        parts = {"seed-0": _settings(0, [0, 20], dataset="digits", training={"steps": 20}, how=few)}
        fewer = {"batches": [4], "draws": 12, "directions": 1, "elements": 100, "vectors_fitted": 1}
        parts |= {"run-0": _settings_of_run(digits.runs(scale)["digits/sgd/0"], fewer)}
    elif scale == "paper":
        parts = {"seed-0": _settings(0, [0, LAST_STEP], size=28, how={})}
    else:
        parts = {f"seed-{s}": _settings(s, [0, 30, 300, 3000, LAST_STEP] if s == 0 else [0, LAST_STEP]) for s in SEEDS}
        parts |= {f"memorised-{s}": _settings(s, [300, 3000], images=1000) for s in SEEDS}
        parts |= {f"random-labels-{s}": _settings(s, [LAST_STEP], flipped=0.3) for s in SEEDS[:2]}
        recorded = (record.spec for record in given.records("table1", scale))
        kept = [spec for spec in recorded if spec.keep_weights and spec.optimizer == "sgd"]
        parts |= {f"resnet-{spec.seed}": _settings_of_run(spec, RESNET_TAILS) for spec in kept}
    return {
        f"noise/{name}": Measurement(experiment="noise", scale=scale, name=name, settings=settings)
        for name, settings in parts.items()
    }


def _settings(
    seed: int,
    states: list[int],
    *,
    dataset: str = "mnist",
    size: int = 14,
    images: int | None = None,
    flipped: float = 0.0,
    training: dict[str, Any] | None = None,
    how: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the settings of a measurement that trains a network of its own.

    Args:
        seed: of weights, batches, and labels drawn at random.
        states: the steps at which it is measured.
        dataset: `mnist` or `digits`.
        size: side of MNIST's images in pixels.
        images: number of MNIST's training images, by default all.
        flipped: share of the labels that is drawn at random.
        training: changes of `TRAINING`.
        how: changes of `TAILS`; if empty, no tails are measured. They are measured at the first and the last state of a
            network that has all images and true labels.
    """
    plain = images is None and not flipped
    options = {} if dataset == "digits" else {"size": size, "limit": images}
    return {
        "seed": seed,
        "dataset": dataset,
        "options": options,
        "width": WIDTH,
        "flipped": flipped,
        "training": TRAINING | (training or {}),
        "states": states,
        "tails": (TAILS if how is None else TAILS | how if how else None) if plain else None,
    }


def _settings_of_run(spec: Spec, how: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a measurement of a recorded run, which is named by its experiment and hash."""
    return {"seed": spec.seed, "run": [spec.experiment, spec.hash], "tails": how}


def measure(spec: Measurement, folder: Path) -> dict[str, Any]:
    """Return what was found in a network that is trained for it, or in a recorded run.

    Args:
        spec: what to measure.
        folder: the records folder, for recorded runs.

    Returns:
        `data`, their label and checksum, and `states`: a `curvature.State` each, with `tails` where they are measured
        (`tails.measure_exact_noise`). Of a recorded run the states are its random weights and its last weights, and
        each is a `tails.measure_minibatch_noise`.

    Raises:
        RecordError: the recorded run has no record in the folder, or its data set is not the one it was trained on.
    """
    import torch

    torch.set_num_threads(1)
    settings = spec.settings
    found: list[dict[str, Any]] = []
    if "run" in settings:
        runs = list(_run_states(settings, folder))
        data = {"label": runs[0].data.label, "checksum": runs[0].data.checksum}
        return {"data": data, "states": [tails.measure_minibatch_noise(settings, run) for run in runs]}
    data, inputs, targets = _load_data(settings)
    for step, model in _train(settings, inputs, targets):
        state, eigenvectors = curvature.measure_state(step, model, inputs, targets)
        found.append({**state})
        if settings["tails"] and step in (settings["states"][0], settings["states"][-1]):
            found[-1]["tails"] = tails.measure_exact_noise(settings, model, inputs, targets, eigenvectors)
    return {"data": data, "states": found}


def repeat(result: Result, folder: Path) -> Iterable[str]:
    """Repeat a part of a measurement, and yield a sentence for each number that differs.

    The network is trained to its first states again, as far as 300 steps, and the numbers of
    `curvature.measure_without_matrices` are compared; of a recorded run, the norms of the first minibatches' gradients.

    Args:
        result: what was found.
        folder: the records folder, for recorded runs.
    """
    settings = result.spec.settings
    if "run" in settings:
        yield from _repeat_run(result, folder)
        return
    data, inputs, targets = _load_data(settings)
    if data != result.found["data"]:
        yield f"its data are {result.found['data']}, here they are {data}"
    recorded = {state["step"]: state for state in result.found["states"] if state["step"] <= 300}
    for step, model in _train(settings | {"states": sorted(recorded)}, inputs, targets) if recorded else ():
        state = recorded[step]
        kept = {"loss": state["loss"], "fisher": state["traces"]["fisher"], "largest": max(state["hessian"])}
        for name, value in curvature.measure_without_matrices(model, inputs, targets).items():
            if not abs(value - kept[name]) <= 1e-3 * abs(value):
                yield f"step {step}: {name} is {kept[name]}, a rerun gives {value:.6g}"


def summary(result: Result) -> str:
    """Return one line: how near noise and curvature are at the last state, and how long it took."""
    last = result.found["states"][-1]
    if "gram" not in last:
        return f"noise/{result.spec.name}  {len(result.found['states'])} states, {result.seconds:.1f} s"
    return (
        f"noise/{result.spec.name}  loss {last['loss']:.4f}, cosine of C and H {curvature.cosine(last):.3f}, "
        f"BC = {curvature.factor(last):.3f} H, {result.seconds:.1f} s"
    )


def _load_data(settings: dict[str, Any]) -> tuple[dict[str, str], "Tensor", "Tensor"]:
    """Return label and checksum, inputs as rows, and targets, of which a share may be drawn at random."""
    import torch

    from adai.data import load

    data = load(settings["dataset"], seed=settings["seed"], **settings["options"])
    assert isinstance(data.train_inputs, torch.Tensor)  # both data sets are read into memory
    inputs, targets = data.normalised(data.train_inputs).flatten(1), data.train_targets
    if settings["flipped"]:
        draw = torch.Generator().manual_seed(settings["seed"])
        drawn = torch.rand(len(targets), generator=draw) < settings["flipped"]
        targets = torch.where(drawn, torch.randint(10, targets.shape, generator=draw), targets)
    return {"label": data.label, "checksum": data.checksum}, inputs, targets


def _train(settings: dict[str, Any], inputs: "Tensor", targets: "Tensor") -> Iterator[tuple[int, "nn.Sequential"]]:
    """Yield the steps and the network of each state; training goes on when the next one is asked for."""
    import torch
    from torch.nn import functional as F

    from adai.models.mlp import MLP

    how = settings["training"]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings["seed"])
        model = MLP(inputs=inputs.shape[1], width=settings["width"])
    draw = torch.Generator().manual_seed(settings["seed"])
    optimizer = torch.optim.SGD(model.parameters(), lr=how["lr"], momentum=how["momentum"])
    milestones = [int(0.4 * how["steps"]), int(0.8 * how["steps"])]
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones)
    batches: Iterator[Tensor] = iter(())
    for step in range(settings["states"][-1] + 1):
        if step in settings["states"]:
            yield step, model
        if (batch := next(batches, None)) is None:
            batches = iter(torch.split(torch.randperm(len(targets), generator=draw), how["batch"]))
            batch = next(batches)
        optimizer.zero_grad()
        F.cross_entropy(model(inputs[batch]), targets[batch]).backward()  # type: ignore[no-untyped-call]  # torch's
        optimizer.step()
        schedule.step()


def _run_states(settings: dict[str, Any], folder: Path) -> Iterator["Run"]:
    """Yield the recorded run before its first step, and after its last."""
    from adai.training import Run, load_finished

    experiment, name = settings["run"]
    spec = digits.spec_by_hash(experiment, name, folder)
    yield Run(spec)
    yield load_finished(spec, folder)


def _repeat_run(result: Result, folder: Path) -> Iterator[str]:
    settings = result.spec.settings
    for name, kept, run in zip(("first", "last"), result.found["states"], _run_states(settings, folder), strict=True):
        for batch, norms in kept["norms"].items():
            again = tails.minibatch_gradients(settings, run, int(batch), tails.REPEATED).norm(dim=1).tolist()
            if not all(abs(a - b) <= 1e-3 * b for a, b in zip(norms, again, strict=True)):
                yield f"{name} weights, B = {batch}: the first gradients' norms are {norms}, a rerun gives {again}"
