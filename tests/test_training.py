"""The one loop: repeatable, paired over optimizers, and equal to the plain loop anyone would write."""

import contextlib
import dataclasses
import json
import os
import pickle
import random
import signal
import subprocess
import sys
import time
from importlib.metadata import version

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from torch.nn import functional as F

from adai import data, experiments, records, training
from adai.data import digits, imagenet, shards
from adai.data.cifar import LAYOUTS
from adai.records import RecordError, Spec
from adai.training import Interrupted, Run, first_steps, train
from tests import forks

SMOKE = experiments.runs("digits", "smoke")


def spec_of(optimizer: str, seed: int = 0, **changes) -> Spec:
    return dataclasses.replace(SMOKE[f"digits/{optimizer}/{seed}"], **changes)


@pytest.mark.parametrize("optimizer", ["adai", "sgd", "adam"])
def test_two_runs_of_one_spec_are_identical(optimizer):
    torch.manual_seed(1)
    one = train(spec_of(optimizer))
    torch.manual_seed(2)
    other = train(spec_of(optimizer))
    assert one.curves == other.curves and one.first_losses == other.first_losses and one.data == other.data


def test_first_steps_repeat_the_beginning_of_the_run():
    spec = spec_of("adai", epochs=10)
    record = train(spec)
    assert len(record.first_losses) == 20
    assert first_steps(spec) == (record.data, record.first_losses)


def test_a_record_names_the_commit_that_its_run_started_at(monkeypatch):
    heads, evaluate = ["a" * 40], Run.evaluate

    def commit_meanwhile(run: Run) -> None:
        heads.append("b" * 40)
        evaluate(run)

    monkeypatch.setattr(records, "_commit", lambda: {"commit": heads[-1], "dirty": False})
    monkeypatch.setattr(Run, "evaluate", commit_meanwhile)
    assert train(spec_of("adai")).environment["commit"] == "a" * 40
    assert heads[-1] == "b" * 40


def test_optimizers_share_split_initial_weights_and_data_order():
    runs = [Run(spec_of(optimizer)) for optimizer in ("adai", "sgd", "adam")]
    for run in runs[1:]:
        assert torch.equal(run.data.test_inputs, runs[0].data.test_inputs)
        for mine, theirs in zip(run.model.parameters(), runs[0].model.parameters(), strict=True):
            assert torch.equal(mine, theirs)
    # A rate too small to move any weight leaves the data order as the only thing that losses can show.
    still = [list(Run(spec_of(name, hyperparameters={"lr": 1e-30})).epoch()) for name in ("adai", "sgd", "adam")]
    assert still[0] == still[1] == still[2]


def test_seeds_differ_in_split_initial_weights_and_data_order():
    one, other = Run(spec_of("sgd", seed=0)), Run(spec_of("sgd", seed=1))
    assert not torch.equal(one.data.test_targets, other.data.test_targets)
    assert not torch.equal(next(one.model.parameters()), next(other.model.parameters()))
    assert one.order.initial_seed() != other.order.initial_seed()


def test_loop_agrees_with_a_plain_one():
    spec = spec_of("sgd", epochs=5)
    run = Run(spec)
    read, weights = run.data, [parameter.detach().clone() for parameter in run.model.parameters()]
    order = torch.Generator().manual_seed(run.order.initial_seed())
    momentum = [torch.zeros_like(weight) for weight in weights]
    lr, mu, decay = (spec.hyperparameters[name] for name in ("lr", "momentum", "weight_decay"))
    expected = []
    for epoch in range(5):
        rate = lr * 0.1 ** ((epoch >= 2) + (epoch >= 4))  # 40 % and 80 % of five epochs
        shuffled = torch.randperm(128, generator=order)
        for start in range(0, 128, 32):
            batch = shuffled[start : start + 32]
            for weight in weights:
                weight.requires_grad_()
            hidden = F.relu(read.train_inputs[batch] @ weights[0].T + weights[1])
            hidden = F.relu(hidden @ weights[2].T + weights[3])
            loss = F.cross_entropy(hidden @ weights[4].T + weights[5], read.train_targets[batch])
            gradients = torch.autograd.grad(loss, weights)
            weights = [weight.detach() for weight in weights]
            momentum = [mu * m + g + decay * w for m, g, w in zip(momentum, gradients, weights, strict=True)]
            weights = [w - rate * m for w, m in zip(weights, momentum, strict=True)]
            expected.append(loss.item())
    record = train(spec)
    assert record.first_losses == pytest.approx(expected, rel=1e-5)
    assert record.curves["train_loss"][-1] == pytest.approx(sum(expected[-4:]) / 4, rel=1e-5)


