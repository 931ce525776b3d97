"""Runs on text: its order is kept, and the network's state is carried from step to step."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from adai.data import Inputs
from adai.models.lstm import LSTM
from adai.records import RecordError, Spec
from adai.training.run import Run, stream_seed

EVALUATION_STEPS = 350
"""Tokens whose logits are in memory at a time; a perplexity depends on it by rounding alone."""


class LanguageRun(Run):
    """A run on text, by backpropagation through time, truncated after `Spec.bptt` tokens.

    The training text is cut into `Spec.batch_size` lanes of equal length; the few tokens that are left over are not
    used. A step reads the next `Spec.bptt` tokens of all lanes. The network's state is carried from step to step but
    gradients are not, and an epoch starts without any. The text keeps its order, so seeds differ in initial weights
    and in dropout, whose random numbers follow from the seed and the number of the step.

    Raises:
        RecordError: as `Run`; or the model reads no text, there are fewer tokens than lanes, or several processes share
            the run.
    """

    model: LSTM
    _CURVES = ("train_loss", "valid_perplexity", "test_perplexity")
    _PROGRESS = (*Run._PROGRESS, "state")

    def __init__(self, spec: Spec, device: str = "cpu", *, compiled: bool = False) -> None:
        super().__init__(spec, device, compiled=compiled)
        if not isinstance(self.model, LSTM):
            raise RecordError(f"{spec.model} reads no text, which {spec.dataset} is: take lstm")
        if self.processes > 1:
            raise RecordError(f"a run on {spec.dataset} does not share its lanes: start it without torchrun")
        tokens, count = len(self.data.train_targets), spec.batch_size
        if tokens < count:
            raise RecordError(f"{tokens} tokens do not fill {count} lanes")
        self.lanes = [
            _in_memory(text)[: tokens - tokens % count].view(count, -1).t().contiguous()
            for text in (self.data.train_inputs, self.data.train_targets)
        ]
        self.state = self.model.start(spec.batch_size)

    def batches(self) -> Sequence[Tensor]:
        """Return the places in the lanes that each step of an epoch reads, in their order: tensors of shape (bptt,)."""
        assert self.spec.bptt is not None  # `Run` demands it of a text
        return torch.split(torch.arange(len(self.lanes[0])), self.spec.bptt)

    def step(self, batch: Tensor) -> float:
        """Make one step on these places of all lanes, and return its loss, a mean over tokens."""
        if not self.losses:
            self.state = self.model.start(self.spec.batch_size)
        inputs, targets = (lane[batch[0] : batch[-1] + 1] for lane in self.lanes)
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(stream_seed(self.spec, f"dropout/{self.steps}"))
            with self._autocast():
                logits, state = self.network(inputs, self.state)
        self.state = state.detach().float()
        loss = F.cross_entropy(logits.float().flatten(0, 1), targets.flatten())
        self._update_weights(loss)
        self.losses.append(loss.item())
        return self.losses[-1]

    def evaluate(self) -> None:
        """Append the perplexities of the whole validation and test texts to the curves."""
        data = self.data
        for name, inputs, targets in (
            ("valid", data.held_out_inputs, data.held_out_targets),
            ("test", data.test_inputs, data.test_targets),
        ):
            with self._autocast():
                found = perplexity(self.model, _in_memory(inputs), _in_memory(targets))
            self.curves[f"{name}_perplexity"].append(found)

    def restore(self, path: Path) -> None:
        """Take up a run where it was saved, as `Run.restore`."""
        super().restore(path)
        self.state = self.state.to(self.device)


@torch.no_grad()
def perplexity(model: LSTM, inputs: Tensor, targets: Tensor, *, steps: int = EVALUATION_STEPS) -> float:
    """Return a model's perplexity on a text: the exponential of its mean loss, a number of equally likely words.

    The text is read once, from its first token to its last, in one lane, so each token is predicted from all tokens
    before it. More lanes would be faster on some machines, but they would measure something else: each starts without
    a past.

    Args:
        model: the network; it is set to evaluation, without dropout.
        inputs, targets: of shape (tokens,): the token before each place, and the one there.
        steps: tokens read at a time. The state is carried, so the result depends on it by rounding alone.
    """
    model.eval()
    state, total = model.start(1), torch.zeros((), dtype=torch.float64, device=targets.device)
    for part, wanted in zip(torch.split(inputs, steps), torch.split(targets, steps), strict=True):
        logits, state = model(part[:, None], state)
        total += F.cross_entropy(logits[:, 0].float(), wanted, reduction="sum").double()
    return (total / len(targets)).exp().item()


def _in_memory(text: Inputs | None) -> Tensor:
    assert isinstance(text, Tensor)  # a text is read whole, with a held-out part
    return text
