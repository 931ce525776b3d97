"""Penn Treebank: what is read, and what is refused by name."""

import os
import re

import pytest
import torch

from adai import data
from adai.data import DataError, ptb

TRAIN = " the cat sat \n the <unk> sat N times \n"
VALID = " the cat sat N times \n"
TEST = " N <unk> sat \n the cat \n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three short texts in the published layout."""
    monkeypatch.setenv("ADAI_DATA", str(tmp_path))
    home = tmp_path / "ptb"
    home.mkdir()
    for part, text in (("train", TRAIN), ("valid", VALID), ("test", TEST)):
        (home / f"ptb.{part}.txt").write_text(text)
    return home


def load(**options):
    return data.load("ptb", seed=0, **{"label": "made up"} | options)


def test_each_token_is_the_target_once_and_its_input_is_the_token_before(folder):
    read, words = load(), ptb.vocabulary()
    assert words == sorted(["<eos>", "<unk>", "N", "cat", "sat", "the", "times"])
    for targets, inputs, text in (
        (read.train_targets, read.train_inputs, TRAIN),
        (read.held_out_targets, read.held_out_inputs, VALID),
        (read.test_targets, read.test_inputs, TEST),
    ):
        expected = text.replace("\n", "<eos>").split()
        assert [words[index] for index in targets] == expected
        assert [words[index] for index in inputs] == ["<eos>", *expected[:-1]]
    assert read.label == "made up"


def test_a_limit_shortens_the_training_text_alone(folder):
    whole, part = load(), load(limit=3)
    assert torch.equal(part.train_targets, whole.train_targets[:3])
    assert torch.equal(part.train_inputs, whole.train_inputs[:3])
    assert torch.equal(part.test_targets, whole.test_targets) and part.checksum == whole.checksum
    with pytest.raises(ValueError, match="limit is 11, but there are 10 tokens"):
        load(limit=11)


def test_the_checksum_is_that_of_all_three_texts(folder):
    before = load().checksum
    (folder / "ptb.test.txt").write_text(TEST + TEST)
    assert load().checksum != before


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda home: (home / "ptb.valid.txt").unlink(), "ptb.valid.txt cannot be read"),
        (
            lambda home: (home / "ptb.test.txt").write_text("a dog\n"),
            "the test text has the word 'a', which the training text does not have",
        ),
    ],
)
def test_what_is_missing_or_foreign_is_named(folder, spoil, complaint):
    spoil(folder)
    with pytest.raises(DataError, match=re.escape(complaint)):
        load()


def test_another_text_needs_a_label(folder):
    with pytest.raises(DataError, match=r"has 10 tokens and the MD5 sum .* the published file 929,589 and f26c"):
        load(label=None)


needs_the_set = pytest.mark.skipif("ADAI_DATA" not in os.environ, reason="ADAI_DATA names no folder with the set")


@needs_the_set
def test_the_published_files():
    read = data.load("ptb", seed=0)
    counts = [len(targets) for targets in (read.train_targets, read.held_out_targets, read.test_targets)]
    assert counts == [929_589, 73_760, 82_430] == list(ptb.TOKENS.values())
    assert len(ptb.vocabulary()) == 10_000 and read.train_targets.unique().numel() == 10_000
    assert read.label == "Penn Treebank"


@needs_the_set
def test_a_published_file_that_is_cut_off_is_named(tmp_path, monkeypatch):
    source = data.folder() / "ptb"
    monkeypatch.setenv("ADAI_DATA", str(tmp_path))
    (tmp_path / "ptb").mkdir()
    for part in ptb.MD5:
        text = (source / f"ptb.{part}.txt").read_bytes()
        (tmp_path / "ptb" / f"ptb.{part}.txt").write_bytes(text[:-1000] if part == "valid" else text)
    with pytest.raises(DataError, match=r"ptb\.valid\.txt has 73,5\d\d tokens .* the published file 73,760"):
        data.load("ptb", seed=0)