def test_record_says_what_was_measured():
    record = train(spec_of("adam"))
    assert record.data["label"] == "digits (scikit-learn)"
    assert {len(curve) for curve in record.curves.values()} == {record.spec.epochs}
    assert all(0 <= error <= 100 for error in record.curves["test_error"])
    assert record.environment["threads"] == 1 and record.environment["torch"] == version("torch")
    assert record.environment["device"]


def test_test_error_is_the_share_of_wrong_answers():
    run = Run(spec_of("sgd"))
    last = run.model[-1]
    torch.nn.init.zeros_(last.weight)
    last.bias.data = F.one_hot(torch.tensor(3), 10).float()
    threes = (run.data.test_targets == 3).float().mean().item()
    run.evaluate()
    assert run.curves["test_error"] == [pytest.approx(100 * (1 - threes))]


def test_training_leaves_the_callers_random_numbers_alone():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    train(spec_of("sgd"))
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("kind", ["dataset", "model", "optimizer"])
def test_unknown_name_is_refused(kind):
    with pytest.raises(RecordError, match=f"no {kind} is called 'nix'; there are "):
        Run(dataclasses.replace(spec_of("sgd"), **{kind: "nix"}))


def test_split_uses_every_digit_once():
    read = digits.load(seed=5)
    everything = torch.cat([read.train_targets, read.test_targets])
    assert (len(read.train_targets), len(read.test_targets)) == (1344, 453)
    assert torch.equal(
        everything.bincount(),
        digits.load(seed=6).train_targets.bincount() + digits.load(seed=6).test_targets.bincount(),
    )
    assert read.train_inputs.mean().abs() < 1e-5 and (read.train_inputs.std() - 1).abs() < 1e-5


def test_checksum_is_that_of_the_whole_set():
    # A changed checksum means other digits: every record of the book would stop being comparable.
    expected = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
    assert digits.load(seed=0).checksum == digits.load(seed=1, limit=10).checksum == expected


# ── stopping and going on ──


KILLS = int(os.environ.get("ADAI_KILLS", "3"))


class StopAfter:
    """Stands in for the event that SIGTERM sets, after so many steps."""

    def __init__(self, steps):
        self.steps = steps

    def is_set(self):
        self.steps -= 1
        return self.steps < 0


@pytest.mark.parametrize("optimizer", ["adai", "adam"])
@pytest.mark.parametrize("stop", [0, 1, 3, 4, 5, 11])
def test_a_stopped_run_goes_on_bit_for_bit(optimizer, stop, tmp_path, monkeypatch):
    spec = spec_of(optimizer, epochs=3)
    whole = train(spec)
    checkpoint = tmp_path / "checkpoint"
    with monkeypatch.context() as patched:
        patched.setattr(training, "stop_signal", lambda: contextlib.nullcontext(StopAfter(stop)))
        with pytest.raises(Interrupted):
            train(spec, checkpoint=checkpoint)
    assert checkpoint.exists()
    resumed = train(spec, checkpoint=checkpoint)
    assert resumed.curves == whole.curves and resumed.first_losses == whole.first_losses
    assert not checkpoint.exists()


