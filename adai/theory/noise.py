"""The noise of minibatch gradients and the curvature it is compared with, both exact; Equation (3), Appendix C.

A network here is an `nn.Sequential` whose outputs are logits, its loss the cross-entropy. Its parameters are one
vector, in the order of `model.parameters()`. Nothing is sampled, and derivatives are those of `torch.func`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, hessian, jacfwd, vmap
from torch.nn import functional as F

CHUNK = 2000
"""Examples whose derivatives are in memory at once."""


def sample_gradients(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """Return the gradient of each example's loss, shape (examples, parameters)."""
    parameters = {name: value.detach() for name, value in model.named_parameters()}

    def loss(parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(functional_call(model, parameters, x[None]), y[None])

    each = vmap(grad(loss), in_dims=(None, 0, 0))(parameters, inputs, targets)
    return torch.cat([each[name].flatten(1) for name in parameters], dim=1)


def minibatch_covariance(covariance: Tensor, batch: int, examples: int | None = None) -> Tensor:
    """Return C of the mean gradient of a minibatch, shape (n, n), from that of a single example.

    Args:
        covariance: of one example's gradient, over all examples (divided by their number), shape (n, n).
        batch: the examples B of a minibatch.
        examples: how many there are, N, if a minibatch holds none twice; None where it is drawn with replacement.
    """
    correction = 1.0 if examples is None else (examples - batch) / (examples - 1)
    return covariance * (correction / batch)


@dataclass(frozen=True)
class GradientMoments:
    """Moments of the examples' gradients, and second derivatives of the loss, at one point.

    Args:
        loss: mean cross-entropy.
        gradient: of the mean loss, shape (n,).
        fisher: second moment of one example's gradient at its own label, the paper's FIM, shape (n, n).
        gauss_newton: the same with labels drawn from the model's own probabilities: Fisher's information, shape (n, n).
        hessian: second derivatives of the mean loss, shape (n, n).
        brier: mean squared distance of the probabilities from the labels, over what the model itself expects of it.
    """

    loss: float
    gradient: Tensor
    fisher: Tensor
    gauss_newton: Tensor
    hessian: Tensor
    brier: float

    @property
    def covariance(self) -> Tensor:
        """Return the covariance of one example's gradient, shape (n, n); a minibatch's noise has this over B."""
        return self.fisher - torch.outer(self.gradient, self.gradient)


def moments(model: nn.Sequential, inputs: Tensor, targets: Tensor) -> GradientMoments:
    """Return moments over all examples, in double precision where sums are long.

    The first layer is linear, z = W x + b, and x never changes. So a second derivative by W is one by z times the outer
    product of the input with itself, and only the small rest of the network has to be differentiated twice.

    Args:
        model: its first layer is linear; of the others only their parameters' number matters.
        inputs: shape (examples, features).
        targets: class indices, shape (examples,).

    Raises:
        TypeError: if the first layer is not linear.
    """
    core = _Core(model)
    total = len(targets)
    sums = [torch.zeros(core.size, core.size, dtype=torch.float64) for _ in range(3)]
    gradient = torch.zeros(core.size, dtype=torch.float64)
    loss = squared = expected = 0.0
    for x, y in zip(torch.split(inputs, CHUNK), torch.split(targets, CHUNK), strict=True):
        z = model[0](x).detach()
        logits = core.logits(core.parameters, z)
        probability, label = logits.softmax(1), F.one_hot(y, logits.shape[1]).to(logits.dtype)
        loss += F.cross_entropy(logits, y, reduction="sum").item()
        squared += (probability - label).square().sum().item()
        expected += (1 - probability.square().sum(1)).sum().item()
        by_label = core.gradients(z)
        own = by_label[torch.arange(len(y)), y]
        gradient += core.lifted_vector(own, x).double()
        for total_sum, weights in zip(sums, (label, probability), strict=False):
            total_sum += core.second_moment(by_label, weights, x).double()
        sums[2] += core.hessian(z, y, x).double()
    fisher, gauss_newton, second = (core.in_order(matrix / total) for matrix in sums)
    mean = core.in_order(gradient / total)
    return GradientMoments(loss / total, mean, fisher, gauss_newton, second, brier=squared / expected)


class _Core:
    """The layers after the first, as a function of z and of their own parameters phi.

    In here a parameter vector is (W and b row by row, phi); `in_order` puts it into the model's order.
    """

    def __init__(self, model: nn.Sequential) -> None:
        first = model[0]
        if not isinstance(first, nn.Linear):
            raise TypeError(f"the first layer is {type(first).__name__}, expected Linear")
        self.rest = nn.Sequential(*list(model)[1:])
        self.parameters = {name: value.detach() for name, value in self.rest.named_parameters()}
        self.units, self.inputs = first.out_features, first.in_features
        self.own = sum(value.numel() for value in self.parameters.values())
        self.lifted = self.units * (self.inputs + 1)
        self.size = self.lifted + self.own
        rows = torch.arange(self.lifted).view(self.units, self.inputs + 1)
        self.order = torch.cat([rows[:, :-1].flatten(), rows[:, -1], torch.arange(self.lifted, self.size)])

    def in_order(self, of: Tensor) -> Tensor:
        """Return a vector or a matrix with its parameters in the model's order."""
        for axis in range(of.ndim):
            of = of.index_select(axis, self.order)
        return of

    def logits(self, parameters: dict[str, Tensor], z: Tensor) -> Tensor:
        """Return the outputs, shape (examples, classes), for the first layer's z, shape (examples, units)."""
        outputs: Tensor = functional_call(self.rest, parameters, z)
        return outputs

    def _loss(self, parameters: dict[str, Tensor], z: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(self.logits(parameters, z[None]), y[None])

    def _flat(self, tree: dict[str, Tensor], leading: int) -> Tensor:
        return torch.cat([tree[name].flatten(leading) for name in self.parameters], dim=-1)

    def gradients(self, z: Tensor) -> Tensor:
        """Return gradients by (z, phi) as if each class were the label, shape (examples, classes, units + own)."""
        by_both = grad(self._loss, argnums=(0, 1))
        by_label = vmap(vmap(by_both, in_dims=(None, None, 0)), in_dims=(None, 0, None))
        classes = torch.arange(self.logits(self.parameters, z[:1]).shape[1])
        phi, by_z = by_label(self.parameters, z, classes)
        return torch.cat([by_z, self._flat(phi, 2)], dim=2)

    def lifted_vector(self, gradients: Tensor, x: Tensor) -> Tensor:
        """Return the sum over examples of the gradients by all parameters, shape (size,), from those by (z, phi)."""
        by_z, phi = torch.split(gradients, [self.units, self.own], dim=1)
        return torch.cat([(by_z.T @ _with_one(x)).flatten(), phi.sum(0)])

    def second_moment(self, gradients: Tensor, weights: Tensor, x: Tensor) -> Tensor:
        """Return the sum over examples and labels of weight times the gradient's outer product, shape (size, size)."""
        by_z, phi = torch.split(gradients * weights.sqrt()[..., None], [self.units, self.own], dim=2)
        flat = phi.flatten(0, 1)
        return self._assembled(by_z.mT @ by_z, by_z.mT @ phi, flat.T @ flat, x)

    def hessian(self, z: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """Return second derivatives of the summed loss, shape (size, size)."""
        mixed = vmap(jacfwd(grad(self._loss, argnums=(0, 1)), argnums=1), in_dims=(None, 0, 0))
        phi, by_z = mixed(self.parameters, z, y)
        across = torch.cat([phi[name].flatten(1, -2) for name in self.parameters], dim=1).mT
        names = list(self.parameters)
        sizes = [self.parameters[name].numel() for name in names]

        def summed(flat: Tensor) -> Tensor:
            parts = zip(names, torch.split(flat, sizes), strict=True)
            parameters = {name: part.view_as(self.parameters[name]) for name, part in parts}
            return F.cross_entropy(self.logits(parameters, z), y, reduction="sum")

        return self._assembled(by_z, across, hessian(summed)(self._flat(self.parameters, 0)), x)

    def _assembled(self, zz: Tensor, zphi: Tensor, phiphi: Tensor, x: Tensor) -> Tensor:
        """Return derivatives by all parameters, summed, shape (size, size), from each example's by (z, phi)."""
        one = _with_one(x)
        wide = self.inputs + 1
        matrix = torch.empty(self.size, self.size, dtype=x.dtype)
        for a, rows in enumerate(_blocks(self.units, wide)):
            scaled = (zz[:, a, a:, None] * one[:, None]).flatten(1)
            matrix[rows, a * wide : self.lifted] = one.T @ scaled
            matrix[a * wide : self.lifted, rows] = matrix[rows, a * wide : self.lifted].T.clone()
            matrix[rows, self.lifted :] = one.T @ zphi[:, a]
        matrix[self.lifted :, : self.lifted] = matrix[: self.lifted, self.lifted :].T
        matrix[self.lifted :, self.lifted :] = phiphi
        return matrix


def _with_one(x: Tensor) -> Tensor:
    return torch.cat([x, x.new_ones(len(x), 1)], dim=1)


def _blocks(count: int, width: int) -> Iterator[slice]:
    return (slice(a * width, (a + 1) * width) for a in range(count))
