"""Any order of calls, over any shapes, types and groups, leaves every parameter where the reference has it."""

import copy

import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from adai.optim import reference
from adai.optim.catalogue import OURS
from tests.optim.problems import through_a_file

PATHS = [{}, {"foreach": True}, {"foreach": False}, {"capturable": True}]
seeds = st.integers(0, 2**32 - 1)
rates = st.floats(1e-3, 1.0)
decays = st.sampled_from([0.0, 0.1])
tensors = st.tuples(
    st.sampled_from([(), (1,), (3,), (2, 3), (0,), (2, 1, 2)]),
    st.sampled_from([torch.float64, torch.float32, torch.complex128]),
)


class CallOrders(RuleBasedStateMachine):
    """An optimizer of ours beside its reference, which knows nothing but gradients and hyperparameters."""

    @initialize(
        entry=st.sampled_from(list(OURS.values())),
        path=st.sampled_from(PATHS),
        maximize=st.booleans(),
        first=st.lists(tensors, min_size=1, max_size=3),
        lr=rates,
        weight_decay=decays,
        seed=seeds,
    )
    def begin(self, entry, path, maximize, first, lr, weight_decay, seed):
        self.entry = entry
        self.made = {**entry.inputs[1], **path, "maximize": maximize}
        self.params, self.expected, self.decays, self.moved = [], [], [], 1.0
        self.optimizer = None
        self.add_group(first, lr, weight_decay, seed)

    @rule(new=st.lists(tensors, min_size=1, max_size=2), lr=rates, weight_decay=decays, seed=seeds)
    def add_group(self, new, lr, weight_decay, seed):
        generator = torch.Generator().manual_seed(seed)
        params = [torch.nn.Parameter(torch.randn(shape, dtype=dtype, generator=generator)) for shape, dtype in new]
        group = {"params": params, "lr": lr, "weight_decay": weight_decay}
        if self.optimizer is None:
            self.optimizer = self.entry.optimizer([group], **self.made)
        else:
            self.optimizer.add_param_group(group)
        for param in params:
            self.params.append(param)
            self.expected.append(reference.Parameter(real(param), lr, weight_decay, **self.entry.inputs[1]))

    @rule(seed=seeds, scale=st.floats(1e-2, 1e2), present=st.integers(0, 2**8 - 1))
    def backward(self, seed, scale, present):
        generator = torch.Generator().manual_seed(seed)
        for index, param in enumerate(self.params):
            drawn = scale * torch.randn(param.shape, dtype=param.dtype, generator=generator)
            param.grad = drawn if present >> index % 8 & 1 else None

    @rule(seed=seeds, scale=st.floats(1e-2, 1e2), present=st.integers(0, 2**8 - 1), closure=st.booleans())
    def train(self, seed, scale, present, closure):
        self.backward(seed, scale, present)
        self.step(closure)

    @rule(set_to_none=st.booleans())
    def zero_grad(self, set_to_none):
        self.optimizer.zero_grad(set_to_none=set_to_none)

    @rule(group=st.integers(0, 10), lr=st.just(0.0) | rates, as_tensor=st.booleans())
    def change_lr(self, group, lr, as_tensor):
        chosen = self.optimizer.param_groups[group % len(self.optimizer.param_groups)]
        chosen["lr"] = torch.tensor(lr, dtype=torch.float64) if as_tensor else lr
        own = {id(param) for param in chosen["params"]}
        for param, one in zip(self.params, self.expected, strict=True):
            if id(param) in own:
                one.lr = lr

    @rule(closure=st.booleans())  # with whatever gradients there are: none, zeros, or those of the last step
    def step(self, closure):
        before = [None if param.grad is None else param.grad.clone() for param in self.params]
        if closure:
            assert self.optimizer.step(lambda: 7.0) == 7.0
        else:
            self.optimizer.step()
        for param, grad in zip(self.params, before, strict=True):
            assert (param.grad is None) if grad is None else torch.equal(param.grad, grad)
        sign = -1 if self.made["maximize"] else 1
        gradients = [None if grad is None else sign * real(grad) for grad in before]
        reference.step(self.entry.rule, self.expected, gradients)
        sizes = [one.theta.abs().max().item() for one in self.expected if one.theta.numel()]
        self.moved = max([self.moved, *sizes])

    @rule(through_file=st.booleans())
    def resume(self, through_file):
        saved = self.optimizer.state_dict()
        if through_file:
            saved = through_a_file(saved)
        groups = [{"params": group["params"]} for group in self.optimizer.param_groups]
        self.optimizer = self.entry.optimizer(groups, lr=0.5, **self.made)
        self.optimizer.load_state_dict(copy.deepcopy(saved))

    @precondition(lambda self: len(self.params) < 8)
    @rule()
    def copy(self):
        grads = [param.grad for param in self.params]
        self.optimizer = copy.deepcopy(self.optimizer)
        self.params = [param for group in self.optimizer.param_groups for param in group["params"]]
        for param, grad in zip(self.params, grads, strict=True):
            param.grad = grad

    @invariant()
    def every_parameter_is_where_the_reference_has_it(self):
        if not hasattr(self, "params"):
            return
        exact = all(param.dtype != torch.float32 for param in self.params)
        for param, one in zip(self.params, self.expected, strict=True):
            tolerance = (1e-11 if exact else 3e-5) * self.moved
            torch.testing.assert_close(real(param), one.theta, rtol=0, atol=tolerance, msg=self.entry.label)


def real(tensor):
    """A copy in float64; a complex tensor has a further dimension for its two parts."""
    tensor = tensor.detach()
    return (torch.view_as_real(tensor) if tensor.is_complex() else tensor).to(torch.float64, copy=True)


CallOrders.TestCase.settings = settings(
    max_examples=100, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
test_any_order_of_calls = CallOrders.TestCase