def test_a_killed_run_goes_on_from_its_last_checkpoint(tmp_path):
    spec = spec_of("adai", epochs=60 * KILLS)
    script = (
        "import sys, pathlib, time; from adai import training; from adai.records import Spec; import json;"
        "step = training.Run.step; training.Run.step = lambda *a: (time.sleep(0.002), step(*a))[1];"
        "training.CHECKPOINT_STEPS = 20;"
        "record = training.train(Spec.from_dict(json.loads(sys.argv[1])), checkpoint=pathlib.Path(sys.argv[2]));"
        "print(json.dumps([record.curves, record.first_losses]))"
    )
    checkpoint = tmp_path / "checkpoint"
    arguments, printed = (json.dumps(dataclasses.asdict(spec)), str(checkpoint)), tmp_path / "printed"
    pause = random.Random(0)
    for _ in range(KILLS):
        process = forks.start(script, *arguments, printed=printed)
        seen = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        # Not before it has got further, so that the test ends.
        while process.is_alive() and (not checkpoint.exists() or checkpoint.stat().st_mtime_ns == seen):
            time.sleep(0.01)
        time.sleep(pause.uniform(0, 0.3))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL, printed.read_text()
    process = forks.start(script, *arguments, printed=printed)
    process.join()
    whole = train(spec)
    assert json.loads(printed.read_text()) == [whole.curves, whole.first_losses]
    assert all(path.suffix == ".part" or path == printed for path in tmp_path.iterdir())


def test_sigterm_saves_and_ends_the_run(tmp_path):
    checkpoint = tmp_path / "checkpoint"
    script = (
        "import os, signal, sys, pathlib, json; from adai import training; from adai.records import Spec;"
        "step = training.Run.step; count = [0]\n"
        "def counted(*a):\n"
        "    count[0] += 1\n"
        "    if count[0] == 6: os.kill(os.getpid(), signal.SIGTERM)\n"
        "    return step(*a)\n"
        "training.Run.step = counted\n"
        "training.train(Spec.from_dict(json.loads(sys.argv[1])), checkpoint=pathlib.Path(sys.argv[2]))"
    )
    spec = json.dumps(dataclasses.asdict(spec_of("sgd", epochs=5)))
    process = forks.start(script, spec, str(checkpoint), printed=tmp_path / "printed")
    process.join()
    assert process.exitcode == 128 + signal.SIGTERM, (tmp_path / "printed").read_text()
    run = Run(spec_of("sgd", epochs=5))
    run.restore(checkpoint)
    assert run.steps == 6 and len(run.curves["train_loss"]) == 1 and len(run.losses) == 2


def test_a_checkpoint_of_another_run_or_a_damaged_one_is_named(tmp_path):
    checkpoint = tmp_path / "checkpoint"
    Run(spec_of("sgd")).save(checkpoint)
    with pytest.raises(RecordError, match="is of the spec"):
        train(spec_of("adam"), checkpoint=checkpoint)
    checkpoint.write_bytes(checkpoint.read_bytes()[:-50])
    with pytest.raises(RecordError, match="is damaged"):
        train(spec_of("sgd"), checkpoint=checkpoint)


def test_kept_weights_are_the_last_ones_in_half_precision(tmp_path):
    spec = spec_of("sgd", keep_weights=True)
    assert spec.hash != spec_of("sgd").hash
    weights = tmp_path / "weights.safetensors"
    train(spec, weights=weights)
    kept = safetensors.torch.load_file(weights)
    run = Run(spec)
    for _ in range(spec.epochs):
        list(run.epoch())
    for name, value in run.model.state_dict().items():
        assert torch.equal(kept[name], value.half())


def test_training_errors_are_those_of_the_batches_before_their_step():
    spec = spec_of("sgd", epochs=1, hyperparameters={"lr": 1e-30})
    run = Run(spec)
    list(run.epoch())
    run.model.eval()
    wrong = (run.model(run.data.train_inputs).argmax(dim=1) != run.data.train_targets).float().mean().item()
    assert run.curves["train_error"] == [pytest.approx(100 * wrong)]


# ── augmentation, precision, and several processes ──


