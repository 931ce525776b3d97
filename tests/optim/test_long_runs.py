"""Runs so long that Adai's bias corrections are spent: memory, resuming, and no jump on the way, whatever eps does."""

import copy

import numpy as np
import pytest
import torch

from adai import Adai, AdaiW
from adai.optim.catalogue import OURS
from tests.optim.problems import assert_close, feed, start, through_a_checkpoint, through_a_file

CORRECTED = {label: entry for label, entry in OURS.items() if entry.takes("mean_over")}
each_corrected = pytest.mark.parametrize("entry", CORRECTED.values(), ids=CORRECTED)
SHAPES = [(3, 4), (5,)]
ROUNDING = 2.0**-18
"""More than a correction may be moved by rounding, and far less than what is missing from 1 where it stops to grow."""


def correction(optimizer, param):
    return optimizer.state[param]["bias_correction1"].detach().clone()


def memory(optimizer, param):
    """Return the bytes that a parameter's state holds, but for its count of steps."""
    state = optimizer.state[param]
    return sum(value.untyped_storage().nbytes() for name, value in state.items() if name != "step")


def shortened(optimizer, params):
    """Return whether the corrections of all these parameters take no memory but that of one number."""
    return all(memory(optimizer, param) <= 8 * param.numel() + 16 for param in params)


# ── 18,000 steps at the default eps ──

LOUD, QUIET = 1.0, 1e-3
STEPS = 18_000
SIZES = torch.tensor([QUIET, QUIET, QUIET, QUIET, LOUD, LOUD, LOUD, QUIET, LOUD])


class Run:
    """AdaiW on a quiet parameter and on one that is quiet and loud, each with gradients of one size and random sign.

    So v_hat stays what it is, and 1 - beta1 with it: eps where it is quiet, 0.1 v_hat / v_bar where it is loud.
    """

    def __init__(self):
        self.params = [torch.nn.Parameter(torch.zeros(3)), torch.nn.Parameter(torch.zeros(2, 3))]
        self.optimizer = AdaiW(self.params, lr=0.3, weight_decay=1.0)
        signs = torch.randint(0, 2, (STEPS, 9), generator=torch.Generator().manual_seed(0)) * 2.0 - 1
        self.gradients = [(row[:3], row[3:].view(2, 3)) for row in signs * SIZES]
        v_hat = SIZES.double() ** 2
        self.one_minus_beta1 = (0.1 * v_hat / v_hat.mean()).clamp(1e-3, 1)

    def go_on(self, steps, optimizer=None):
        """Train, by default its own optimizer, and yield all corrections after each step."""
        optimizer = optimizer or self.optimizer
        params = optimizer.param_groups[0]["params"]
        for step in steps:
            for param, gradient in zip(params, self.gradients[step], strict=True):
                param.grad = gradient
            optimizer.step()
            yield torch.cat([optimizer.state[param]["bias_correction1"].flatten() for param in params])


@pytest.fixture(scope="module")
def long_run():
    """A run of 18,000 steps, the corrections after each, and a copy of all that was saved 100 steps before the end."""
    run, trace = Run(), []
    trace += run.go_on(range(STEPS - 100))
    saved = copy.deepcopy((run.optimizer.state_dict(), [param.detach() for param in run.params]))
    trace += run.go_on(range(STEPS - 100, STEPS))
    return run, torch.stack(trace).double(), saved


def test_a_correction_is_one_minus_the_product_of_all_beta1(long_run):
    run, trace, _ = long_run
    steps = torch.arange(1, STEPS + 1, dtype=torch.float64)[:, None]
    product = torch.exp(steps * torch.log1p(-run.one_minus_beta1))
    assert run.one_minus_beta1.unique().numel() == 2
    torch.testing.assert_close(trace, 1 - product, rtol=1e-4, atol=4e-5)  # rounding stops it 3e-5 before 1


def test_a_correction_never_jumps(long_run):
    run, trace, _ = long_run
    assert (trace[0] - run.one_minus_beta1).abs().max() < 1e-6
    growth, missing = trace.diff(dim=0), 1 - trace[:-1]
    excess = growth - run.one_minus_beta1 * missing
    assert growth.min() >= 0
    assert excess.abs().max() <= ROUNDING


def test_a_long_run_keeps_eight_bytes_for_each_element(long_run):
    run, trace, _ = long_run
    assert torch.equal(trace[-1], torch.ones(9, dtype=torch.float64))
    assert shortened(run.optimizer, run.params)
    for param, state in zip(run.params, run.optimizer.state_dict()["state"].values(), strict=True):
        for value in state.values():  # what is saved is whole, and may be written
            assert value.shape in ((), param.shape)
            assert value.untyped_storage().nbytes() == 4 * value.numel()


def handed_over(before, after):
    after[0].load_state_dict(before[0].state_dict())
    after[1].load_state_dict(copy.deepcopy(before[1].state_dict()))


def filed(before, after):
    after[0].load_state_dict(before[0].state_dict())
    after[1].load_state_dict(through_a_file(before[1].state_dict()))


@pytest.mark.parametrize("carry", [handed_over, filed, through_a_checkpoint])
@pytest.mark.parametrize("age", [0, 300], ids=["fresh", "trained"])
def test_a_long_run_is_resumed_bit_for_bit(long_run, age, carry):
    run, _, (state, values) = long_run
    modules = [torch.nn.ParameterList(torch.nn.Parameter(value.clone()) for value in values) for _ in range(2)]
    before, after = ((one, AdaiW(one.parameters(), lr=0.5, eps=0.5)) for one in modules)
    before[1].load_state_dict(state)
    list(run.go_on(range(age), after[1]))
    carry(before, after)
    list(run.go_on(range(STEPS - 100, STEPS), after[1]))
    assert_close(after[0], run.params)


