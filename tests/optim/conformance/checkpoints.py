"""torch.distributed.checkpoint in one process: a run resumes bit for bit, whatever the age of either optimizer."""

import torch

from tests.optim.conformance.case import AGES, behaviour, go_on
from tests.optim.problems import SMALL, assert_close, start, through_a_checkpoint, through_a_file

MORE = range(300, 305)


def trained(case, age):
    """Return a module with an optimizer of it, after the steps of this age, or none."""
    network = torch.nn.ParameterList(start(torch.float32, SMALL))
    optimizer = case(network.parameters(), **case.options(age))
    go_on(optimizer, range(AGES.get(age, 0)))
    return network, optimizer


def resumed_by(case, age, carry):
    """Assert that `carry`, from one module and its optimizer to others, makes a fresh and an old one go on as these."""
    before = trained(case, age)
    others = [trained(case, other) for other in ("fresh", "old")]
    for other in others:
        carry(before, other)
    expected = go_on(before[1], MORE)
    for _, optimizer in others:
        assert_close(go_on(optimizer, MORE), expected)


def through_dicts(**options):
    from torch.distributed.checkpoint.state_dict import (
        StateDictOptions,
        get_optimizer_state_dict,
        set_optimizer_state_dict,
    )

    def carry(before, after):
        chosen = StateDictOptions(**options)
        state = through_a_file(get_optimizer_state_dict(*before, options=chosen))
        after[0].load_state_dict(before[0].state_dict())
        set_optimizer_state_dict(*after, optim_state_dict=state, options=chosen)

    return carry


@behaviour
def checkpoint_of_a_young_run(case):
    """torch.distributed.checkpoint: a young run resumes bit for bit, in a fresh and in an old optimizer"""
    resumed_by(case, "young", through_a_checkpoint)


@behaviour
def checkpoint_of_an_old_run(case):
    """torch.distributed.checkpoint: an old run resumes bit for bit, in a fresh and in an old optimizer"""
    resumed_by(case, "old", through_a_checkpoint)


@behaviour
def full_state_dict(case):
    """get_optimizer_state_dict, full_state_dict: a young and an old run resume bit for bit"""
    for age in AGES:
        resumed_by(case, age, through_dicts(full_state_dict=True))


@behaviour
def flattened_state_dict(case):
    """get_optimizer_state_dict, flatten_optimizer_state_dict: a young and an old run resume bit for bit"""
    for age in AGES:
        resumed_by(case, age, through_dicts(flatten_optimizer_state_dict=True))
