"""The fused step: the same as any other, compiled once for all, on any memory, with nothing of the last step held."""

import copy
import os
import shutil
import subprocess
import sys
import weakref
from pathlib import Path

import pytest
import torch

from adai import Adai, AdaiV2
from adai.optim import fused
from tests.optim.problems import assert_close, each_with_fused, feed, start, trained

needs_compiler = pytest.mark.skipif(
    not (os.environ.get("CI") or shutil.which(os.environ.get("CXX", "g++"))), reason="there is no C++ compiler"
)
OPTIONS = {"lr": 0.5, "weight_decay": 0.01}


def schedule(optimizer, step):
    """Change every number that a step depends on."""
    for group in optimizer.param_groups:
        group["lr"] = 0.1 / (step + 1)
        group["betas"] = (0.1 + 0.01 * step, 0.9 + 0.005 * step)
        group["eps"] = 1e-3 * (step + 1)
        group["weight_decay"] = 0.02 * (step % 3)
        if "dampening" in group:
            group["dampening"] = 1 - 0.1 * step


def scheduled(entry, **options):
    params = start(torch.float32, [(3, 4), (300, 250)])
    optimizer = entry.optimizer(params, lr=0.1, **options)
    for step in range(6):
        schedule(optimizer, step)
        feed(params, step)
        optimizer.step()
    return params


# ── the same step ──


@needs_compiler
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.complex128], ids=str)
@each_with_fused
def test_it_gives_the_same_result(entry, dtype):
    tolerance = {torch.float32: 1e-4, torch.bfloat16: 0.1}.get(dtype, 1e-12)
    for options in (*entry.inputs, {"maximize": True}):
        plain = trained(entry.optimizer, dtype=dtype, **OPTIONS, **options)[0]
        assert_close(trained(entry.optimizer, dtype=dtype, fused=True, **OPTIONS, **options)[0], plain, tolerance)


@needs_compiler
@each_with_fused
def test_schedules_of_every_number_give_the_same_result_and_compile_nothing(entry, monkeypatch):
    plain = scheduled(entry)
    trained(entry.optimizer, fused=True)  # from here on, the kernel is there

    def refuse(*arguments, **options):
        raise AssertionError(f"something was compiled again: {arguments}")

    monkeypatch.setattr(subprocess, "run", refuse)
    monkeypatch.setattr(torch, "compile", refuse)
    assert_close(scheduled(entry, fused=True), plain, 1e-5)


@needs_compiler
def test_any_layout_is_taken():
    def layouts(fused):
        params = start(torch.float32, [(80, 40, 5, 5), (300, 250), (6, 5), (40,)])
        params[0].data = params[0].data.to(memory_format=torch.channels_last)
        params[1].data = params[1].data.t()
        params[2].data = torch.zeros(6, 10)[:, ::2].copy_(params[2].data)  # with gaps, which the kernel does not take
        optimizer = Adai(params, fused=fused)
        for step in range(3):
            feed(params, step)
            params[0].grad = params[0].grad.to(memory_format=torch.channels_last if step else torch.contiguous_format)
            params[3].grad = params[3].grad[:1].expand(40)
            optimizer.step()
        return params

    assert_close(layouts(True), layouts(False), 1e-5)


@needs_compiler
@pytest.mark.parametrize("capability", ["default", "avx2"])
def test_any_processor_gives_the_same_result(capability, tmp_path):
    """In a process of its own, with the vector units that older processors have, and with two threads."""
    options = {"lr": 0.5, "weight_decay": 0.01, "dampening": 0.5}
    program = "import sys, torch; from adai import AdaiV2; from tests.optim.problems import trained; "
    program += "torch.set_num_threads(2); "
    program += f"params = trained(AdaiV2, dtype=torch.float32, fused=True, **{options})[0]; "
    program += "torch.save([param.detach() for param in params], sys.argv[1])"
    environment = os.environ | {"ATEN_CPU_CAPABILITY": capability, "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-c", program, str(tmp_path / "params.pt")]
    subprocess.run(command, check=True, env=environment, cwd=Path(__file__).parents[2])
    assert_close(torch.load(tmp_path / "params.pt"), trained(AdaiV2, dtype=torch.float32, **options)[0], 1e-4)


@needs_compiler
@each_with_fused
def test_any_number_of_threads_gives_the_same_bits(entry):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = trained(entry.optimizer, dtype=torch.float32, fused=True)[0]
        torch.set_num_threads(3)
        assert_close(trained(entry.optimizer, dtype=torch.float32, fused=True)[0], one)
    finally:
        torch.set_num_threads(before)


# ── what it keeps of the last step ──


@needs_compiler
@each_with_fused
def test_what_is_kept_of_the_last_step_changes_no_bit(entry, monkeypatch):
    known = trained(entry.optimizer, dtype=torch.float32, fused=True, weight_decay=0.1)[0]
    monkeypatch.setattr(fused.Kernel, "_has_the_tensors_of", lambda *_: False)
    assert_close(trained(entry.optimizer, dtype=torch.float32, fused=True, weight_decay=0.1)[0], known)


