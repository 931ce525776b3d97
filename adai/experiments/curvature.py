"""Gradient noise beside curvature, Figure 6: the matrices of a network at one of its states, and what they come to."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from adai.records import Result

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

LOWEST, HIGHEST = 1e-4, 0.5
"""The elements of the Hessian that Figure 6 shows."""
MATRICES = ("covariance", "fisher", "gauss_newton", "hessian", "absolute")
"""Covariance and second moment of one example's gradient, G, H, and [H]^+ of Equation (3)."""


def measured(step: int, model: "nn.Sequential", inputs: "Tensor", targets: "Tensor") -> tuple[dict[str, Any], "Tensor"]:
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
        "hessian": short(values[shown]),
        "covariance": short(diagonal["covariance"][shown]),
        "gauss_newton": short(diagonal["gauss_newton"][shown]),
    }
    return state, vectors


def repeated(model: "nn.Sequential", inputs: "Tensor", targets: "Tensor") -> dict[str, float]:
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


def short(values: Iterable[Any]) -> list[float]:
    return [float(f"{float(value):.4g}") for value in values]


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
