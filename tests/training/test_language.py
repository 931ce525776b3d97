"""Training on text: the state is carried, runs repeat and go on bit for bit, and a perplexity has one meaning."""

import dataclasses
import itertools
import json
import math
import signal

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from adai import records
from adai.data import ptb
from adai.models import MODELS
from adai.records import RecordError, Spec
from adai.training import LanguageRun, first_steps, make_run, train
from adai.training.language import perplexity
from tests import forks

WORDS, BATCH, BPTT, TOKENS = 30, 4, 5, 203
SPEC = Spec(
    experiment="language",
    scale="smoke",
    dataset="ptb",
    dataset_options={"label": "made up"},
    model="lstm",
    model_options={"words": WORDS, "width": 8, "layers": 2},
    optimizer="adai",
    hyperparameters={"lr": 1},
    seed=0,
    epochs=3,
    batch_size=BATCH,
    milestones=(),
    clip=1,
    bptt=BPTT,
)


@pytest.fixture(autouse=True)
def folder(tmp_path_factory, monkeypatch):
    """Made-up texts in the published layout; all words stand in the training text."""
    home = tmp_path_factory.mktemp("data")
    monkeypatch.setenv("ADAI_DATA", str(home))
    (home / "ptb").mkdir()
    rng = np.random.default_rng(0)
    for part, length in (("train", TOKENS - WORDS), ("valid", 61), ("test", 47)):
        words = [*(range(WORDS - 1) if part == "train" else ()), *rng.integers(0, WORDS - 1, length)]
        (home / "ptb" / f"ptb.{part}.txt").write_text(" ".join(f"w{word}" for word in words) + " \n")
    return home


def changed(**fields) -> Spec:
    return dataclasses.replace(SPEC, **fields)


# ── perplexity ──


def model_of(words=WORDS, **options) -> torch.nn.Module:
    torch.manual_seed(0)
    return MODELS["lstm"](words=words, **{"width": 8, "layers": 2} | options).eval()


def test_perplexity_is_the_mean_over_all_tokens_given_all_before():
    model, text = model_of(), torch.randint(WORDS, (51,))
    state, total = model.start(1), 0.0
    for before, token in itertools.pairwise(text):
        with torch.no_grad():
            logits, state = model(before.view(1, 1), state)
        total -= F.log_softmax(logits[0, 0], dim=0)[token].item()
    assert perplexity(model, text[:-1], text[1:]) == pytest.approx(math.exp(total / 50), rel=1e-6)


@pytest.mark.parametrize("steps", [1, 7, 35, 70, 1000])
def test_perplexity_does_not_depend_on_how_much_is_read_at_a_time(steps):
    model, text = model_of(), torch.randint(WORDS, (301,))
    expected = perplexity(model, text[:-1], text[1:], steps=300)
    assert perplexity(model, text[:-1], text[1:], steps=steps) == pytest.approx(expected, rel=1e-6)


def test_perplexity_does_not_depend_on_the_layout_of_training():
    found = []
    for batch_size, bptt in ((1, 35), (10, 35), (10, 70)):
        run = make_run(changed(batch_size=batch_size, bptt=bptt))
        run.evaluate()
        found.append((run.curves["valid_perplexity"], run.curves["test_perplexity"]))
    assert found[0] == found[1] == found[2]


def test_an_untrained_network_hesitates_between_all_words():
    model = model_of(words=500)
    text = torch.randint(500, (200,))
    assert perplexity(model, text[:-1], text[1:]) == pytest.approx(500, rel=0.02)


# ── a run ──


def test_a_step_is_one_of_truncated_backpropagation():
    # The loop again, by hand: lanes, carried state, clipping, SGD, with dropout off.
    spec = changed(
        optimizer="sgd", hyperparameters={"lr": 2}, clip=0.05, model_options=SPEC.model_options | {"dropout": 0}
    )
    run = make_run(spec)
    model = MODELS["lstm"](**spec.model_options)
    model.load_state_dict(run.model.state_dict())
    length = TOKENS // BATCH
    inputs, targets = (
        text[: BATCH * length].view(BATCH, length).t() for text in (run.data.train_inputs, run.data.train_targets)
    )
    losses = []
    for _ in range(2):
        state = model.start(BATCH)
        for start in range(0, length, BPTT):
            logits, state = model(inputs[start : start + BPTT], state)
            state = state.detach()
            loss = F.cross_entropy(logits.flatten(0, 1), targets[start : start + BPTT].flatten())
            gradients = torch.autograd.grad(loss, list(model.parameters()))
            norm = sum(gradient.square().sum() for gradient in gradients).sqrt()
            assert norm > 0.05, "this test wants clipping to matter"
            with torch.no_grad():
                for parameter, gradient in zip(model.parameters(), gradients, strict=True):
                    parameter -= 2 * gradient * 0.05 / norm
            losses.append(loss.item())
    assert [*run.epoch(), *run.epoch()] == pytest.approx(losses, rel=1e-4)


def test_optimizers_share_initial_weights_and_dropout_and_seeds_differ_in_both():
    still = {"lr": 1e-30}
    one, other = (list(make_run(changed(optimizer=o, hyperparameters=still)).epoch()) for o in ("sgd", "adam"))
    assert one == other
    run, seed1 = make_run(SPEC), make_run(changed(seed=1))
    assert not torch.equal(run.model.embedding.weight, seed1.model.embedding.weight)
    seed1.model.load_state_dict(run.model.state_dict())
    assert next(run.epoch()) != next(seed1.epoch())