@needs_compiler
@each_with_fused
def test_a_run_is_resumed_bit_for_bit_before_and_after_its_corrections_are_spent(entry):
    params, optimizer = trained(entry.optimizer, steps=0, dtype=torch.float32, fused=True, lr=0.1, eps=0.5)
    for step in range(110):
        feed(params, step)
        optimizer.step()
        if step in (20, 105):
            twins = copy.deepcopy(params)
            resumed = entry.optimizer(twins, fused=True)
            resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
            for number in range(8):
                for ones, one in ((params, optimizer), (twins, resumed)):
                    feed(ones, number)
                    one.step()
            assert_close(twins, params)
    largest = optimizer.state[params[-1]]["bias_correction1"]
    assert largest.untyped_storage().nbytes() == 4


@needs_compiler
@pytest.mark.parametrize("change", ["state in place", "state replaced", "parameter replaced", "parameter cut"])
def test_what_is_changed_by_hand_is_seen(change):
    def train(fused):
        params = start(torch.float32, [(6, 5), (40,)])
        optimizer = Adai(params, fused=fused)
        for step in range(6):
            feed(params, step + 1)
            state = optimizer.state[params[0]]
            if step == 3 and change == "state in place":
                state["exp_avg_sq"].mul_(7)
            if step == 3 and change == "state replaced":
                state["exp_avg_sq"] = 7 * state["exp_avg_sq"]
            if step == 3 and change == "parameter replaced":
                params[0].data = 2 * params[0].data
            if step >= 3 and change == "parameter cut":
                if step == 3:
                    params[0].data = params[0].data[:4]
                    state.update({name: value[:4] for name, value in state.items() if name != "step"})
                params[0].grad = torch.ones(4, 5)
            optimizer.step()
        return params

    assert_close(train(True), train(False), 1e-6)


@needs_compiler
@pytest.mark.parametrize("other", ["transposed", "reshaped", "channels last at the same address"])
def test_a_parameter_that_lies_otherwise_at_the_same_address_is_seen(other):
    def train(fused):
        param = start(torch.float32, [(4, 4, 2, 2)])[0]
        optimizer = Adai([param], fused=fused)
        for step in range(6):
            feed([param], step + 1)
            if step == 3:
                param.grad = None
                if other == "transposed":
                    param.data = param.data.transpose(0, 1)
                elif other == "reshaped":
                    param.data = param.data.view(16, 4)
                else:
                    param.data = param.data.as_strided(param.shape, (16, 1, 8, 4))
                feed([param], step + 1)
            optimizer.step()
        return param

    if other == "reshaped":
        for fused in (True, False):
            with pytest.raises(ValueError, match=r"shape \(4, 4, 2, 2\), but the parameter has \(16, 4\)"):
                train(fused)
    else:
        assert_close([train(True)], [train(False)], 1e-6)


@needs_compiler
@pytest.mark.parametrize("kind", ["negative", "zero", "subclass"])
def test_a_gradient_that_is_not_plain_numbers_in_memory_is_read_as_what_it_is(kind):
    class Marked(torch.Tensor):
        pass

    def train(fused):
        params = start(torch.float32, [(3,), (4, 5)])
        optimizer = Adai(params, fused=fused)
        for step in range(3):
            feed(params, step)
            grad = params[0].grad
            if kind == "negative":
                params[0].grad = torch._neg_view(grad)
            elif kind == "zero":
                params[0].grad = torch._efficientzerotensor(3)
            else:
                params[0].grad = grad.as_subclass(Marked)
            optimizer.step()
        return params

    assert_close(train(True), train(False), 1e-6)


@needs_compiler
def test_gradients_are_not_held():
    params = start(torch.float32, [(40,)])
    optimizer = Adai(params, fused=True)
    feed(params, 1)
    optimizer.step()
    gradient = weakref.ref(params[0].grad)
    optimizer.zero_grad()
    assert gradient() is None


@needs_compiler
@pytest.mark.parametrize("fused", [False, True])
def test_autograd_refuses_to_go_back_over_values_that_a_step_has_changed(fused):
    weight = torch.nn.Parameter(torch.ones(40))
    loss = weight.square().sum()
    loss.backward(retain_graph=True)
    Adai([weight], fused=fused).step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@needs_compiler
def test_a_state_of_another_shape_is_refused_before_anything_is_written():
    params = start(torch.float32, [(6, 5), (40,)])
    optimizer = Adai(params, fused=True)
    feed(params, 1)
    optimizer.step()
    before = copy.deepcopy(params)
    optimizer.state[params[0]]["bias_correction1"] = torch.ones(4, 5)
    with pytest.raises(ValueError, match=r"bias_correction1 of parameter 0 .* has shape \(4, 5\), but .* \(6, 5\)"):
        optimizer.step()
    assert_close(params, before)


# ── the compiler ──


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """Let the kernel be built anew, in an empty cache, and count what is started."""
    fused._library.cache_clear()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    started, run = [], subprocess.run
    monkeypatch.setattr(
        subprocess, "run", lambda command, **options: started.append(command) or run(command, **options)
    )
    yield started
    fused._library.cache_clear()


