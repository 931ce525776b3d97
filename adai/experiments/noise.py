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
from typing import TYPE_CHECKING, Any

from adai import experiments, records
from adai.measurements import Measurement, Result

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from adai.training import Run


SEEDS = range(5)
WIDTH = 10
TRAINING = {"lr": 0.1, "momentum": 0.9, "batch": 100, "steps": 18_000}
"""SGD; the rate falls to a tenth at 40 % and 80 % of the steps, as in the paper's other experiments."""
LAST = TRAINING["steps"]
LOWEST, HIGHEST = 1e-4, 0.5
"""The elements of the Hessian that Figure 6 shows."""
BATCHES = (1, 4, 16, 64, 256)
TAILS = {"batches": list(BATCHES), "draws": 3000, "vectors": 1000, "vectors_fitted": 6}
RANKS = (0, 1, 3, 10, 30, 100)
"""Which Hessian eigenvectors noise is projected on, from the largest eigenvalue."""
RESNET_TAILS = {"batches": [16, 128], "draws": 600, "directions": 6, "elements": 4000, "vectors_fitted": 6}


def runs(scale: str) -> dict[str, Measurement]:
    """The measurements at one scale by name; none at `colab`."""
    if scale == "colab":
        return {}
    if scale == "smoke":
        short = {"steps": 20}, {"draws": 40, "vectors": 20, "vectors_fitted": 1, "batches": [1, 16]}
        (run,) = (spec for name, spec in experiments.runs("digits", scale).items() if name == "digits/sgd/0")
        few = {"batches": [4], "draws": 12, "directions": 1, "elements": 100, "vectors_fitted": 1}
        parts = {"seed-0": _settings(0, [0, 20], dataset="digits", training=short[0], tails=short[1])}
        parts |= {"run-0": _of_run(run, few)}
    elif scale == "paper":
        parts = {"seed-0": _settings(0, [0, LAST], size=28, tails={})}
    else:
        parts = {f"seed-{s}": _settings(s, [0, 30, 300, 3000, LAST] if s == 0 else [0, LAST]) for s in SEEDS}
        parts |= {f"memorised-{s}": _settings(s, [300, 3000], images=1000) for s in SEEDS}
        parts |= {f"random-labels-{s}": _settings(s, [LAST], flipped=0.3) for s in SEEDS[:2]}
        kept = (record.spec for record in records.load("table1", scale=scale))
        kept = [spec for spec in kept if spec.keep_weights and spec.optimizer == "sgd"]
        parts |= {f"resnet-{spec.seed}": _of_run(spec, RESNET_TAILS) for spec in kept}
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
    tails: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """One network: how it is trained, at which steps it is measured, and on what.

    With `images` only so many; with `flipped` that share of the labels is drawn at random. Tails are measured at the
    first and the last state of a network that has all images and true labels.
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
        "tails": (TAILS if tails is None else TAILS | tails if tails else None) if plain else None,
    }


def _of_run(spec: Any, tails: dict[str, Any]) -> dict[str, Any]:
    """A recorded run, by its experiment and its hash."""
    return {"seed": spec.seed, "run": [spec.experiment, spec.hash], "tails": tails}


def measure(spec: Measurement) -> dict[str, Any]:
    """What was found: the data's label and checksum, and one entry for each state, as `_state` makes it.

    For a recorded run there are two states, its random weights and its last, with their tails only.
    """
    import torch

    torch.set_num_threads(1)
    settings, found = spec.settings, []
    if "run" in settings:
        runs = list(_run_states(settings))
        data = {"label": runs[0].data.label, "checksum": runs[0].data.checksum}
        return {"data": data, "states": [_run_tails(settings, run) for run in runs]}
    data, inputs, targets = _data(settings)
    for step, model in _trained(settings, inputs, targets):
        state, eigenvectors = _state(step, model, inputs, targets)
        if settings["tails"] and step in (settings["states"][0], settings["states"][-1]):
            state["tails"] = _tails(settings, model, inputs, targets, eigenvectors)
        found.append(state)
    return {"data": data, "states": found}


def repeat(result: Result) -> Iterable[str]:
    """Train to the first states again, as far as 300 steps, and say where they differ.

    Loss and second moment of the gradients are computed anew, and by Lanczos the Hessian's largest eigenvalue. Of a
    recorded run the norms of the first minibatches' gradients are.
    """
    settings = result.spec.settings
    if "run" in settings:
        yield from _repeat_run(result)
        return
    data, inputs, targets = _data(settings)
    if data != result.found["data"]:
        yield f"its data are {result.found['data']}, here they are {data}"
    recorded = {state["step"]: state for state in result.found["states"] if state["step"] <= 300}
    for step, model in _trained(settings | {"states": sorted(recorded)}, inputs, targets) if recorded else ():
        state = recorded[step]
        kept = {"loss": state["loss"], "fisher": state["traces"]["fisher"], "largest": max(state["hessian"])}
        for name, value in _quick(model, inputs, targets).items():
            if not abs(value - kept[name]) <= 1e-3 * abs(value):
                yield f"step {step}: {name} is {kept[name]}, a rerun gives {value:.6g}"


def summary(result: Result) -> str:
    """One line: how near noise and curvature are at the last state."""
    last = result.found["states"][-1]
    if "gram" not in last:
        return f"noise/{result.spec.name}  {len(result.found['states'])} states, {result.seconds:.1f} s"
    return (
        f"noise/{result.spec.name}  loss {last['loss']:.4f}, cosine of C and H {cosine(last):.3f}, "
        f"BC = {factor(last):.3f} H, {result.seconds:.1f} s"
    )


def _data(settings: dict[str, Any]) -> tuple[dict[str, str], "Tensor", "Tensor"]:
    """Label and checksum, inputs as rows, and labels, of which a share may be drawn at random."""
    import torch

    from adai.data import load

    data = load(settings["dataset"], seed=settings["seed"], **settings["options"])
    inputs, targets = data.normalised(data.train_inputs).flatten(1), data.train_targets
    if settings["flipped"]:
        draw = torch.Generator().manual_seed(settings["seed"])
        drawn = torch.rand(len(targets), generator=draw) < settings["flipped"]
        targets = torch.where(drawn, torch.randint(10, targets.shape, generator=draw), targets)
    return {"label": data.label, "checksum": data.checksum}, inputs, targets


def _trained(settings: dict[str, Any], inputs: "Tensor", targets: "Tensor") -> Iterator[tuple[int, "nn.Sequential"]]:
    """The network at each of the states; training goes on from one to the next."""
    import torch
    from torch.nn import functional as F

    from adai.models import MLP

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
            batches = iter(torch.randperm(len(targets), generator=draw).split(how["batch"]))
            batch = next(batches)
        optimizer.zero_grad()
        F.cross_entropy(model(inputs[batch]), targets[batch]).backward()
        optimizer.step()
        schedule.step()


MATRICES = ("covariance", "fisher", "gauss_newton", "hessian", "absolute")
"""Covariance and second moment of one example's gradient, G, H, and [H]^+ of Equation (3)."""