@pytest.fixture
def cifar(tmp_path_factory, monkeypatch):
    """A spec on a few made-up images in CIFAR's layout, augmented."""
    folder = tmp_path_factory.mktemp("data")
    monkeypatch.setenv("ADAI_DATA", str(folder))
    layout, rng = LAYOUTS["cifar10"], np.random.default_rng(0)
    (folder / layout.directory).mkdir()
    for file in (*layout.train, layout.test):
        batch = {b"data": rng.integers(0, 256, (30, 3072), dtype=np.uint8), b"labels": rng.integers(0, 10, 30).tolist()}
        (folder / layout.directory / file).write_bytes(pickle.dumps(batch, protocol=2))
    return Spec(
        experiment="table1",
        scale="smoke",
        dataset="cifar10",
        dataset_options={"label": "made up", "size": 16, "holdout": 30},
        model="resnet8",
        model_options={"width": 4},
        optimizer="adai",
        hyperparameters={"lr": 0.1},
        seed=0,
        epochs=3,
        batch_size=32,
        augment=True,
    )


def test_an_augmented_run_sees_other_pixels_and_goes_on_bit_for_bit(cifar, tmp_path, monkeypatch):
    whole = train(cifar)
    assert whole.first_losses != train(dataclasses.replace(cifar, augment=False)).first_losses
    with monkeypatch.context() as patched:
        patched.setattr(training, "stop_signal", lambda: contextlib.nullcontext(StopAfter(5)))
        with pytest.raises(Interrupted):
            train(cifar, checkpoint=tmp_path / "checkpoint")
    resumed = train(cifar, checkpoint=tmp_path / "checkpoint")
    assert resumed.curves == whole.curves and resumed.first_losses == whole.first_losses


def test_a_network_that_compiled_would_make_onednn_destroy_memory_is_refused(cifar):
    with pytest.raises(RecordError, match=r"resnet8 of \{'width': 4\} is too narrow to be compiled on a CPU"):
        train(cifar, compiled=True)


def test_held_out_images_have_a_curve_of_their_own(cifar):
    record = train(cifar)
    assert len(record.curves["held_out_error"]) == cifar.epochs
    assert record.curves["held_out_error"] != record.curves["test_error"]


def test_on_a_cpu_mixed_precision_is_fp32_and_the_record_says_so(cifar):
    mixed, full = train(dataclasses.replace(cifar, precision="mixed")), train(cifar)
    assert mixed.curves == full.curves
    assert mixed.environment["precision"] == full.environment["precision"] == "float32"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_on_a_gpu_a_run_starts_like_the_one_on_the_cpu(cifar):
    here, there = train(cifar), train(cifar, "cuda")
    assert there.first_losses[:3] == pytest.approx(here.first_losses[:3], rel=1e-3)
    mixed = train(dataclasses.replace(cifar, precision="mixed"), "cuda")
    assert mixed.environment["precision"] in ("bfloat16", "float16")
    assert mixed.first_losses[0] == pytest.approx(here.first_losses[0], rel=3e-2)


# ── sets that stay on the host, resized crops, five guesses ──


@pytest.fixture
def photographs(tmp_path_factory, monkeypatch):
    """A spec on a few made-up photographs in ImageNet's layout, decoded into several shards."""
    folder, rng = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    monkeypatch.setenv("ADAI_DATA", str(folder))
    monkeypatch.setattr(shards, "IMAGES", 16)
    for part, count in (("train", 12), ("val", 4)):
        for name in (f"n{number:02}" for number in range(6)):
            (folder / "imagenet" / part / name).mkdir(parents=True)
            for number in range(count):
                colours = rng.integers(0, 256, (10, 10, 3), dtype=np.uint8).repeat(4, 0).repeat(4, 1)
                Image.fromarray(colours).save(folder / "imagenet" / part / name / f"{number}.JPEG")
    imagenet.decode(classes=6, size=32)
    return Spec(
        experiment="imagenet",
        scale="smoke",
        dataset="imagenet",
        dataset_options={"classes": 6, "size": 32},
        model="resnet14",
        model_options={"width": 4, "classes": 6},
        optimizer="adai",
        hyperparameters={"lr": 0.1},
        seed=0,
        epochs=2,
        batch_size=16,
        augment=True,
        crop="resized",
        top5=True,
    )


