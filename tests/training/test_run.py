"""A run: paired over optimizers, equal to the plain loop anyone would write, and measured on the right examples."""

import dataclasses

import pytest
import torch
from torch.nn import functional as F

from adai import data
from adai.records import RecordError, Spec
from adai.training import Run, train
from adai.training import run as run_module


def test_optimizers_share_split_initial_weights_and_data_order(spec_of):
    runs = [Run(spec_of(optimizer)) for optimizer in ("adai", "sgd", "adam")]
    for run in runs[1:]:
        assert torch.equal(run.data.test_inputs, runs[0].data.test_inputs)
        for mine, theirs in zip(run.model.parameters(), runs[0].model.parameters(), strict=True):
            assert torch.equal(mine, theirs)
    # A rate too small to move any weight leaves the data order as the only thing that losses can show.
    still = [list(Run(spec_of(name, hyperparameters={"lr": 1e-30})).epoch()) for name in ("adai", "sgd", "adam")]
    assert still[0] == still[1] == still[2]


def test_seeds_differ_in_split_initial_weights_and_data_order(spec_of):
    one, other = Run(spec_of("sgd", seed=0)), Run(spec_of("sgd", seed=1))
    assert not torch.equal(one.data.test_targets, other.data.test_targets)
    assert not torch.equal(next(one.model.parameters()), next(other.model.parameters()))
    assert one.order.initial_seed() != other.order.initial_seed()


def test_each_random_choice_has_a_stream_of_its_own(cifar, monkeypatch):
    axes, seed_of = [], run_module.stream_seed

    def note(spec: Spec, axis: str) -> int:
        axes.append(axis)
        return seed_of(spec, axis)

    monkeypatch.setattr(run_module, "stream_seed", note)
    Run(cifar)
    assert sorted(axes) == ["augment", "order", "split", "weights"]
    others = dataclasses.replace(cifar, optimizer="adam", hyperparameters={"lr": 1e-3}, model="vgg16")
    seeds = [seed_of(spec, axis) for spec in (cifar, dataclasses.replace(cifar, seed=1)) for axis in axes]
    assert len(set(seeds)) == 8 and [seed_of(others, axis) for axis in axes] == seeds[:4]


def test_loop_agrees_with_a_plain_one(spec_of):
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


def test_test_error_is_the_share_of_wrong_answers(spec_of):
    run = Run(spec_of("sgd"))
    last = run.model[-1]
    torch.nn.init.zeros_(last.weight)
    last.bias.data = F.one_hot(torch.tensor(3), 10).float()
    threes = (run.data.test_targets == 3).float().mean().item()
    run.evaluate()
    assert run.curves["test_error"] == [pytest.approx(100 * (1 - threes))]


@pytest.mark.parametrize("kind", ["dataset", "model", "optimizer"])
def test_unknown_name_is_refused(spec_of, kind):
    with pytest.raises(RecordError, match=f"no {kind} is called 'nix'; there are "):
        Run(dataclasses.replace(spec_of("sgd"), **{kind: "nix"}))


def test_training_errors_are_those_of_the_batches_before_their_step(spec_of):
    run = Run(spec_of("sgd", epochs=2, hyperparameters={"lr": 1e-30}))
    for _ in range(2):
        list(run.epoch())
    run.model.eval()
    wrong = (run.model(run.data.train_inputs).argmax(dim=1) != run.data.train_targets).float().mean().item()
    assert run.curves["train_error"] == pytest.approx([100 * wrong, 100 * wrong])


@pytest.mark.parametrize(
    ("milestones", "factor", "rates"),
    [((0.4, 0.8), 0.1, [1, 1, 0.1, 0.01]), ((0.4,), 0.5, [1, 1, 0.5, 0.5]), ((), 0.1, [1, 1, 1, 1])],
)
def test_the_rate_drops_at_the_epochs_nearest_to_the_milestones(spec_of, milestones, factor, rates):
    # Of four epochs, 1.6 and 3.2 are the milestones: the second and the third have ended.
    run = Run(spec_of("sgd", epochs=4, hyperparameters={"lr": 1}, milestones=milestones, lr_factor=factor))
    found = []
    for _ in range(4):
        found.append(run.optimizer.param_groups[0]["lr"])
        list(run.epoch())
    assert found == pytest.approx(rates)


