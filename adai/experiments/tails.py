"""Which law gradient noise has, over minibatches and across parameters: Figure 7, at one state of a network."""

from typing import TYPE_CHECKING, Any

from adai.experiments.curvature import short

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from adai.training import Run

RANKS = (0, 1, 3, 10, 30, 100)
"""Which Hessian eigenvectors noise is projected on, from the largest eigenvalue."""


def exact(
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
    single = {"variance": short(along.square().mean(0)), "kurtosis": short(excess_kurtosis(along.numpy()))}
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
        "variance": short(draws.var(0) * batch),
        "kurtosis": short(excess_kurtosis(draws)),
        **{name: short(getattr(each, name) for each in found) for name in ("alpha", "advantage", "error")},
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
        "norms": short(np.quantile(norms, at)),
        "norm_kurtosis": float(f"{excess_kurtosis(norms):.4g}"),
        "elements": short(np.quantile(first / np.sqrt(np.mean(first**2)), at)),
        "kurtosis": short(excess_kurtosis(vectors[:fitted], axis=1)),
        **{name: short(getattr(each, name) for each in found) for name in ("alpha", "advantage")},
    }


FIRST = 3
"""How many minibatches of each size a check repeats on a recorded run."""


def minibatch_gradients(settings: dict[str, Any], run: "Run", batch: int, first: int | None = None) -> "Tensor":
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


def of_run(settings: dict[str, Any], run: "Run") -> dict[str, Any]:
    """As `exact`, about the mean of the minibatches drawn; Gaussian vectors have the covariance of those drawn.

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
        noise = minibatch_gradients(settings, run, batch)
        norms[str(batch)] = noise[:FIRST].norm(dim=1).tolist()
        noise = (noise - noise.mean(0)) * batch**0.5
        along = torch.cat([noise[:, single], noise @ anywhere], dim=1).double().numpy()
        gaussian = torch.randn(len(noise), len(noise), generator=draw) @ noise / len(noise) ** 0.5
        vectors, like = (_vectors(v.numpy(), how["vectors_fitted"], elements.numpy()) for v in (noise, gaussian))
        found[str(batch)] = {**_laws(along, 1), "vectors": vectors, "gaussian": like}
    return {"norms": norms, "parameters": n, "tails": {"batches": found}}
