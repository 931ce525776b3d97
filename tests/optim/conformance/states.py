"""States: resumed, copied, of an older version, of another optimizer."""

import copy
import pickle
from functools import partial

import torch
from torch.optim import lr_scheduler

from tests.optim.conformance.case import ADAM, assert_same_state, behaviour, frozen, go_on, refused, twin
from tests.optim.problems import SHAPES, assert_close, through_a_file


@behaviour
def resumes(case):
    """a state_dict resumes bit for bit"""
    for options in case.inputs():
        if case.info is ADAM and "lr" in options:
            continue
        params, optimizer = case.trained(dtype=torch.float32, **options)
        resumed = twin(case, params, lr=1.0)
        resumed.load_state_dict(frozen(optimizer))
        assert_close(go_on(resumed), go_on(optimizer))


@behaviour
def resumes_from_file(case):
    """a state_dict resumes through a file that is loaded with weights_only=True"""
    params, optimizer = case.trained(dtype=torch.float32)
    resumed = twin(case, params)
    resumed.load_state_dict(through_a_file(optimizer.state_dict()))
    assert_close(go_on(resumed), go_on(optimizer))


@behaviour
def resumes_with_schedule(case):
    """a state_dict resumes beside its scheduler's"""
    params, optimizer = case.trained(dtype=torch.float32, lr=0.1)
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)
    scheduler.step()
    resumed = twin(case, params, lr=0.1)
    second = lr_scheduler.ExponentialLR(resumed, 0.5)
    resumed.load_state_dict(frozen(optimizer))
    second.load_state_dict(copy.deepcopy(scheduler.state_dict()))
    for one, its in ((optimizer, scheduler), (resumed, second)):
        go_on(one, range(5, 6))
        its.step()
    assert_close(go_on(resumed, range(6, 8)), go_on(optimizer, range(6, 8)))


@behaviour
def copies(case):
    """deepcopy and pickle give an optimizer that goes on alike and has the same attributes"""
    for clone in (copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))):
        _, optimizer = case.trained(dtype=torch.float32)
        other = clone(optimizer)
        public = [{name for name in dir(one) if not name.startswith("_")} for one in (optimizer, other)]
        assert public[0] == public[1]
        assert_close(go_on(other), go_on(optimizer))


@behaviour
def older_states(case):
    """a state saved before foreach, fused, capturable, … existed is taken up"""
    params, optimizer = case.trained()
    saved = frozen(optimizer)
    for group in saved["param_groups"]:
        for flag in set(case.info.not_og_supported_flags) & group.keys():
            del group[flag]
    resumed = twin(case, params)
    resumed.load_state_dict(saved)
    assert_close(go_on(resumed), go_on(optimizer))


@behaviour
def number_steps(case):
    """a state whose step is a number is taken up"""
    params, optimizer = case.trained()
    saved = frozen(optimizer)
    for state in saved["state"].values():
        state["step"] = state["step"].item()
    resumed = twin(case, params)
    resumed.load_state_dict(saved)
    assert_close(go_on(resumed), go_on(optimizer))


@behaviour
def foreign_states(case):
    """another optimizer's state_dict is a ValueError, and nothing has changed"""
    params, optimizer = case.trained()
    before = frozen(optimizer)
    for foreign in (partial(torch.optim.SGD, momentum=0.9), torch.optim.Adagrad):
        other = foreign([torch.nn.Parameter(param.detach().clone()) for param in params])
        go_on(other)
        refused(ValueError, optimizer.load_state_dict, other.state_dict())
        assert_same_state(optimizer, before)


@behaviour
def other_shapes(case):
    """the state_dict of parameters of other shapes is a ValueError, and nothing has changed"""
    _, optimizer = case.trained()
    before = frozen(optimizer)
    _, other = case.trained(shapes=[(2, *shape) for shape in SHAPES])
    refused(ValueError, optimizer.load_state_dict, other.state_dict())
    assert_same_state(optimizer, before)


@behaviour
def other_groups(case):
    """the state_dict of other numbers of parameters or groups is a ValueError, and nothing has changed"""
    params, optimizer = case.trained()
    before = frozen(optimizer)
    halves = [{"params": params[:3]}, {"params": params[3:]}]
    for other in (case(params[:-1]), case(halves)):
        refused(ValueError, optimizer.load_state_dict, other.state_dict())
        assert_same_state(optimizer, before)
