"""How sharp a minimum is: how much the loss rises under noise on the weights, and the curvature behind it.

All measures are of the mean loss over fixed examples, L(theta + sigma s z): z is standard normal, and s says in which
unit a weight is measured. To second order the mean rise is sigma^2 / 2 times the trace of S H S, S = diag(s).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    import numpy as np

BATCH = 1000


def _plain(parameter: Tensor) -> Tensor:
    """Return 1 for every weight, as in Neyshabur et al. (2017) and Figure 13."""
    return torch.ones_like(parameter)


def _by_filter(parameter: Tensor) -> Tensor:
    """Return each weight's filter's root mean square (Li et al. 2018); of a vector's weights their own size.

    A filter is all that feeds one output: a row of a matrix, one output channel of a convolution. Vectors are biases,
    and the scales of normalisation layers.
    """
    if parameter.dim() < 2:
        return parameter.abs()
    return parameter.flatten(1).square().mean(dim=1).sqrt().view(-1, *[1] * (parameter.dim() - 1)).expand_as(parameter)


def _by_element(parameter: Tensor) -> Tensor:
    """Return each weight's own size (adaptive sharpness, Kwon et al. 2021)."""
    return parameter.abs()


UNITS: dict[str, Callable[[Tensor], Tensor]] = {"plain": _plain, "filter": _by_filter, "element": _by_element}
"""From a parameter to the unit s of each of its weights, of the same shape."""


class Landscape:
    """The mean cross-entropy of a network over some examples, in evaluation mode, as a function of its parameters.

    Args:
        model: the network; it is left as it was.
        inputs: as the model takes them, shape (examples, …).
        targets: class indices, shape (examples,).
    """

    def __init__(self, model: nn.Module, inputs: Tensor, targets: Tensor) -> None:
        self.model = model.eval()
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.batches = list(zip(torch.split(inputs, BATCH), torch.split(targets, BATCH), strict=True))
        self.examples = len(targets)

    def units(self, name: str) -> list[Tensor]:
        """Return the unit of each weight, one of `UNITS`, at the parameters as they are: one tensor a parameter."""
        return [UNITS[name](p.detach()).clone() for p in self.parameters]

    @torch.no_grad()
    def loss(self) -> float:
        """Return the mean loss at the parameters as they are."""
        return sum(F.cross_entropy(self.model(x), y, reduction="sum").item() for x, y in self.batches) / self.examples

    def rises(
        self, units: Sequence[Tensor], sigma: float, draws: int, seed: int, *, refitted: bool = False
    ) -> list[float]:
        """Return L(theta + sigma s z) - L(theta) for each of several draws of z.

        Args:
            units: s, as `units` returns it.
            sigma: standard deviation of the noise, in those units.
            draws: how many.
            seed: of z; the same seed gives the same z, whatever the network's weights.
            refitted: let normalisation layers measure the means and variances of these examples anew, before and
                after, instead of keeping those of training.
        """
        generator = torch.Generator().manual_seed(seed)
        with self._kept():
            start = self._loss(refitted)
        found = []
        for _ in range(draws):
            with self._kept(), torch.no_grad():
                for p, s in zip(self.parameters, units, strict=True):
                    p.add_(sigma * s * torch.randn(p.shape, generator=generator))
                found.append(self._loss(refitted) - start)
        return found

    def curvature(self, vector: Sequence[Tensor]) -> list[Tensor]:
        """Return the Hessian times a vector, exactly, by differentiating twice; both have one tensor a parameter."""
        total = [torch.zeros_like(p) for p in self.parameters]
        for x, y in self.batches:
            loss = F.cross_entropy(self.model(x), y, reduction="sum") / self.examples
            slopes = torch.autograd.grad(loss, self.parameters, create_graph=True)
            along = reduce(torch.add, ((g * v).sum() for g, v in zip(slopes, vector, strict=True)))
            for sum_, part in zip(total, torch.autograd.grad(along, self.parameters), strict=True):
                sum_ += part
        return total

    def largest_eigenvalue(self, units: Sequence[Tensor], seed: int) -> float:
        """Return the largest eigenvalue of S H S, to a thousandth, by Lanczos' method (ARPACK).

        Args:
            units: s, as `units` returns it.
            seed: of the vector that the method starts from.
        """
        from scipy.sparse.linalg import LinearOperator, eigsh

        sizes = [p.numel() for p in self.parameters]
        n = sum(sizes)

        def times(flat: "np.ndarray") -> "np.ndarray":
            parts = torch.split(torch.from_numpy(flat.ravel()).float(), sizes)
            vector = [s * part.view_as(s) for s, part in zip(units, parts, strict=True)]
            product = self.curvature(vector)
            scaled = torch.cat([(s * h).flatten() for s, h in zip(units, product, strict=True)])
            return scaled.double().numpy()

        start = torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).numpy()
        operator = LinearOperator((n, n), matvec=times, dtype="float64")
        return float(eigsh(operator, k=1, which="LA", tol=1e-3, v0=start, return_eigenvectors=False)[0])

    def traces(self, units: Sequence[Sequence[Tensor]], probes: int, seed: int) -> list[list[float]]:
        """Return Hutchinson's estimates of the trace of S H S: sums of s^2 z H z over random signs z.

        Their mean has the trace as its expectation. One product with H serves all units.

        Args:
            units: several s, each as `units` returns it.
            probes: how many z.
            seed: of z.

        Returns:
            For each s, one estimate for each z.
        """
        generator = torch.Generator().manual_seed(seed)
        found: list[list[float]] = [[] for _ in units]
        for _ in range(probes):
            signs = [torch.randint(0, 2, p.shape, generator=generator) * 2.0 - 1 for p in self.parameters]
            diagonal = [z * h for z, h in zip(signs, self.curvature(signs), strict=True)]
            for estimates, unit in zip(found, units, strict=True):
                estimates.append(sum((s.square() * d).sum().item() for s, d in zip(unit, diagonal, strict=True)))
        return found

    def _loss(self, refitted: bool) -> float:
        if refitted:
            self._refit()
        return self.loss()

    @torch.no_grad()
    def _refit(self) -> None:
        """Measure the normalisation layers' means and variances anew; each batch counts alike."""
        norms = [m for m in self.model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        usual = [m.momentum for m in norms]
        for m in norms:
            m.reset_running_stats()
            m.momentum = None  # the plain average
            m.train()
        for x, _ in self.batches:
            self.model(x)
        for m, momentum in zip(norms, usual, strict=True):
            m.momentum = momentum
            m.eval()

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """Put the network's state back on leaving."""
        state = {name: value.clone() for name, value in self.model.state_dict().items()}
        try:
            yield
        finally:
            self.model.load_state_dict(state)
