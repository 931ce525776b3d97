"""Language models of LSTM layers (Hochreiter and Schmidhuber 1997) with dropout as in Zaremba et al. (2014)."""

import torch
from torch import Tensor, nn

INITIAL_RANGE = 0.05
"""Weights start uniform between minus this and this, as in the medium network of Zaremba et al."""


class LSTM(nn.Module):
    """Embedding, LSTM layers one above the other, and a linear layer to a logit for each word.

    Dropout acts before, between and after the layers, and never on the way from one step to the next, so it does not
    erase what a layer remembers. Two layers of width 512 over 10,000 words have 14,452,496 parameters.

    Args:
        words: size of the vocabulary.
        width: of the embedding and of each layer.
        layers: how many LSTM layers.
        dropout: the share of units that are dropped, at each of these places.
        tied: use one matrix as the embedding and as the last layer's weight (Press and Wolf 2017).
    """

    def __init__(
        self, *, words: int = 10_000, width: int = 512, layers: int = 2, dropout: float = 0.5, tied: bool = False
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, width)
        # Separate layers: the dropout inside of nn.LSTM cannot be repeated from a seed on a GPU.
        self.layers = nn.ModuleList(nn.LSTM(width, width) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, words)
        if tied:
            self.head.weight = self.embedding.weight
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -INITIAL_RANGE, INITIAL_RANGE)

    def start(self, batch_size: int) -> Tensor:
        """Return the state before the first token: hidden and cell, zeros of shape (layers, 2, 1, batch, width)."""
        weight = self.embedding.weight
        return weight.new_zeros(len(self.layers), 2, 1, batch_size, weight.shape[1])

    def forward(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Read the next tokens of each text.

        Args:
            tokens: indices of shape (steps, batch).
            state: the state after the tokens before, or `start`.

        Returns:
            Logits of the next token, of shape (steps, batch, words), and the state after the last step.
        """
        outputs, states = self.dropout(self.embedding(tokens)), []
        for layer, (hidden, cell) in zip(self.layers, state, strict=True):
            outputs, after = layer(outputs, (hidden, cell))
            outputs = self.dropout(outputs)
            states.append(torch.stack(after))
        return self.head(outputs), torch.stack(states)
