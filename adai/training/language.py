"""What is different when the run trains a language model: text has an order, and the network remembers."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from adai.records import RecordError, Spec
from adai.training.run import Run, stream

EVALUATION_STEPS = 350
"""Tokens whose logits are in memory at a time; what comes out does not depend on it."""


class LanguageRun(Run):
    """A run on text, by backpropagation through time, truncated after `Spec.bptt` tokens.

    The training text is cut into `Spec.batch_size` lanes of equal length; the few tokens that are left over are not
    used. A step reads the next `Spec.bptt` tokens of all lanes. The network's state is carried from step to step but
    gradients are not, and an epoch starts without any. The text keeps its order, so seeds differ in initial weights
    and in dropout, whose random numbers follow from the seed and the number of the step.

    Raises:
        RecordError: as `Run`, or the run is shared by several processes.
    """

    CURVES = ("train_loss", "valid_perplexity", "test_perplexity")
    PROGRESS = (*Run.PROGRESS, "state")

    def __init__(self, spec: Spec, device: str = "cpu", *, compiled: bool = False) -> None:
        super().__init__(spec, device, compiled=compiled)
        if self.processes > 1:
            raise RecordError(f"a run on {spec.dataset} does not share its lanes: start it without torchrun")
        tokens, count = len(self.data.train_targets), spec.batch_size
        if tokens < count:
            raise RecordError(f"{tokens} tokens do not fill {count} lanes")
        self.lanes = [
            text[: tokens - tokens % count].view(count, -1).t().contiguous().to(device)
            for text in (self.data.train_inputs, self.data.train_targets)
        ]
        self.state = self.model.start(spec.batch_size)

    def parts(self) -> list[Tensor]:
        """The steps of an epoch: the places in the lanes that each reads."""
        return list(torch.arange(len(self.lanes[0])).split(self.spec.bptt))

    def step(self, batch: Tensor) -> float:
        """One step on these places of all lanes; returns its loss for each token."""
        if not self.losses:
            self.state = self.model.start(self.spec.batch_size)
        inputs, targets = (lane[batch[0] : batch[-1] + 1] for lane in self.lanes)
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(stream(self.spec, f"dropout/{self.steps}"))
            with self._precision():
                logits, state = self.network(inputs, self.state)
        self.state = state.detach().float()
        loss = F.cross_entropy(logits.float().flatten(0, 1), targets.flatten())
        self._descend(loss)
        self.losses.append(loss.item())
        return self.losses[-1]

    def evaluate(self) -> None:
        """Adds the perplexities of the whole validation and test texts to the curves."""
        data = self.data
        for name, inputs, targets in (
            ("valid", data.held_out_inputs, data.held_out_targets),
            ("test", data.test_inputs, data.test_targets),
        ):
            with self._precision():
                found = perplexity(self.model, inputs.to(self.device), targets.to(self.device))
            self.curves[f"{name}_perplexity"].append(found)

    def restore(self, path: Path) -> None:
        super().restore(path)
        self.state = self.state.to(self.device)


@torch.no_grad()
def perplexity(model: nn.Module, inputs: Tensor, targets: Tensor, *, steps: int = EVALUATION_STEPS) -> float:
    """How many words the model hesitates between: the exponential of its mean loss over a text.

    The text is read once, from its first token to its last, in one lane, so each token is predicted from all that stand
    before it. More lanes would be faster on some machines and another quantity: each would begin without a past.

    Args:
        model: as `adai.models.lstm.LSTM`; it is set to evaluation, without dropout.
        inputs, targets: of shape (tokens,): the token before each place, and the one there.
        steps: tokens at a time. The state is carried, so the result depends on it by rounding alone.
    """
    model.eval()
    state, total = model.start(1), torch.zeros((), dtype=torch.float64, device=targets.device)
    for part, wanted in zip(inputs.split(steps), targets.split(steps), strict=True):
        logits, state = model(part[:, None], state)
        total += F.cross_entropy(logits[:, 0].float(), wanted, reduction="sum").double()
    return (total / len(targets)).exp().item()
