"""Measures of sharpness, against the exact Hessian of a small network, and under a change that no function notices."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from adai.theory.sharpness import Landscape


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))


@pytest.fixture
def data() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(1500, 4), torch.randint(3, (1500,))


def hessian(model: nn.Module, data) -> np.ndarray:
    names, parameters = zip(*model.named_parameters(), strict=True)
    sizes = [p.numel() for p in parameters]

    def loss(flat):
        parts = (part.view_as(p) for part, p in zip(flat.split(sizes), parameters, strict=True))
        return F.cross_entropy(
            torch.func.functional_call(model, dict(zip(names, parts, strict=True)), data[0]), data[1]
        )

    return torch.func.hessian(loss)(torch.cat([p.detach().flatten() for p in parameters])).numpy()


def flat(tensors) -> np.ndarray:
    return torch.cat([t.flatten() for t in tensors]).numpy()


@pytest.mark.parametrize("unit", ["plain", "filter", "element"])
def test_curvature_is_that_of_the_exact_hessian(data, unit):
    model = network()
    landscape = Landscape(model, *data)
    units = landscape.units(unit)
    scaled = flat(units)[:, None] * hessian(model, data) * flat(units)
    assert landscape.largest_eigenvalue(units, seed=3) == pytest.approx(np.linalg.eigvalsh(scaled)[-1], rel=1e-3)
    estimates = np.array(landscape.traces([units], probes=400, seed=4)[0])
    error = estimates.std(ddof=1) / len(estimates) ** 0.5
    assert abs(estimates.mean() - np.trace(scaled)) < 4 * error and error < 0.1 * np.trace(scaled)


def test_a_filters_unit_is_its_root_mean_square(data):
    model = nn.Sequential(nn.Conv2d(2, 2, 1), nn.Flatten())
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[3.0, -4.0], [0.0, 1.0]]).view(2, 2, 1, 1))
        model[0].bias.copy_(torch.tensor([-2.0, 5.0]))
    weight, bias = Landscape(model, torch.zeros(1, 2, 1, 1), torch.zeros(1)).units("filter")
    assert weight.flatten(1).tolist() == [pytest.approx([12.5**0.5] * 2), pytest.approx([0.5**0.5] * 2)]
    assert bias.tolist() == [2, 5]


class Saddle(nn.Module):
    """A loss whose second derivatives at 0 are 1 and -3."""

    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.zeros(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        height = self.place[0] ** 2 - 3 * self.place[1] ** 2
        return height * torch.tensor([1.0, 0.0]).expand(len(x), 2)


def test_the_largest_eigenvalue_is_not_the_largest_in_size():
    landscape = Landscape(Saddle(), torch.zeros(3, 1), torch.ones(3, dtype=torch.long))
    assert landscape.largest_eigenvalue(landscape.units("plain"), seed=0) == pytest.approx(1, rel=1e-3)


def test_small_noise_raises_the_loss_by_half_the_trace(data):
    model = network()
    for _ in range(2000):  # to a minimum: elsewhere the slope adds noise, not rise
        model.zero_grad()
        F.cross_entropy(model(data[0]), data[1]).backward()
        with torch.no_grad():
            for p in model.parameters():
                p -= 0.5 * p.grad
    landscape = Landscape(model, *data)
    units = landscape.units("plain")
    rises = np.array(landscape.rises(units, 0.03, draws=600, seed=5))
    expected = 0.03**2 / 2 * np.trace(hessian(model, data))
    assert abs(rises.mean() - expected) < 4 * rises.std() / 600**0.5 + 0.05 * expected


def test_scaling_one_layer_up_and_the_next_down_changes_plain_sharpness_alone(data):
    model, other = network(), network()
    with torch.no_grad():
        other[0].weight *= 8
        other[0].bias *= 8
        other[2].weight /= 8
    one, two = Landscape(model, *data), Landscape(other, *data)
    assert one.loss() == pytest.approx(two.loss(), rel=1e-5)
    for unit, alike in (("plain", False), ("filter", True), ("element", True)):
        top = [landscape.largest_eigenvalue(landscape.units(unit), seed=0) for landscape in (one, two)]
        rise = [np.mean(landscape.rises(landscape.units(unit), 0.1, draws=5, seed=0)) for landscape in (one, two)]
        assert (top[0] == pytest.approx(top[1], rel=5e-3)) == alike
        assert (rise[0] == pytest.approx(rise[1], rel=1e-3)) == alike


def test_the_network_is_left_as_it_was(data):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3))
    model[1].momentum = 0.3
    before = {name: value.clone() for name, value in model.state_dict().items()}
    landscape = Landscape(model, *data)
    landscape.rises(landscape.units("plain"), 0.5, draws=2, seed=0, refitted=True)
    landscape.traces([landscape.units("filter")], probes=1, seed=0)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(not m.training for m in model.modules()) and model[1].momentum == 0.3


def test_refitted_norms_see_the_noise_as_training_would(data):
    torch.manual_seed(0)
    inputs, targets = data[0][:900], data[1][:900]
    model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3))
    landscape = Landscape(model, inputs, targets)
    units = [torch.ones_like(p) if i == 0 else torch.zeros_like(p) for i, p in enumerate(landscape.parameters)]
    (rise,) = landscape.rises(units, 2.0, draws=1, seed=6, refitted=True)
    moved, noise = copy.deepcopy(model), torch.randn(5, 4, generator=torch.Generator().manual_seed(6))
    with torch.no_grad():
        moved[0].weight += 2 * noise
        now, then = (F.cross_entropy(m.train()(inputs), targets).item() for m in (moved, copy.deepcopy(model)))
    assert rise == pytest.approx(now - then, rel=0.02)
    assert landscape.rises(units, 2.0, draws=1, seed=6) != pytest.approx(rise, rel=0.1)