# ── quickly spent: an eps so large that nothing is missing from 1 after some 25 steps ──


def spent(optimizer, steps=210, dtype=torch.float32, **options):
    params = start(dtype, SHAPES)
    one = optimizer(params, **{"eps": 0.5, **options})
    train(one, range(steps))
    return params, one


def train(optimizer, steps):
    params = optimizer.param_groups[0]["params"]
    for step in steps:
        feed(params, step)
        optimizer.step()


@pytest.mark.parametrize("path", [{}, {"foreach": True}, {"foreach": False}], ids=str)
@each_corrected
def test_spent_corrections_take_no_memory(entry, path):
    params, optimizer = spent(entry.optimizer, **path)
    assert shortened(optimizer, params)
    assert all(torch.equal(correction(optimizer, param), torch.ones_like(param)) for param in params)


@pytest.mark.parametrize("interrupted", [20, 30, 99, 100, 101, 150, 205])
@each_corrected
def test_a_run_is_resumed_bit_for_bit_wherever_it_is_interrupted(entry, interrupted):
    params, optimizer = spent(entry.optimizer, 0, lr=0.3)
    train(optimizer, range(interrupted))
    saved = copy.deepcopy(optimizer.state_dict())
    again = [torch.nn.Parameter(param.detach().clone()) for param in params]
    resumed = entry.optimizer(again)
    resumed.load_state_dict(saved)
    for one in (optimizer, resumed):
        train(one, range(interrupted, 260))
    assert_close(again, params)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_correction_that_never_becomes_1_stays_as_it_is(dtype):
    # Increments of exp_avg round to nothing as those of the correction do, and only their quotient is right.
    params, optimizer = spent(Adai, 1010, dtype, eps=1e-3)
    for param in params:
        kept = correction(optimizer, param)
        assert kept.max() < 1
        assert optimizer.state[param]["bias_correction1"].untyped_storage().nbytes() == 2 * param.numel()


def test_a_parameter_that_came_late_keeps_its_correction_where_others_have_spent_theirs():
    early, late = start(torch.float32, shapes=[(3,), (3,)])
    optimizer = Adai([early, late], eps=0.5)
    for step in range(1010):
        feed([early, late], step, scale=1e-3)
        if step < 995:
            late.grad = None
        optimizer.step()
        if step >= 995:
            assert (1 - correction(optimizer, late)).max() <= 0.5 ** (step - 994)
            if step < 1005:
                assert correction(optimizer, late).min() < 1
    assert torch.equal(correction(optimizer, early), torch.ones(3))


@pytest.mark.parametrize("optimizer", [Adai, AdaiW])
def test_a_correction_follows_eps_when_it_is_raised_and_lowered(optimizer):
    """A quiet element's beta1 is 1 - eps, so what is missing from 1 is the product of all that eps has been."""
    quiet, loud = (torch.nn.Parameter(torch.zeros(2)) for _ in range(2))
    one = optimizer([quiet, loud], weight_decay=0.0)
    quiet.grad, loud.grad = torch.full((2,), QUIET), torch.full((2,), LOUD)
    product = 1.0
    for step in range(1, 1251):
        # Raised just before round numbers of steps, and for good in the end.
        eps = 0.4 if step in (99, 100, 999, 1000) or step > 1150 else 1e-3
        one.param_groups[0]["eps"] = eps
        one.step()
        product *= 1 - eps
        np.testing.assert_allclose(correction(one, quiet), 1 - product, rtol=1e-4, atol=ROUNDING, err_msg=f"{step}")


@pytest.mark.parametrize("optimizer", [Adai, AdaiW])
def test_a_spent_correction_stays_spent_when_eps_is_lowered(optimizer):
    params, one = spent(optimizer)
    one.param_groups[0]["eps"] = 1e-4
    for step in range(210, 420):
        feed(params, step, scale=1e-3)
        one.step()
        assert all(torch.equal(correction(one, param), torch.ones_like(param)) for param in params)


def test_a_graph_that_was_captured_finds_its_corrections_where_they_were():
    weight = torch.ones(3)
    weight.grad = torch.ones(3)
    optimizer = Adai([weight], eps=0.5, capturable=True)
    optimizer.step()
    before = optimizer.state[weight]["bias_correction1"]
    for _ in range(1009):
        optimizer.step()
    after = optimizer.state[weight]["bias_correction1"]
    assert after.data_ptr() == before.data_ptr() and after.stride() == (1,)


def test_a_tiny_eps_leaves_corrections_alone():
    """With it, rounding stops a correction far from 1, or not at all, and nothing may lead it on."""
    param = torch.nn.Parameter(torch.zeros(2))
    optimizer = Adai([param], eps=1e-8)
    for _ in range(300):
        param.grad = torch.tensor([1e-6, 1.0])
        optimizer.step()
    correction = optimizer.state[param]["bias_correction1"]
    v_ratio = 2e-12  # the quiet element's v over the mean
    torch.testing.assert_close(correction[0].item(), 1 - (1 - max(0.1 * v_ratio, 1e-8)) ** 300, rtol=1e-3, atol=0)
