"""A multilayer perceptron."""

from torch import nn


class MLP(nn.Sequential):
    """Two hidden layers with ReLU: inputs of shape (batch, inputs), logits of shape (batch, classes).

    Args:
        inputs: features of one example.
        width: units of each hidden layer.
        classes: outputs, one logit a class.
    """

    def __init__(self, *, inputs: int = 64, width: int = 64, classes: int = 10) -> None:
        super().__init__(
            nn.Linear(inputs, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, classes),
        )