def test_a_mapped_set_trains_like_one_in_memory(photographs, monkeypatch):
    mapped = train(photographs)
    load = data.load

    def in_memory(*arguments, **options):
        read = load(*arguments, **options)
        inputs = (images[torch.arange(len(images))] for images in (read.train_inputs, read.test_inputs))
        return read._replace(**dict(zip(("train_inputs", "test_inputs"), inputs, strict=True)))

    monkeypatch.setattr(data, "load", in_memory)
    held = train(photographs)
    assert mapped.curves == held.curves and mapped.first_losses == held.first_losses


def test_a_run_on_resized_crops_goes_on_bit_for_bit(photographs, tmp_path, monkeypatch):
    whole = train(photographs)
    assert whole.first_losses != train(dataclasses.replace(photographs, seed=1)).first_losses
    with monkeypatch.context() as patched:
        patched.setattr(training, "stop_signal", lambda: contextlib.nullcontext(StopAfter(6)))
        with pytest.raises(Interrupted):
            train(photographs, checkpoint=tmp_path / "checkpoint")
    resumed = train(photographs, checkpoint=tmp_path / "checkpoint")
    assert resumed.curves == whole.curves and resumed.first_losses == whole.first_losses


def test_a_share_of_a_batch_is_that_part_of_the_whole(photographs):
    batch, parts = torch.randperm(72)[:16], []
    for share in (slice(None), slice(0, None, 2), slice(1, None, 2)):
        run = Run(photographs)
        parts.append(run.inputs(batch, share, run.draws))
    assert torch.equal(parts[0][0::2], parts[1]) and torch.equal(parts[0][1::2], parts[2])


def test_a_mapped_set_is_not_padded(photographs):
    with pytest.raises(RecordError, match="is not in memory, where crop='padded' needs it: take crop='resized'"):
        Run(dataclasses.replace(photographs, crop="padded"))


def test_top5_error_is_the_share_of_classes_that_five_guesses_miss(photographs):
    run = Run(photographs)
    torch.nn.init.zeros_(run.model.head.weight)
    run.model.head.bias.data = torch.tensor([5.0, 4.0, 3.0, 2.0, 1.0, 0.0])
    run.evaluate()
    # Four test images of each of six classes; the first guess is always class 0, and class 5 is never among five.
    assert run.curves["test_error"] == [pytest.approx(100 * 5 / 6)]
    assert run.curves["test_top5_error"] == [pytest.approx(100 / 6)]


def test_top5_changes_nothing_else(photographs):
    with_it, without = train(photographs), train(dataclasses.replace(photographs, top5=False))
    assert with_it.curves.keys() - without.curves.keys() == {"test_top5_error"}
    assert all(with_it.curves[name] == curve for name, curve in without.curves.items())
    assert with_it.first_losses == without.first_losses


def test_two_processes_make_the_run_of_one(tmp_path):
    # Batches of 32 and a last one of 20 digits, then of 21, which two processes share unevenly.
    specs = [spec_of("adai", epochs=4, dataset_options={"limit": limit}) for limit in (116, 117)]
    script = (
        "import json, pathlib, sys; from adai import processes, training; from adai.records import Spec;"
        "folder = pathlib.Path(sys.argv[2])\n"
        "with processes.joined('cpu') as (device, rank):\n"
        "  for spec in map(Spec.from_dict, json.loads(sys.argv[1])):\n"
        "    record = training.train(spec, device, checkpoint=folder / 'checkpoint')\n"
        "    if rank == 0: record.save(folder)"
    )
    (tmp_path / "run.py").write_text(script)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += [str(tmp_path / "run.py"), json.dumps([dataclasses.asdict(spec) for spec in specs]), str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert run.returncode == 0, run.stderr[-3000:]
    for spec in specs:
        shared, alone = records.read(records.path_of(spec, tmp_path)), train(spec)
        assert shared.environment["processes"] == 2 and alone.environment["processes"] == 1
        assert shared.first_losses == pytest.approx(alone.first_losses, rel=1e-4)
        for quantity, curve in alone.curves.items():
            assert shared.curves[quantity] == pytest.approx(curve, rel=1e-3, abs=0.5), quantity