def _state(step: int, model: "nn.Sequential", inputs: "Tensor", targets: "Tensor") -> tuple[dict[str, Any], "Tensor"]:
    """Everything about curvature and covariance at one state, and the Hessian's eigenvectors, largest first.

    Matrices are known by `gram`, the Frobenius products of `MATRICES`, and by the diagonals of H, covariance and G in
    the eigenbasis of H, where the eigenvalue is 1e-4 or larger in size.
    """
    import torch

    from adai.theory.noise import moments

    found = moments(model, inputs, targets)
    values, vectors = (part.flip(-1) for part in torch.linalg.eigh(found.hessian))
    absolute = (vectors * values.abs()) @ vectors.T
    matrices = [*(getattr(found, name) for name in MATRICES[:-1]), absolute]
    diagonal = {name: ((m @ vectors) * vectors).sum(0) for name, m in zip(MATRICES[:3], matrices, strict=False)}
    shown = values.abs() >= LOWEST
    wrong = torch.cat([model(part).argmax(1) for part in inputs.split(5000)]) != targets
    state = {
        "step": step,
        "loss": found.loss,
        "error": 100 * wrong.double().mean().item(),
        "brier": found.brier,
        "gradient": found.gradient.square().sum().item(),
        "traces": {name: m.trace().item() for name, m in zip(MATRICES, matrices, strict=True)},
        "gram": [[(a * b).sum().item() for b in matrices] for a in matrices],
        "hessian": _short(values[shown]),
        "covariance": _short(diagonal["covariance"][shown]),
        "gauss_newton": _short(diagonal["gauss_newton"][shown]),
    }
    return state, vectors


