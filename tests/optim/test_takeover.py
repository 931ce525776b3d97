"""Checkpoints of the authors' code and of pytorch_optimizer: ours goes on with them exactly, or says why not."""

import copy
import socket

import pytest
import pytorch_optimizer
import torch
import torch.distributed as dist

from adai import AdaBound, Adai, AdaiV2, AdaiW, Padam, Yogi
from adai.optim.takeover import translated
from tests.optim.problems import arrays, largest_difference, parameters, through_a_file, train


class Authors(torch.optim.Optimizer):
    """The rule of the authors' Adai and AdaiV2 and the state that they keep, in our words.

    Their code is at https://github.com/zeke-xie/adaptive-inertia-adai (adai_optim/adai.py and adaiv2.py).
    """

    def __init__(self, params, **options):
        super().__init__(params, {"betas": (0.1, 0.99), "eps": 1e-3, "weight_decay": 0, **options})

    @torch.no_grad()
    def step(self):
        pairs = [(group, p) for group in self.param_groups for p in group["params"] if p.grad is not None]
        active = [(group, p, self.state[p]) for group, p in pairs]
        v_hats = []
        for group, p, state in active:
            if not state:
                state |= {"step": 0, "exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}
                state["beta1_prod"] = torch.ones_like(p)
            state["step"] += 1
            beta2 = group["betas"][1]
            if group.get("decoupled"):
                p *= 1 - group["lr"] * group["weight_decay"]
            else:
                p.grad += group["weight_decay"] * p
            state["exp_avg_sq"].lerp_(p.grad**2, 1 - beta2)
            v_hats.append(state["exp_avg_sq"] / (1 - beta2 ** state["step"]))
        v_bar = torch.cat([v_hat.flatten() for v_hat in v_hats]).mean()
        for (group, p, state), v_hat in zip(active, v_hats, strict=True):
            beta0, kappa = group["betas"][0], group.get("dampening", 1)
            beta1 = (1 - beta0 * (v_hat / v_bar) ** (1 / (3 - 2 * kappa))).clamp(0, 1 - group["eps"])
            state["beta1_prod"] *= beta1
            state["exp_avg"] *= beta1
            state["exp_avg"] += (1 - beta1) ** kappa * p.grad
            p -= group["lr"] * beta0 ** (1 - kappa) * state["exp_avg"] / (1 - state["beta1_prod"])


def in_groups(params):
    second = {"lr": 0.2, "betas": (0.7, 0.9), "eps": 0.05, "weight_decay": 0.01}
    return [{"params": params[:3], "lr": 0.5, "weight_decay": 0.02}, {"params": params[3:], **second}]


def own(optimizer):
    return [param for group in optimizer.param_groups for param in group["params"]]


def drawn(seed, steps, scale=1.0, **drawing):
    """Gradients of two groups; the second parameter never has one."""
    gradients = [[None if g is None else scale * g for g in one] for one in arrays(seed, steps, **drawing)[1]]
    return [[*one[:1], None, *one[2:]] for one in gradients]


def trained(theirs, steps=20, scale=1.0, dtype=torch.float64, **options):
    optimizer = theirs(in_groups(parameters(arrays(31, 0)[0], dtype)), **options)
    train(optimizer, own(optimizer), drawn(31, steps, scale, late=5))
    return optimizer


def loaded(ours, theirs, edit=None, **options):
    """Our optimizer, of equal parameters, with what their file holds."""
    optimizer = ours(in_groups(parameters(own(theirs), own(theirs)[0].dtype)), lr=123.0)
    state_dict = through_a_file(theirs.state_dict())
    if edit:
        edit(state_dict)
    optimizer.load_state_dict(translated(state_dict, ours.__name__, **options) if options else state_dict)
    return optimizer


def apart(ours, theirs, steps=20, scale=1.0, **drawing):
    """The largest difference between the parameters of both after further steps."""
    for optimizer in (ours, theirs):
        train(optimizer, own(optimizer), drawn(32, steps, scale, **drawing))
    return largest_difference(own(ours), own(theirs))


def without(state_dict, *names):
    for group in state_dict["param_groups"]:
        for name in names:
            group.pop(name, None)


def as_version_2_of_pytorch_optimizer_saved_it(state_dict):
    for group in state_dict["param_groups"]:
        for state in (state_dict["state"].get(index) for index in group["params"]):
            if state:
                state["step"] = group["step"]
    without(state_dict, "step", "foreach", "weight_decouple", "fixed_decay", "stable_weight_decay", "dampening")


# ── goes on ──


@pytest.mark.parametrize(
    ("ours", "options"),
    [
        (Adai, {"decoupled": False}),
        (AdaiW, {"decoupled": True}),
        (AdaiV2, {"decoupled": True}),
        *((AdaiV2, {"decoupled": True, "dampening": dampening}) for dampening in (0.0, 0.6, 1.0)),
        (Adai, {"decoupled": False, "dampening": 1.0}),
        (Adai, {}),  # as it was until 2022, with a class for each kind of decay
    ],
)
def test_the_authors_training_goes_on(ours, options):
    theirs = trained(Authors, **options)
    assert apart(loaded(ours, theirs), theirs, missing=0.3) <= 1e-11


@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize(
    ("ours", "options"),
    [
        (Adai, {}),
        (AdaiW, {"weight_decouple": True}),
        (AdaiW, {"weight_decouple": True, "stable_weight_decay": True}),  # a decoupled decay is stable anyway
        *((AdaiV2, {"weight_decouple": True, "dampening": dampening}) for dampening in (0.0, 0.6, 1.0)),
    ],
)
def test_training_with_pytorch_optimizers_adai_goes_on(ours, options, foreach):
    theirs = trained(pytorch_optimizer.Adai, foreach=foreach, **options)
    assert apart(loaded(ours, theirs), theirs) <= 1e-11


@pytest.mark.parametrize(("ours", "options"), [(Adai, {}), (AdaiW, {"weight_decouple": True})])
def test_training_with_an_early_pytorch_optimizer_goes_on(ours, options):
    theirs = trained(pytorch_optimizer.Adai, **options)
    assert apart(loaded(ours, theirs, as_version_2_of_pytorch_optimizer_saved_it), theirs) <= 1e-11


def test_what_an_early_pytorch_optimizer_has_reset_begins_anew():
    def reset(state_dict):
        as_version_2_of_pytorch_optimizer_saved_it(state_dict)
        for state in state_dict["state"].values():
            zeros = torch.zeros_like(state["exp_avg"])
            state |= {"step": 0, "exp_avg": zeros, "exp_avg_sq": zeros, "beta1_prod": 1 - zeros}

    theirs = trained(pytorch_optimizer.Adai)
    assert apart(loaded(Adai, theirs, reset), Adai(in_groups(parameters(own(theirs))))) == 0


def test_training_with_pytorch_optimizers_yogi_goes_on_once_its_bias_correction_rounds_to_1():
    options = {"betas": (0.9, 0.5), "weight_decouple": False, "initial_accumulator": 0.1}
    theirs = trained(pytorch_optimizer.Yogi, steps=350, **options)  # 0.9^350 = 1e-16
    assert apart(loaded(Yogi, theirs), theirs) <= 1e-11


def test_a_schedule_goes_on_and_what_others_keep_in_groups_stays():
    theirs = trained(Authors, decoupled=True)
    schedules = [torch.optim.lr_scheduler.LambdaLR(theirs, lambda epoch: 0.9**epoch)]
    for _ in range(10):
        train(theirs, own(theirs), drawn(33, 1))
        schedules[0].step()
    theirs.param_groups[0]["param_names"] = ["one", "two", "three"]
    ours = loaded(AdaiW, theirs)
    assert ours.param_groups[0]["param_names"] == ["one", "two", "three"]
    schedules += [torch.optim.lr_scheduler.LambdaLR(ours, lambda epoch: 0.9**epoch, last_epoch=9)]  # needs initial_lr
    for _ in range(10):
        assert apart(ours, theirs, steps=1) <= 1e-11
        for schedule in schedules:
            schedule.step()


def test_in_float32_training_goes_on_to_its_precision():
    theirs = trained(Authors, dtype=torch.float32)
    ours = loaded(Adai, theirs)
    assert {value.dtype for state in ours.state.values() for value in state.values()} == {torch.float32}
    assert apart(ours, theirs) <= 1e-5


@pytest.mark.parametrize("theirs", [Authors, pytorch_optimizer.Adai])
def test_a_file_saved_before_the_first_step_brings_its_hyperparameters(theirs):
    key = "decoupled" if theirs is Authors else "weight_decouple"
    unstepped = trained(theirs, steps=0, **{key: True}, eps=0.02)
    with pytest.raises(ValueError, match="load it into AdaiW"):
        loaded(Adai, unstepped)
    ours = loaded(AdaiW, unstepped)
    assert not ours.state
    assert [(group["lr"], group["weight_decay"], group["eps"]) for group in ours.param_groups] == [
        (0.5, 0.02, 0.02),
        (0.2, 0.01, 0.05),
    ]


# ── what a translation is ──


def test_a_translation_is_in_our_format_and_leaves_the_original_alone():
    state_dict = trained(pytorch_optimizer.Adai, weight_decouple=True).state_dict()
    before = copy.deepcopy(state_dict)
    translation = translated(state_dict, "AdaiV2")
    state = translation["state"][0]
    assert state.keys() == {"step", "exp_avg", "exp_avg_sq", "bias_correction1"}
    assert (state["step"].shape, state["step"].dtype, state["step"].item()) == ((), torch.float32, 20)
    expected = {"params", "lr", "betas", "eps", "weight_decay", "algorithm"}
    assert translation["param_groups"][0].keys() == expected | {"dampening"}
    assert translated(state_dict, "AdaiW")["param_groups"][0].keys() == expected
    assert [group["algorithm"] for group in translation["param_groups"]] == ["AdaiV2", "AdaiV2"]
    for state in translation["state"].values():
        for value in state.values():
            value.zero_()
    assert state_dict["param_groups"] == before["param_groups"]
    for index, state in before["state"].items():
        assert all(torch.equal(state_dict["state"][index][name], value) for name, value in state.items())


def test_a_translation_keeps_what_belongs_to_no_parameter():
    state_dict = trained(Authors).state_dict()
    state_dict["saved_by"] = "a trainer"
    state_dict["state"]["of all"] = {"seen": 3}
    translation = translated(state_dict, "Adai")
    assert (translation["saved_by"], translation["state"]["of all"]) == ("a trainer", {"seen": 3})


OF_OURS = [Adai, AdaiW, AdaiV2, AdaBound, Padam, Yogi]


@pytest.mark.parametrize("optimizer", [*OF_OURS, torch.optim.Adam, pytorch_optimizer.AdaBelief])
def test_a_state_of_ours_or_of_something_unknown_stays_as_it_is(optimizer):
    state_dict = trained(optimizer).state_dict()
    without(state_dict, "algorithm")  # which our first version did not save
    assert translated(state_dict, optimizer.__name__) is state_dict


def test_what_is_no_state_of_an_optimizer_stays_as_it_is():
    state_dict = torch.nn.Linear(2, 2).state_dict()
    assert translated(state_dict, "Adai") is state_dict


def test_a_state_that_lacks_something_is_left_to_who_loads_it():
    theirs = trained(Authors)
    with pytest.raises(ValueError, match="parameter 0 has step, exp_avg_sq, beta1_prod, but no exp_avg, bias_corr"):
        loaded(Adai, theirs, edit=lambda state_dict: state_dict["state"][0].pop("exp_avg"))
    with pytest.raises(ValueError, match="parameter 0 has step, exp_avg, exp_avg_sq, but no bias_correction1"):
        loaded(Adai, theirs, edit=lambda state_dict: state_dict["state"][0].pop("beta1_prod"))


@pytest.mark.parametrize("name", ["betas", "eps", "weight_decay"])
def test_groups_that_lack_something_are_left_to_who_loads_them(name):
    theirs = trained(pytorch_optimizer.Adai)
    with pytest.raises(ValueError, match=f"its groups lack {name}"):
        loaded(Adai, theirs, edit=lambda state_dict: without(state_dict, name))


# ── refused ──

DECOUPLED, COUPLED = {"weight_decouple": True}, {"weight_decouple": False}
OLD = {"steps": 350, "betas": (0.9, 0.5)}
NOTHING = "load the model's weights alone and begin anew"


@pytest.mark.parametrize(
    ("ours", "theirs", "options", "message"),
    [
        (Adai, Authors, {"decoupled": True}, "Adai with decoupled weight_decay=0.02 .*; load it into AdaiW or AdaiV2"),
        (AdaiW, Authors, {"decoupled": False}, "Adai with coupled weight_decay=0.02 .*; load it into Adai$"),
        (AdaiV2, Authors, {"decoupled": False}, "Adai with coupled weight_decay=0.02 .*; load it into Adai$"),
        (AdaiW, Authors, {"decoupled": True, "dampening": 0.5}, "dampening=0.5 and .*; load it into AdaiV2$"),
        (
            AdaiV2,
            Authors,
            {"decoupled": False, "dampening": 0.5},
            f"dampening=0.5 and coupled weight_decay.*; {NOTHING}",
        ),
        (
            Yogi,
            Authors,
            {"decoupled": False},
            "Yogi cannot go on .* another implementation's Adai .*; load it into Adai$",
        ),
        (Adai, pytorch_optimizer.Adai, DECOUPLED, "decoupled weight_decay=0.02 .*; load it into AdaiW or AdaiV2"),
        (AdaiW, pytorch_optimizer.Adai, COUPLED, "coupled weight_decay=0.02 .*; load it into Adai$"),
        (Adai, pytorch_optimizer.Adai, {"dampening": 0.5} | DECOUPLED, "dampening=0.5 and .*; load it into AdaiV2$"),
        (AdaiW, pytorch_optimizer.Adai, {"fixed_decay": True} | DECOUPLED, f"fixed_decay=True.*; {NOTHING}"),
        (
            Adai,
            pytorch_optimizer.Adai,
            {"stable_weight_decay": True} | COUPLED,
            f"stable_weight_decay=True.*; {NOTHING}",
        ),
        (Adai, pytorch_optimizer.Adai, {"use_gc": True} | COUPLED, f"use_gc=True.*; {NOTHING}"),
        (Adai, pytorch_optimizer.Yogi, COUPLED, "Adai cannot go on .* another implementation's Yogi with .*"),
        (Yogi, pytorch_optimizer.Yogi, OLD | DECOUPLED, f"Yogi with decoupled weight_decay=0.02 .*; {NOTHING}"),
        (Yogi, pytorch_optimizer.Yogi, OLD | COUPLED | {"adam_debias": True}, f"adam_debias=True.*; {NOTHING}"),
        (
            Yogi,
            pytorch_optimizer.Yogi,
            COUPLED,
            f"bias correction of v in its epsilon, still after 20 steps.*; {NOTHING}",
        ),
        (AdaBound, pytorch_optimizer.AdaBound, COUPLED, f"pytorch_optimizer's AdaBound, which adds 1e-15.*; {NOTHING}"),
        (Padam, pytorch_optimizer.PAdam, COUPLED, f"pytorch_optimizer's PAdam, which lacks the maximum.*; {NOTHING}"),
    ],
)
def test_another_rule_is_refused_and_the_message_says_where_it_fits(ours, theirs, options, message):
    theirs = trained(theirs, **options)
    with pytest.raises(ValueError, match=message):
        loaded(ours, theirs)


def test_without_weight_decay_its_kind_and_how_it_is_scaled_do_not_matter():
    theirs = trained(pytorch_optimizer.Adai, weight_decouple=True, fixed_decay=True)
    for group in theirs.param_groups:
        group["weight_decay"] = 0.0
    assert apart(loaded(Adai, theirs), theirs) <= 1e-11


def test_groups_with_both_kinds_of_decay_are_refused():
    theirs = trained(pytorch_optimizer.Adai, weight_decouple=True)
    theirs.param_groups[1]["weight_decouple"] = False
    message = f"decoupled weight_decay=0.02 and coupled weight_decay=0.01; {NOTHING}"
    for ours in (Adai, AdaiW, AdaiV2):
        with pytest.raises(ValueError, match=message):
            loaded(ours, theirs)


# ── pytorch_optimizer's floor under the mean of v ──

SMALL = 1e-2


def test_a_mean_of_v_below_the_floor_is_refused():
    theirs = trained(pytorch_optimizer.Adai, scale=SMALL)
    with pytest.raises(ValueError, match=r"the mean of v is .*e-0\d, .*divides by 0.05 where .*without_floor=True"):
        loaded(Adai, theirs)


def test_without_the_floor_training_goes_on_by_the_papers_rule():
    theirs = trained(pytorch_optimizer.Adai, scale=SMALL)
    ours = loaded(Adai, theirs, without_floor=True)
    paper = Authors(in_groups(parameters(own(theirs))), decoupled=False)
    state_dict = theirs.state_dict()
    as_version_2_of_pytorch_optimizer_saved_it(state_dict)
    paper.load_state_dict(copy.deepcopy(state_dict))
    assert apart(ours, paper, scale=SMALL) <= 1e-11


def test_others_have_no_floor():
    theirs = trained(Authors, scale=SMALL)
    assert apart(loaded(Adai, theirs), theirs, scale=SMALL) <= 1e-11


def test_the_floor_is_eps_and_the_mean_is_that_of_all_elements_of_the_corrected_v():
    theirs = pytorch_optimizer.Adai(parameters([torch.ones(3), torch.ones(5)]))
    # Of gradients that stay the same, the corrected v is the square: 0.08 three times and 0.016 five times.
    train(theirs, own(theirs), [[torch.full((3,), 0.08**0.5), torch.full((5,), 0.016**0.5)]] * 3)
    theirs.param_groups[0]["eps"] = 0.0399
    translated(theirs.state_dict(), "Adai")
    theirs.param_groups[0]["eps"] = 0.0401
    with pytest.raises(ValueError, match=r"the mean of v is 4\.0e-02, .* divides by 0\.0401"):
        translated(theirs.state_dict(), "Adai")


def shards(rank, port, printed):
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Shard, distribute_tensor

    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    mesh = init_device_mesh("cpu", (2,))
    param = torch.nn.Parameter(distribute_tensor(torch.zeros(2), mesh, [Shard(0)]))
    param.grad = distribute_tensor(torch.tensor([0.0, 1.0]), mesh, [Shard(0)])
    theirs = pytorch_optimizer.Adai([param], eps=0.4, foreach=False)
    theirs.step()
    translation = translated(theirs.state_dict(), "Adai")  # the mean is 0.5, of the first process's shard 0
    (printed / str(rank)).write_text(str(translation["state"][0]["bias_correction1"].shape))
    dist.destroy_process_group()


@pytest.mark.skipif(not dist.is_gloo_available(), reason="torch was built without gloo")
def test_the_mean_is_over_all_shards(tmp_path):
    pytest.importorskip("torch.distributed.tensor.placement_types", reason="public from torch 2.5 on")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.start_processes(shards, (port, tmp_path), nprocs=2, start_method="spawn")
    assert [(tmp_path / rank).read_text() for rank in "01"] == ["torch.Size([2])"] * 2
