"""Gradient noise beside curvature, Figure 6: the matrices of a network at one of its states, and their comparison."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypedDict

from adai.records import Result

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

LOWEST, HIGHEST = 1e-4, 0.5
"""The range of elements of the Hessian that Figure 6 shows."""
MATRICES = ("covariance", "fisher", "gauss_newton", "hessian", "absolute")
"""Covariance and second moment of one example's gradient, G, H, and [H]^+ of Equation (3)."""


class State(TypedDict):
    """Noise and curvature of a network at one step, in JSON's types.

    Args:
        step: how many steps it has been trained for.
        loss, error, brier: the mean loss, the error in percent, and the Brier score over its expectation.
        gradient: the squared norm of the full gradient.
        traces: of `MATRICES`, by name.
        gram: the Frobenius products of `MATRICES`.
        hessian, covariance, gauss_newton: the diagonals of these matrices in the eigenbasis of H, at eigenvalues of a
            size of at least `LOWEST`, from the largest eigenvalue.
    """

    step: int
    loss: float
    error: float
    brier: float
    gradient: float
    traces: dict[str, float]
    gram: list[list[float]]
    hessian: list[float]
    covariance: list[float]
    gauss_newton: list[float]


def measure_state(step: int, model: "nn.Sequential", inputs: "Tensor", targets: "Tensor") -> tuple[State, "Tensor"]:
    """Return noise and curvature at one state, and the Hessian's eigenvectors as columns, the largest eigenvalue first.

    Args:
        step: how many steps the model has been trained for.
        model: a small network, as `adai.theory.noise.moments` takes it.
        inputs: shape (examples, features).
        targets: class indices.
    """
    import torch

    from adai.theory.noise import moments

    found = moments(model, inputs, targets)
    values, vectors = (part.flip(-1) for part in torch.linalg.eigh(found.hessian))
    absolute = (vectors * values.abs()) @ vectors.T
    matrices = [*(getattr(found, name) for name in MATRICES[:-1]), absolute]
    diagonal = {name: ((m @ vectors) * vectors).sum(0) for name, m in zip(MATRICES[:3], matrices, strict=False)}
    shown = values.abs() >= LOWEST
    wrong = torch.cat([model(part).argmax(1) for part in torch.split(inputs, 5000)]) != targets
    state: State = {
        "step": step,
        "loss": found.loss,
        "error": 100 * wrong.double().mean().item(),
        "brier": found.brier,
        "gradient": found.gradient.square().sum().item(),
        "traces": {name: m.trace().item() for name, m in zip(MATRICES, matrices, strict=True)},
        "gram": [[(a * b).sum().item() for b in matrices] for a in matrices],
        "hessian": round_to_4_digits(values[shown]),
        "covariance": round_to_4_digits(diagonal["covariance"][shown]),
        "gauss_newton": round_to_4_digits(diagonal["gauss_newton"][shown]),
    }
    return state, vectors


def measure_without_matrices(model: "nn.Sequential", inputs: "Tensor", targets: "Tensor") -> dict[str, float]:
    """Return `loss`, `fisher` (its trace) and `largest` (the Hessian's largest eigenvalue, by Lanczos) at one state."""
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
        parts = torch.split(torch.from_numpy(vector).float().flatten(), sizes)
        tangent = {name: part.view_as(parameters[name]) for name, part in zip(parameters, parts, strict=True)}
        along = jvp(grad(loss), (parameters,), (tangent,))[1]
        return torch.cat([along[name].flatten() for name in parameters]).numpy()

    pairs = zip(torch.split(inputs, CHUNK), torch.split(targets, CHUNK), strict=True)
    squares = sum(sample_gradients(model, x, y).double().square().sum().item() for x, y in pairs)
    n = sum(sizes)
    start = torch.ones(n).numpy()
    largest = eigsh(LinearOperator((n, n), matvec=times_hessian, dtype="f4"), 1, which="LA", v0=start, tol=1e-4)[0]
    return {"loss": loss(parameters).item(), "fisher": squares / len(targets), "largest": float(largest[0])}


def round_to_4_digits(values: Iterable[Any]) -> list[float]:
    """Return numbers, or tensors of one number each, as floats of four digits."""
    return [float(f"{float(value):.4g}") for value in values]


def state(result: Result, which: int) -> State:
    """Return a state of a result by its place: 0 is the first, -1 the last."""
    found: list[State] = result.found["states"]
    return found[which]


def product(found: State, a: str, b: str) -> float:
    """Return the Frobenius product of two of `MATRICES` at a state."""
    return found["gram"][MATRICES.index(a)][MATRICES.index(b)]


def cosine(found: State, a: str = "covariance", b: str = "hessian") -> float:
    """Return the cosine of the angle between two matrices: 1 if they are proportional."""
    return float(product(found, a, b) / (product(found, a, a) * product(found, b, b)) ** 0.5)


def factor(found: State, a: str = "covariance", b: str = "hessian") -> float:
    """Return the number k for which k b is nearest to a, in Frobenius norm."""
    return product(found, a, b) / product(found, b, b)


def distance(found: State, a: str = "covariance", b: str = "hessian", k: float = 1.0) -> float:
    """Return the Frobenius norm of a - k b, over that of k b."""
    squared = product(found, a, a) - 2 * k * product(found, a, b) + k**2 * product(found, b, b)
    return float(max(squared, 0.0) ** 0.5 / (k * product(found, b, b) ** 0.5))


def shown(found: State, sign: int = 1) -> tuple["np.ndarray", "np.ndarray"]:
    """Return the diagonals of H and B C in the eigenbasis of H, as Figure 6 shows them; with sign -1 those below 0."""
    import numpy as np

    H, C = np.array(found["hessian"]), np.array(found["covariance"])
    chosen = (sign * H >= LOWEST) & (sign * H <= HIGHEST)
    return H[chosen], C[chosen]


def slope(found: State) -> float:
    """Return the slope of log C on log H by least squares, over the elements that Figure 6 shows."""
    import numpy as np

    H, C = shown(found)
    return float(np.polyfit(np.log(H), np.log(C), 1)[0])


def through_origin(found: State) -> float:
    """Return the k of B C = k H by least squares, over the elements that Figure 6 shows."""
    H, C = shown(found)
    return float(H @ C / (H @ H))


def negative_share(found: State) -> float:
    """Return the share of the negative eigenvalues in the sum of the sizes of all."""
    traces = found["traces"]
    return (traces["absolute"] - traces["hessian"]) / 2 / traces["absolute"]