def _short(values: Iterable[Any]) -> list[float]:
    return [float(f"{float(value):.4g}") for value in values]


def _quick(model: "nn.Sequential", inputs: "Tensor", targets: "Tensor") -> dict[str, float]:
    """What can be computed at one state without its matrices."""
    import torch
    from scipy.sparse.linalg import LinearOperator, eigsh
    from torch.func import functional_call, grad, jvp
    from torch.nn import functional as F

    from adai.theory.noise import CHUNK, sample_gradients

    parameters = {name: value.detach() for name, value in model.named_parameters()}
    sizes = [value.numel() for value in parameters.values()]

    def loss(parameters: dict[str, "Tensor"]) -> "Tensor":
        return F.cross_entropy(functional_call(model, parameters, inputs), targets)

    def times_hessian(vector: "np.ndarray") -> "np.ndarray":
        parts = torch.from_numpy(vector).float().flatten().split(sizes)
        tangent = {name: part.view_as(parameters[name]) for name, part in zip(parameters, parts, strict=True)}
        along = jvp(grad(loss), (parameters,), (tangent,))[1]
        return torch.cat([along[name].flatten() for name in parameters]).numpy()

    pairs = zip(inputs.split(CHUNK), targets.split(CHUNK), strict=True)
    squares = sum(sample_gradients(model, x, y).double().square().sum().item() for x, y in pairs)
    n = sum(sizes)
    start = torch.ones(n).numpy()
    largest = eigsh(LinearOperator((n, n), matvec=times_hessian, dtype="f4"), 1, which="LA", v0=start, tol=1e-4)[0]
    return {"loss": loss(parameters).item(), "fisher": squares / len(targets), "largest": float(largest[0])}


# ── which law the noise has ───────────────────────────────────────────────────────────────────────────────────────


def _tails(
    settings: dict[str, Any], model: "nn.Sequential", inputs: "Tensor", targets: "Tensor", eigenvectors: "Tensor"
) -> dict[str, Any]:
    """Minibatches drawn with replacement: their noise along fixed directions, across parameters, and its norm.

    `gaussian` is the same for Gaussian vectors that have exactly the covariance of the noise: sums of all examples'
    gradients with weights drawn from a normal distribution.
    """
    import torch

    from adai.theory.noise import CHUNK, sample_gradients
    from adai.theory.stable import excess_kurtosis

    how = settings["tails"]
    draw = torch.Generator().manual_seed(settings["seed"])
    pairs = zip(inputs.split(CHUNK), targets.split(CHUNK), strict=True)
    noise = torch.cat([sample_gradients(model, x, y) for x, y in pairs])
    noise -= noise.mean(0)
    alive = (noise.square().sum(0) > 0).nonzero().flatten()
    directions = _directions(eigenvectors, alive, draw)
    along = (noise @ directions.float()).double()
    single = {"variance": _short(along.square().mean(0)), "kurtosis": _short(excess_kurtosis(along.numpy()))}
    weights = torch.randn(how["vectors"], len(noise), generator=draw)
    gaussian = _vectors((weights @ noise / len(noise) ** 0.5)[:, alive].numpy(), how["vectors_fitted"])
    over: dict[str, Any] = {}
    for batch in how["batches"]:
        batches = torch.randint(len(noise), (how["draws"], batch), generator=draw)
        draws = along[batches].mean(1).numpy()
        few = batches[: how["vectors"]]
        vectors = torch.stack([noise[members].mean(0)[alive] for members in few]) * batch**0.5
        over[str(batch)] = {
            **_laws(draws, batch),
            "vectors": _vectors(vectors.numpy(), how["vectors_fitted"]),
        }
    return {"alive": len(alive), "single": single, "gaussian": gaussian, "batches": over}


