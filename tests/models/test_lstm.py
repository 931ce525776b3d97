"""The language model: its size, where it drops units, and what its state is."""

import pytest
import torch

from adai.models.lstm import INITIAL_RANGE, LSTM

WORDS, WIDTH, STEPS, BATCH = 30, 8, 3, 2
TOKENS = torch.randint(WORDS, (STEPS, BATCH), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def model() -> LSTM:
    """A small network in evaluation mode, the same in each test."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LSTM(words=WORDS, width=WIDTH).eval()


def test_the_papers_network_has_14_million_parameters():
    model = LSTM()
    assert sum(parameter.numel() for parameter in model.parameters()) == 14_452_496
    tied = LSTM(tied=True)
    assert sum(parameter.numel() for parameter in tied.parameters()) == 14_452_496 - 10_000 * 512
    assert tied.head.weight is tied.embedding.weight


def test_weights_start_uniform_in_their_range():
    weights = torch.cat([parameter.flatten() for parameter in LSTM(words=WORDS, width=64).parameters()])
    assert weights.abs().max() <= INITIAL_RANGE
    assert weights.std().item() == pytest.approx(INITIAL_RANGE / 3**0.5, rel=0.02)


def test_a_text_read_in_two_parts_gives_what_it_gives_at_once(model):
    whole, last = model(TOKENS, model.start(BATCH))
    first, state = model(TOKENS[:1], model.start(BATCH))
    rest, after = model(TOKENS[1:], state)
    assert whole.shape == (STEPS, BATCH, WORDS) and last.shape == (2, 2, 1, BATCH, WIDTH)
    assert torch.allclose(torch.cat([first, rest]), whole, atol=1e-6) and torch.allclose(after, last, atol=1e-6)


def test_units_are_dropped_before_between_and_after_the_layers_and_never_on_the_way_through_time(model):
    model.train()
    assert all(layer.dropout == 0 for layer in model.layers)
    # All of them: no layer reads anything, and each goes on from its own state alone.
    model.dropout.p = 1.0
    begin = torch.randn(model.start(BATCH).shape, generator=torch.Generator().manual_seed(1))
    logits, state = model(TOKENS, begin)
    nothing = torch.zeros(STEPS, BATCH, WIDTH)
    for layer, before, after in zip(model.layers, begin, state, strict=True):
        assert torch.equal(torch.stack(layer(nothing, tuple(before))[1]), after)
    assert torch.equal(logits, model.head.bias.expand(STEPS, BATCH, WORDS))
