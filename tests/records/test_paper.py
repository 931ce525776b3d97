"""The paper's numbers are those printed, each with its place."""

import pytest
import yaml

from adai import records
from adai.experiments import digits

PAPER = yaml.safe_load((records.home() / "book" / "records" / "paper.yml").read_text(encoding="utf-8"))
ROWS = [
    ("CIFAR-10", "ResNet18"),
    ("CIFAR-10", "VGG16"),
    ("CIFAR-100", "ResNet34"),
    ("CIFAR-100", "DenseNet121"),
    ("CIFAR-100", "GoogLeNet"),
]


@pytest.mark.parametrize(("table", "columns", "keys"), [("table1", 10, {"mean", "sd"}), ("table2", 8, {"mean"})])
def test_paper_tables_are_whole(table, columns, keys):
    rows = PAPER[table]["rows"]
    assert [(row["dataset"], row["model"]) for row in rows] == ROWS
    for row in rows:
        assert len(row["errors"]) == columns
        assert all(cell.keys() == keys and 4 < cell["mean"] < 30 for cell in row["errors"].values())


def test_paper_numbers_are_those_printed():
    errors = {row["model"]: row["errors"] for row in PAPER["table1"]["rows"]}
    assert errors["ResNet18"]["adaiw"] == {"mean": 4.59, "sd": 0.16}
    assert errors["ResNet34"]["adam"] == {"mean": 27.16, "sd": 0.55}
    assert errors["GoogLeNet"]["radam"] == {"mean": 22.23, "sd": 0.15}
    # The paper sets the best of each row in bold: AdaiW, but for ResNet34.
    best = {model: min(row, key=lambda name: row[name]["mean"]) for model, row in errors.items()}
    assert best == {model: "adai" if model == "ResNet34" else "adaiw" for _, model in ROWS}
    errors = {row["model"]: row["errors"] for row in PAPER["table2"]["rows"]}
    assert errors["ResNet18"]["sgd"] == {"mean": 5.58} and errors["GoogLeNet"]["padam"] == {"mean": 26.69}
    assert PAPER["figure12"]["perplexity"] == {"adai": 74.3, "sgd": 74.9, "adam": 74.3}
    assert PAPER["figure4"]["dark_points_at_most"] == 4.83


def test_every_number_of_the_paper_has_its_place():
    entries = [entry for name, entry in PAPER.items() if name != "settings"] + list(PAPER["settings"].values())
    assert all(entry["place"] for entry in entries)


def test_digits_run_at_the_papers_settings():
    settings = PAPER["settings"]["cifar"]
    for spec in digits.runs("laptop").values():
        assert spec.hyperparameters["lr"] == settings["lr"][spec.optimizer]
        assert spec.hyperparameters["weight_decay"] == settings["l2"]
        assert spec.hyperparameters.get("momentum", 0.9) == settings["sgd_momentum"]
        assert spec.lr_factor == 1 / settings["lr_divided_by"]