def test_the_state_is_carried_from_step_to_step_and_starts_anew_with_an_epoch():
    run = make_run(changed(hyperparameters={"lr": 1e-30}, model_options=SPEC.model_options | {"dropout": 0}))
    text = run.lanes[0]
    for _ in range(2):
        epoch = run.epoch()
        for step in (1, 2):
            next(epoch)
            with torch.no_grad():
                _, expected = run.model(text[: step * BPTT], run.model.start(BATCH))
            assert torch.allclose(run.state, expected, rtol=1e-5, atol=1e-9)
        list(epoch)


def masks(run: LanguageRun, steps: int) -> list[bytes]:
    """Which entries of the embedding each step dropped."""
    seen, epoch = [], run.epoch()

    def note(_: object, __: object, output: torch.Tensor) -> None:
        seen.append((output == 0).numpy().tobytes())

    with run.model.dropout.register_forward_hook(note):
        for _ in range(steps):
            next(epoch)
    return seen[:: len(run.model.layers) + 1]


def test_each_step_drops_other_units_which_follow_from_seed_and_step():
    first = masks(make_run(SPEC), 4)
    assert len(set(first)) == 4
    torch.manual_seed(5)
    assert first == masks(make_run(changed(optimizer="sgd")), 4)
    assert not set(first) & set(masks(make_run(changed(seed=1)), 4))


def test_perplexities_are_those_of_the_texts_that_name_them():
    run = make_run(SPEC)
    assert isinstance(run, LanguageRun)
    list(run.epoch())  # which leaves the network in training, with dropout
    run.evaluate()
    data = run.data
    for part, inputs, targets in (
        ("valid", data.held_out_inputs, data.held_out_targets),
        ("test", data.test_inputs, data.test_targets),
    ):
        assert run.curves[f"{part}_perplexity"] == [perplexity(run.model, inputs, targets)]
    assert len(data.held_out_targets) == 62 and len(data.test_targets) == 48


def test_the_lanes_are_the_text_and_what_is_left_over_is_its_end():
    run = make_run(SPEC)
    inputs, targets = run.lanes
    words = ptb.vocabulary()
    text = (ptb.folder() / "ptb" / "ptb.train.txt").read_text().replace("\n", ptb.END).split()
    length = TOKENS // BATCH
    for lane in range(BATCH):
        assert [words[index] for index in targets[:, lane]] == text[lane * length : (lane + 1) * length]
    assert torch.equal(inputs[1:], targets[:-1])
    assert torch.cat(list(run.batches())).tolist() == list(range(length))


def test_a_run_repeats_and_leaves_the_callers_random_numbers_alone():
    torch.manual_seed(1)
    one, after = train(SPEC), torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(1), after)
    other = train(SPEC)
    assert one.curves == other.curves and one.first_losses == other.first_losses
    assert first_steps(SPEC) == (one.data, one.first_losses)
    assert len(one.first_losses) == 20


def test_a_record_has_perplexities_and_can_be_read_back(tmp_path):
    record = train(SPEC)
    assert record.curves.keys() == {"train_loss", "valid_perplexity", "test_perplexity"}
    assert all(len(curve) == SPEC.epochs for curve in record.curves.values())
    path = record.save(tmp_path)
    assert records.read(path).result() == f"test perplexity {record.curves['test_perplexity'][-1]:.1f}"


@pytest.mark.parametrize("stop", [0, 1, 8, 9, 10, 11, 25])  # an epoch has ten steps
def test_a_stopped_run_goes_on_bit_for_bit(stop, stopped_and_resumed):
    whole, resumed = train(SPEC), stopped_and_resumed(SPEC, stop)
    assert resumed.curves == whole.curves and resumed.first_losses == whole.first_losses


def test_a_killed_run_goes_on_from_its_last_checkpoint(tmp_path):
    script = (
        "import json, os, pathlib, signal, sys; from adai import training; from adai.records import Spec;"
        "training.CHECKPOINT_STEPS = 4; step = training.LanguageRun.step; count = [0]\n"
        "def counted(*a):\n"
        "    count[0] += 1\n"
        "    if count[0] == 15: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return step(*a)\n"
        "training.LanguageRun.step = counted\n"
        "training.train(Spec.from_dict(json.loads(sys.argv[1])), checkpoint=pathlib.Path(sys.argv[2]))"
    )
    checkpoint = tmp_path / "checkpoint"
    arguments, printed = (json.dumps(dataclasses.asdict(SPEC)), str(checkpoint)), tmp_path / "printed"
    process = forks.start(script, *arguments, printed=printed)
    process.join()
    assert process.exitcode == -signal.SIGKILL, printed.read_text()
    run = LanguageRun(SPEC)
    run.restore(checkpoint)
    assert run.steps == 12
    whole = train(SPEC)
    assert train(SPEC, checkpoint=checkpoint).curves == whole.curves


def test_a_run_that_diverges_has_a_record_all_the_same(tmp_path):
    record = train(changed(optimizer="sgd", hyperparameters={"lr": 1e15}, clip=None))
    assert not all(map(math.isfinite, record.curves["test_perplexity"]))
    assert math.isnan(records.read(record.save(tmp_path)).curves["test_perplexity"][-1])


def test_a_network_for_images_is_refused():
    with pytest.raises(RecordError, match="mlp reads no text, which ptb is: take lstm"):
        make_run(changed(model="mlp", model_options={}))


def test_the_lengths_of_backpropagation_and_lanes_are_checked():
    with pytest.raises(RecordError, match="bptt is None on ptb: a text needs it"):
        make_run(changed(bptt=None))
    with pytest.raises(RecordError, match="203 tokens do not fill 300 lanes"):
        make_run(changed(batch_size=300))
    with pytest.raises(RecordError, match="bptt is 0, expected"):
        changed(bptt=0)
    with pytest.raises(RecordError, match="clip is -1, expected"):
        changed(clip=-1)
