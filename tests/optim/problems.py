"""Parameters, gradients and optimizers for the tests: one set drawn from a seed, one of fixed shapes."""

import io
import tempfile
import warnings

import numpy as np
import pytest
import torch

from adai.optim import reference
from adai.optim.catalogue import OURS

FUSED = {label: entry for label, entry in OURS.items() if entry.takes("fused")}
each_of_ours = pytest.mark.parametrize("entry", OURS.values(), ids=OURS)
each_with_fused = pytest.mark.parametrize("entry", FUSED.values(), ids=FUSED)

SHAPES = [(), (1,), (7,), (3, 4), (2, 3, 2, 2), (260, 260)]


def start(dtype=torch.float64, shapes=SHAPES, device="cpu"):
    generator = torch.Generator().manual_seed(0)
    values = [torch.randn(shape, dtype=torch.float64, generator=generator) for shape in shapes]
    return [torch.nn.Parameter(value.to(device, dtype)) for value in values]


def feed(params, step, scale=1.0):
    """Gradients of several sizes; one of the parameters has none at every third step."""
    generator = torch.Generator().manual_seed(1000 + step)
    for index, param in enumerate(params):
        drawn = torch.randn(param.shape, dtype=torch.float64, generator=generator)
        param.grad = (scale * 2.0**-index * drawn).to(param.device, param.dtype)
        if index == 2 and step % 3 == 0:
            param.grad = None


def trained(optimizer, steps=12, dtype=torch.float64, shapes=SHAPES, scale=1.0, **options):
    params = start(dtype, shapes)
    torch_optimizer = optimizer(params, **options)
    for step in range(steps):
        feed(params, step, scale)
        torch_optimizer.step()
    return params, torch_optimizer


def assert_close(ones, others, tolerance=0.0):
    for one, other in zip(ones, others, strict=True):
        torch.testing.assert_close(one.detach().cpu(), other.detach().cpu(), rtol=tolerance, atol=tolerance)


def through_a_file(state_dict):
    file = io.BytesIO()
    torch.save(state_dict, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def through_a_checkpoint(before, after):
    """Let a module and its optimizer take over from others by a checkpoint of torch.distributed in a folder."""
    import torch.distributed.checkpoint as dcp
    from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is one process
        weights, state = get_state_dict(*before)
        dcp.save({"weights": weights, "state": state}, checkpoint_id=folder)
        weights, state = get_state_dict(*after)  # which gives a fresh optimizer its state
        try:
            dcp.load({"weights": weights, "state": state}, checkpoint_id=folder)
        except dcp.CheckpointException as error:  # no Exception, but a BaseException
            raise ValueError(str(error).splitlines()[-1]) from error
        set_state_dict(*after, model_state_dict=weights, optim_state_dict=state)


# ── drawn from a seed, for comparison with the reference ──

SMALL = SHAPES[:-1]


def arrays(seed, steps, shapes=SMALL, missing=0.0, late=0):
    """Starting values and, for every step, gradients of very different sizes, some of them missing.

    The last parameter has none in the first ``late`` steps.
    """
    rng = np.random.default_rng(seed)
    scales = [10.0 ** rng.uniform(-2, 1) for _ in shapes]
    values = [torch.tensor(rng.normal(size=shape)) for shape in shapes]
    gradients = [
        [
            None if rng.uniform() < missing else torch.tensor(scale * rng.normal(size=shape))
            for shape, scale in zip(shapes, scales, strict=True)
        ]
        for _ in range(steps)
    ]
    for step_gradients in gradients[:late]:
        step_gradients[-1] = None
    return values, gradients


def parameters(values, dtype=torch.float64):
    return [torch.nn.Parameter(torch.as_tensor(value).to(dtype, copy=True)) for value in values]


def train(optimizer, params, gradients):
    for step_gradients in gradients:
        for param, gradient in zip(params, step_gradients, strict=True):
            param.grad = None if gradient is None else torch.as_tensor(gradient).to(param.dtype, copy=True)
        optimizer.step()


def run(optimizer, values, gradients, **options):
    params = parameters(values)
    train(optimizer(params, **options), params, gradients)
    return params


def follow(entry, values, gradients, groups):
    """The parameters of the entry's reference after the last step; the first three are in the first group."""
    followed = [reference.Parameter(value, **groups[int(index >= 3)]) for index, value in enumerate(values)]
    for step_gradients in gradients:
        reference.step(entry.rule, followed, step_gradients)
    return followed


def largest_difference(params, others):
    return max((one - other).detach().abs().max().item() for one, other in zip(params, others, strict=True))