def _laws(draws: "np.ndarray", batch: int) -> dict[str, list[float]]:
    """Of minibatches' noise along directions, shape (draws, directions): variance times B, kurtosis, and which law."""
    from adai.theory.stable import compare, excess_kurtosis

    found = [compare(column) for column in draws.T]
    return {
        "variance": _short(draws.var(0) * batch),
        "kurtosis": _short(excess_kurtosis(draws)),
        **{name: _short(getattr(each, name) for each in found) for name in ("alpha", "advantage", "error")},
    }


KINDS = ("eigenvector", "weight", "random")
"""Directions come in these kinds, `len(RANKS)` of each."""


def _directions(eigenvectors: "Tensor", alive: "Tensor", draw: Any) -> "Tensor":
    """Hessian eigenvectors, single weights that ever have a gradient, and random directions, as columns."""
    import torch

    count, n = len(RANKS), len(eigenvectors)
    single = alive[torch.randperm(len(alive), generator=draw)[:count]]
    weights = torch.eye(n, dtype=torch.float64)[:, single]
    anywhere = torch.randn(n, count, generator=draw, dtype=torch.float64)
    return torch.cat([eigenvectors[:, list(RANKS)], weights, anywhere / anywhere.norm(dim=0)], dim=1)


def _vectors(vectors: "np.ndarray", fitted: int, elements: Any = slice(None)) -> dict[str, Any]:
    """Of noise times root B: quantiles of the norm over vectors; and the first vectors' elements as if they were draws.

    Only these `elements`, by default all. Quantiles of an element's size are the first vector's, over the root of the
    mean square.
    """
    import numpy as np

    from adai.theory.stable import compare, excess_kurtosis

    norms, at = np.linalg.norm(vectors, axis=1), np.linspace(0, 1, 41)
    vectors = vectors[:, elements]
    found = [compare(np.random.default_rng(0).permutation(vector)) for vector in vectors[:fitted]]
    first = np.abs(vectors[0])
    return {
        "norms": _short(np.quantile(norms, at)),
        "norm_kurtosis": float(f"{excess_kurtosis(norms):.4g}"),
        "elements": _short(np.quantile(first / np.sqrt(np.mean(first**2)), at)),
        "kurtosis": _short(excess_kurtosis(vectors[:fitted], axis=1)),
        **{name: _short(getattr(each, name) for each in found) for name in ("alpha", "advantage")},
    }


FIRST = 3
"""How many minibatches of each size a check repeats on a recorded run."""


def _run_states(settings: dict[str, Any]) -> Iterator["Run"]:
    """The recorded run before its first step, and after its last."""
    from adai.training import Run, load_finished

    experiment, name = settings["run"]
    spec = experiments.known(experiment)[name]
    yield Run(spec)
    yield load_finished(spec, records.default_folder())


def _minibatch_gradients(settings: dict[str, Any], run: "Run", batch: int, first: int | None = None) -> "Tensor":
    """One row for each minibatch drawn, or for the first of them; in training mode."""
    import torch
    from torch.nn import functional as F

    draw = torch.Generator().manual_seed(settings["seed"])
    data, found = run.data, []
    batches = torch.randint(len(data.train_targets), (settings["tails"]["draws"], batch), generator=draw)
    run.model.train()
    for members in batches[:first]:
        loss = F.cross_entropy(run.model(data.normalised(data.train_inputs[members])), data.train_targets[members])
        parts = torch.autograd.grad(loss, list(run.model.parameters()))
        found.append(torch.cat([part.flatten() for part in parts]))
    return torch.stack(found)