def test_an_epoch_after_an_evaluation_trains(cifar):
    """In evaluation mode, batches would be normalised by what was seen before."""
    runs = [Run(cifar) for _ in range(2)]
    for run in runs:
        list(run.epoch())
    runs[0].evaluate()
    assert list(runs[0].epoch()) == list(runs[1].epoch())


def test_clipping_meets_the_gradient_and_not_the_scaled_loss(spec_of):
    """As on a GPU in fp16, where the loss is scaled so that small gradients are not rounded to zero."""
    found = []
    for scale in (1, 2**10):
        run = Run(spec_of("sgd", epochs=1, clip=0.1))
        run.scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        list(run.epoch())
        found.append(torch.nn.utils.parameters_to_vector(run.model.parameters()))
    assert torch.equal(*found)
    free = Run(spec_of("sgd", epochs=1))
    list(free.epoch())
    assert not torch.allclose(found[0], torch.nn.utils.parameters_to_vector(free.model.parameters()), rtol=1e-2)


def test_a_checkpoint_keeps_the_scale_of_the_loss(spec_of, tmp_path):
    saved, restored = Run(spec_of("sgd")), Run(spec_of("sgd"))
    saved.scaler, restored.scaler = (torch.amp.GradScaler("cpu", init_scale=scale) for scale in (8.0, 1.0))
    list(saved.epoch())  # before which a scaler has no scale
    saved.save(tmp_path / "checkpoint")
    restored.restore(tmp_path / "checkpoint")
    assert restored.scaler.get_scale() == 8


# ── augmentation and held-out images ──


def test_an_augmented_run_sees_other_pixels_and_goes_on_bit_for_bit(cifar, stopped_and_resumed):
    whole = train(cifar)
    assert whole.first_losses != train(dataclasses.replace(cifar, augment=False)).first_losses
    resumed = stopped_and_resumed(cifar, 5)
    assert resumed.curves == whole.curves and resumed.first_losses == whole.first_losses


def test_a_network_that_compiled_would_make_onednn_destroy_memory_is_refused(cifar):
    with pytest.raises(RecordError, match=r"resnet8 of \{'width': 4\} is too narrow to be compiled on a CPU"):
        train(cifar, compiled=True)


def test_held_out_images_have_a_curve_of_their_own(cifar):
    record = train(cifar)
    assert len(record.curves["held_out_error"]) == cifar.epochs
    assert record.curves["held_out_error"] != record.curves["test_error"]


def test_errors_are_those_of_the_part_that_names_them(cifar):
    run = Run(cifar)
    torch.nn.init.normal_(run.model.head.weight)
    run.evaluate()
    read = run.data
    for part, inputs, targets in (
        ("test", read.test_inputs, read.test_targets),
        ("held_out", read.held_out_inputs, read.held_out_targets),
    ):
        guesses = run.model(read.normalised(inputs)).argmax(dim=1)
        assert run.curves[f"{part}_error"] == [pytest.approx(100 * (guesses != targets).float().mean().item())]
    assert run.curves["test_error"] != run.curves["held_out_error"]


# ── sets that stay on the host, resized crops, five guesses ──


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


def test_a_run_on_resized_crops_goes_on_bit_for_bit(photographs, stopped_and_resumed):
    whole = train(photographs)
    assert whole.first_losses != train(dataclasses.replace(photographs, seed=1)).first_losses
    resumed = stopped_and_resumed(photographs, 6)
    assert resumed.curves == whole.curves and resumed.first_losses == whole.first_losses


@pytest.mark.parametrize(("kind", "augment"), [("cifar", True), ("cifar", False), ("photographs", True)])
def test_a_share_of_a_batch_is_that_part_of_the_whole(request, kind, augment):
    spec = request.getfixturevalue(kind)
    if not augment:
        spec = dataclasses.replace(spec, augment=False)
    batch, parts = torch.randperm(72)[:16], []
    for share in (slice(None), slice(0, None, 2), slice(1, None, 2)):
        run = Run(spec)
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