@needs_compiler
def test_it_is_built_once_for_all_processes(fresh, tmp_path):
    trained(Adai, steps=1, fused=True)
    assert [command[-1].endswith(".so") for command in fresh].count(True) == 1
    fused._library.cache_clear()  # as in another process
    trained(AdaiV2, steps=1, fused=True)
    assert [command[-1].endswith(".so") for command in fresh].count(True) == 1
    assert [path.suffix for path in (tmp_path / "adai").iterdir()] == [".so"]


@needs_compiler
@pytest.mark.parametrize("cache", ["a file in its place", "no home"])
def test_it_is_built_where_there_can_be_no_cache(cache, fresh, monkeypatch, tmp_path):
    if cache == "no home":
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    else:
        (tmp_path / "adai").write_text("")
    assert_close(trained(Adai, fused=True)[0], trained(Adai)[0], 1e-12)


@needs_compiler
def test_a_compiler_may_be_named_with_options(fresh, monkeypatch):
    monkeypatch.setenv("CXX", f"{os.environ.get('CXX', 'g++')} -DANYTHING")
    trained(Adai, steps=1, fused=True)
    assert "-DANYTHING" in fresh[-1]


def test_a_compiler_that_fails_is_quoted(fresh, monkeypatch, tmp_path):
    compiler = tmp_path / "broken"
    compiler.write_text("#!/bin/sh\necho it is broken >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    params, optimizer = trained(Adai, steps=0, fused=True)
    feed(params, 1)
    with pytest.raises(RuntimeError, match=r"(?s)fused=True could not compile its step; .*broken.* says\nit is broken"):
        optimizer.step()
    assert_close(params, start())


@each_with_fused
def test_without_a_compiler_it_is_refused_by_name(entry, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(RuntimeError, match="no-such-compiler"):
        entry.optimizer(start(), fused=True)
    monkeypatch.delenv("CXX")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RuntimeError, match=r"no C\+\+ compiler g\+\+ or clang\+\+: install one"):
        entry.optimizer(start(), fused=True)
    entry.optimizer(start())  # the default needs none


@pytest.mark.parametrize("path", [{"foreach": True}, {"differentiable": True}])
@each_with_fused
def test_paths_that_exclude_each_other_are_refused(entry, path):
    with pytest.raises(ValueError, match="fused without foreach and differentiable"):
        entry.optimizer(start(), fused=True, **path)


# ── as a GPU takes it: torch.compile, tried here on the CPU ──


@pytest.fixture
def by_compiler(monkeypatch):
    monkeypatch.setattr(fused.Kernel, "of", lambda *_: None)
    monkeypatch.setattr(fused, "is_for_cpu", lambda _: False)
    compiled, compile_one = [], fused._compiled
    monkeypatch.setattr(fused, "_compiled", lambda kind: compiled.append(kind) or compile_one(kind))
    torch._dynamo.reset()
    return compiled


@needs_compiler
@each_with_fused
def test_schedules_of_every_number_compile_a_list_of_shapes_once(entry, by_compiler):
    graphs = torch._dynamo.utils.counters["stats"]
    before = graphs["unique_graphs"]
    assert_close(scheduled(entry, fused=True), scheduled(entry), 1e-5)
    assert len(by_compiler) == 1 and graphs["unique_graphs"] == before + 1


@needs_compiler
def test_a_list_that_lacks_gradients_is_not_compiled(by_compiler):
    params = start(torch.float32, [(2,), (3,), (4,)])
    optimizer = Adai(params, fused=True)
    for missing in (None, 0, 1, 2, None):
        feed(params, 1)
        if missing is not None:
            params[missing].grad = None
        optimizer.step()
    assert len(by_compiler) == 1


def test_no_more_steps_are_kept_compiled_than_a_large_network_needs_and_none_longer_than_the_optimizer(monkeypatch):
    class Step:
        def __call__(self, *arguments):
            pass

    monkeypatch.setattr(fused, "_KEPT", 3)
    monkeypatch.setattr(fused, "_compiled", lambda _: Step())
    moves = fused.CompiledMoves()
    for size in (1, 2, 3, 4, 2, 5):
        moves(Adai, *[[torch.zeros(size)]] * 6, 0.1, {})
    assert [tuple(shapes[0]) for shapes, _ in moves._moves] == [(4,), (2,), (5,)]
    kept = [weakref.ref(step) for step in moves._moves.values()]
    del moves
    assert not any(step() for step in kept)


@needs_compiler
def test_spent_corrections_compile_a_list_of_shapes_once_more(by_compiler):
    params = start(torch.float32, [(3,), (4, 5)])
    optimizer = Adai(params, lr=0.1, eps=0.5, fused=True)
    compiled = []
    for step in range(310):
        feed(params, step)
        optimizer.step()
        compiled.append(len(by_compiler))
    assert compiled[0] == compiled[99] == 1 and compiled[-1] == 2
    assert optimizer.state[params[1]]["bias_correction1"].untyped_storage().nbytes() == 4