def _run_tails(settings: dict[str, Any], run: "Run") -> dict[str, Any]:
    """As `_tails`, about the mean of the minibatches drawn; Gaussian vectors have the covariance of those drawn.

    `norms` are those of the first gradients, for a check.
    """
    import torch

    how = settings["tails"]
    draw = torch.Generator().manual_seed(settings["seed"])
    n, count = sum(value.numel() for value in run.model.parameters()), how["directions"]
    single, elements = (torch.randperm(n, generator=draw)[: how[name]] for name in ("directions", "elements"))
    anywhere = torch.randn(n, count, generator=draw) / n**0.5
    norms, found = {}, {}
    for batch in how["batches"]:
        noise = _minibatch_gradients(settings, run, batch)
        norms[str(batch)] = noise[:FIRST].norm(dim=1).tolist()
        noise = (noise - noise.mean(0)) * batch**0.5
        along = torch.cat([noise[:, single], noise @ anywhere], dim=1).double().numpy()
        gaussian = torch.randn(len(noise), len(noise), generator=draw) @ noise / len(noise) ** 0.5
        vectors, like = (_vectors(v.numpy(), how["vectors_fitted"], elements.numpy()) for v in (noise, gaussian))
        found[str(batch)] = {**_laws(along, 1), "vectors": vectors, "gaussian": like}
    return {"norms": norms, "parameters": n, "tails": {"batches": found}}


def _repeat_run(result: Result) -> Iterator[str]:
    settings = result.spec.settings
    for name, kept, run in zip(("first", "last"), result.found["states"], _run_states(settings), strict=True):
        for batch, norms in kept["norms"].items():
            again = _minibatch_gradients(settings, run, int(batch), FIRST).norm(dim=1).tolist()
            if not all(abs(a - b) <= 1e-3 * b for a, b in zip(norms, again, strict=True)):
                yield f"{name} weights, B = {batch}: the first gradients' norms are {norms}, a rerun gives {again}"


# ── estimates ─────────────────────────────────────────────────────────────────────────────────────────────────────


def state(result: Result, which: int) -> dict[str, Any]:
    """A state of a result by its place: 0 the first, -1 the last."""
    return result.found["states"][which]


def product(found: dict[str, Any], a: str, b: str) -> float:
    """Frobenius product of two of `MATRICES` at a state."""
    return found["gram"][MATRICES.index(a)][MATRICES.index(b)]


def cosine(found: dict[str, Any], a: str = "covariance", b: str = "hessian") -> float:
    """Cosine of the angle between two matrices: 1 where they are proportional."""
    return product(found, a, b) / (product(found, a, a) * product(found, b, b)) ** 0.5


def factor(found: dict[str, Any], a: str = "covariance", b: str = "hessian") -> float:
    """The number k for which k b is nearest to a, in Frobenius norm."""
    return product(found, a, b) / product(found, b, b)


def distance(found: dict[str, Any], a: str = "covariance", b: str = "hessian", k: float = 1.0) -> float:
    """Frobenius norm of a - k b, over that of k b."""
    squared = product(found, a, a) - 2 * k * product(found, a, b) + k**2 * product(found, b, b)
    return max(squared, 0.0) ** 0.5 / (k * product(found, b, b) ** 0.5)


def shown(found: dict[str, Any], sign: int = 1) -> tuple["np.ndarray", "np.ndarray"]:
    """Diagonal elements of H and B C in the eigenbasis of H: those that Figure 6 shows, or with sign -1 as negative."""
    import numpy as np

    H, C = np.array(found["hessian"]), np.array(found["covariance"])
    chosen = (sign * H >= LOWEST) & (sign * H <= HIGHEST)
    return H[chosen], C[chosen]


def slope(found: dict[str, Any]) -> float:
    """Of log C on log H by least squares, over the elements that Figure 6 shows."""
    import numpy as np

    H, C = shown(found)
    return float(np.polyfit(np.log(H), np.log(C), 1)[0])


def through_origin(found: dict[str, Any]) -> float:
    """The k of B C = k H by least squares, over the elements that Figure 6 shows."""
    H, C = shown(found)
    return float(H @ C / (H @ H))


def negative_share(found: dict[str, Any]) -> float:
    """The share of the negative eigenvalues in the sum of all sizes of eigenvalues."""
    traces = found["traces"]
    return (traces["absolute"] - traces["hessian"]) / 2 / traces["absolute"]
