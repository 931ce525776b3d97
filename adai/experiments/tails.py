"""Which law gradient noise has, over minibatches and across parameters: Figure 7, at one state of a network."""

from typing import TYPE_CHECKING, Any

from adai.experiments.curvature import round_to_4_digits

if TYPE_CHECKING:
    import numpy as np
    from torch import Generator, Tensor, nn

    from adai.training import Run

RANKS = (0, 1, 3, 10, 30, 100)
"""The ranks of the Hessian eigenvectors that noise is projected on, 0 for the largest eigenvalue."""


def measure_exact_noise(
    settings: dict[str, Any], model: "nn.Sequential", inputs: "Tensor", targets: "Tensor", eigenvectors: "Tensor"
) -> dict[str, Any]:
    """Return which law the noise of minibatches has, along fixed directions and across parameters.

    Minibatches are drawn with replacement, and their noise is computed from the gradient of every example.

    Args:
        settings: of the measurement.
        model, inputs, targets: as `curvature.measure_state`.
        eigenvectors: of the Hessian, as columns.

    Returns:
        `alive`, the number of weights that ever have a gradient; `single`, variance and kurtosis of the noise of one
        example along each direction; `batches`, by batch size the laws along directions and of `vectors`; and
        `gaussian`, as `vectors` for Gaussian vectors that have exactly the covariance of the noise (sums of all
        examples' gradients with weights drawn from a normal distribution).
    """
    import torch

    from adai.theory.noise import CHUNK, sample_gradients
    from adai.theory.stable import excess_kurtosis

    how = settings["tails"]
    draw = torch.Generator().manual_seed(settings["seed"])
    pairs = zip(torch.split(inputs, CHUNK), torch.split(targets, CHUNK), strict=True)
    noise = torch.cat([sample_gradients(model, x, y) for x, y in pairs])
    noise -= noise.mean(0)
    alive = (noise.square().sum(0) > 0).nonzero().flatten()
    directions = _directions(eigenvectors, alive, draw)
    along = (noise @ directions.float()).double()
    single = {
        "variance": round_to_4_digits(along.square().mean(0)),
        "kurtosis": round_to_4_digits(excess_kurtosis(along.numpy())),
    }
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
    """Return for each direction the variance times B, the kurtosis, and the law of draws, shape (draws, directions)."""
    from adai.theory.stable import compare, excess_kurtosis

    found = [compare(column) for column in draws.T]
    return {
        "variance": round_to_4_digits(draws.var(0) * batch),
        "kurtosis": round_to_4_digits(excess_kurtosis(draws)),
        **{name: round_to_4_digits(getattr(each, name) for each in found) for name in ("alpha", "advantage", "error")},
    }


def _directions(eigenvectors: "Tensor", alive: "Tensor", draw: "Generator") -> "Tensor":
    """Return directions as columns: eigenvectors, single weights out of `alive`, and random ones, as many of each."""
    import torch

    count, n = len(RANKS), len(eigenvectors)
    single = alive[torch.randperm(len(alive), generator=draw)[:count]]
    weights = torch.eye(n, dtype=torch.float64)[:, single]
    anywhere = torch.randn(n, count, generator=draw, dtype=torch.float64)
    return torch.cat([eigenvectors[:, list(RANKS)], weights, anywhere / anywhere.norm(dim=0)], dim=1)


def _vectors(vectors: "np.ndarray", fitted: int, elements: Any = slice(None)) -> dict[str, Any]:
    """Return quantiles of the norms of vectors, and the law of the first vectors' elements as if they were draws.

    Args:
        vectors: noise times root B, one a row.
        fitted: how many vectors' elements are looked at.
        elements: which elements, by default all.

    Returns:
        `norms` has 41 quantiles, and so has `elements`: of the size of the first vector's elements, over the root of
        their mean square.
    """
    import numpy as np

    from adai.theory.stable import compare, excess_kurtosis

    norms, at = np.linalg.norm(vectors, axis=1), np.linspace(0, 1, 41)
    vectors = vectors[:, elements]
    found = [compare(np.random.default_rng(0).permutation(vector)) for vector in vectors[:fitted]]
    first = np.abs(vectors[0])
    return {
        "norms": round_to_4_digits(np.quantile(norms, at)),
        "norm_kurtosis": float(f"{excess_kurtosis(norms):.4g}"),
        "elements": round_to_4_digits(np.quantile(first / np.sqrt(np.mean(first**2)), at)),
        "kurtosis": round_to_4_digits(excess_kurtosis(vectors[:fitted], axis=1)),
        **{name: round_to_4_digits(getattr(each, name) for each in found) for name in ("alpha", "advantage")},
    }


REPEATED = 3
"""Number of minibatches of each size that a check repeats on a recorded run."""


def minibatch_gradients(settings: dict[str, Any], run: "Run", batch: int, first: int | None = None) -> "Tensor":
    """Return the gradient on each minibatch drawn, or on the `first` of them, one a row; the model trains meanwhile."""
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


def measure_minibatch_noise(settings: dict[str, Any], run: "Run") -> dict[str, Any]:
    """Return which law the noise of minibatches has on a recorded run, about the mean of those drawn.

    Args:
        settings: of the measurement.
        run: at the weights that are measured.

    Returns:
        `norms` of the first gradients, for a check; `parameters`, their number; `tails`, whose `batches` are as in
        `measure_exact_noise`, except that the Gaussian vectors have the covariance of the minibatches drawn.
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
        norms[str(batch)] = noise[:REPEATED].norm(dim=1).tolist()
        noise = (noise - noise.mean(0)) * batch**0.5
        along = torch.cat([noise[:, single], noise @ anywhere], dim=1).double().numpy()
        gaussian = torch.randn(len(noise), len(noise), generator=draw) @ noise / len(noise) ** 0.5
        vectors, like = (_vectors(v.numpy(), how["vectors_fitted"], elements.numpy()) for v in (noise, gaussian))
        found[str(batch)] = {**_laws(along, 1), "vectors": vectors, "gaussian": like}
    return {"norms": norms, "parameters": n, "tails": {"batches": found}}
