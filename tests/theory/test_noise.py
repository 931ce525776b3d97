"""Moments are what torch.func gives without the short cut, and minibatches have the covariance that they promise."""

import pytest
import torch
from torch import nn
from torch.func import functional_call, hessian
from torch.nn import functional as F

from adai.models import MLP
from adai.theory import noise

EXAMPLES, CLASSES = 30, 4


@pytest.fixture(scope="module", params=["relu", "tanh"])
def case(request):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = MLP(inputs=7, width=5, classes=CLASSES).double()
        if request.param == "tanh":
            model = nn.Sequential(*(nn.Tanh() if isinstance(layer, nn.ReLU) else layer for layer in model))
        return model, torch.randn(EXAMPLES, 7).double(), torch.randint(CLASSES, (EXAMPLES,))


@pytest.fixture
def moments(case, monkeypatch):
    monkeypatch.setattr(noise, "CHUNK", 13)
    return noise.moments(*case)


def test_the_hessian_is_that_of_the_loss(case, moments):
    model, inputs, targets = case
    parameters = dict(model.named_parameters())
    sizes = [value.numel() for value in parameters.values()]

    def loss(flat):
        parts = zip(parameters.items(), flat.split(sizes), strict=True)
        values = {name: part.view_as(value) for (name, value), part in parts}
        return F.cross_entropy(functional_call(model, values, inputs), targets)

    flat = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
    torch.testing.assert_close(moments.hessian, hessian(loss)(flat), rtol=0, atol=1e-14)
    assert moments.loss == pytest.approx(loss(flat).item(), abs=1e-12)


def test_second_moments_are_those_of_the_gradients(case, moments):
    model, inputs, targets = case
    gradients = noise.sample_gradients(*case).detach()
    mean = torch.autograd.grad(F.cross_entropy(model(inputs), targets), list(model.parameters()))
    torch.testing.assert_close(moments.gradient, torch.cat([part.flatten() for part in mean]), rtol=0, atol=1e-14)
    torch.testing.assert_close(moments.fisher, gradients.T @ gradients / EXAMPLES, rtol=0, atol=1e-14)
    torch.testing.assert_close(moments.covariance, gradients.T.cov(correction=0), rtol=0, atol=1e-14)
    chances = model(inputs).detach().softmax(1)
    drawn = torch.zeros_like(moments.fisher)
    for label in range(CLASSES):
        as_if = noise.sample_gradients(model, inputs, torch.full_like(targets, label)).detach()
        drawn += as_if.T @ (as_if * chances[:, label, None]) / EXAMPLES
    torch.testing.assert_close(moments.gauss_newton, drawn, rtol=0, atol=1e-14)


def test_a_calibrated_model_has_a_brier_ratio_of_one():
    """Labels in proportion to the probabilities: two in three of the first class."""
    model = nn.Sequential(nn.Linear(1, 2), nn.Linear(2, 2)).double()
    with torch.no_grad():
        model[1].weight.zero_()
        model[1].bias.copy_(torch.tensor([2.0, 1.0], dtype=torch.float64).log())
    found = noise.moments(model, torch.ones(3, 1).double(), torch.tensor([0, 0, 1]))
    assert found.brier == pytest.approx(1, abs=1e-12)
    torch.testing.assert_close(found.fisher, found.gauss_newton, rtol=0, atol=1e-12)
    torch.testing.assert_close(found.hessian, found.gauss_newton, rtol=0, atol=1e-12)


@pytest.mark.parametrize("replacement", [True, False])
def test_minibatches_have_the_covariance_of_the_formula(replacement):
    gradients = torch.randn(12, 2, generator=torch.Generator().manual_seed(0)).double()
    examples, batch, draws = len(gradients), 8, 40_000
    keys = torch.rand(draws, examples, generator=torch.Generator().manual_seed(1))
    members = (keys * 1e6).long()[:, :batch] % examples if replacement else keys.argsort(1)[:, :batch]
    found = gradients[members].mean(1).T.cov()
    predicted = noise.minibatch_covariance(gradients.T.cov(correction=0), batch, None if replacement else examples)
    torch.testing.assert_close(found, predicted, rtol=0.05, atol=0.03 * predicted.diag().max().item())


def test_a_first_layer_that_is_not_linear_is_named():
    with pytest.raises(TypeError, match="the first layer is ReLU, expected Linear"):
        noise.moments(nn.Sequential(nn.ReLU(), nn.Linear(2, 2)), torch.zeros(1, 2), torch.tensor([0]))
