"""The catalogue names every optimizer of the package, its entries are complete, and its settings are the paper's."""

import ast
import inspect
import re
from pathlib import Path

import pytest
import torch

import adai
from adai import optim
from adai.optim import CATALOGUE, create, settings
from adai.optim.base import DenseOptimizer
from adai.optim.catalogue import OURS
from tests.optim.problems import each_of_ours

API = Path(__file__).parents[2] / "book/reference/api.md"
EVERY = ("lr", "weight_decay")
"""Hyperparameters whose errors all of ours have, and test_arguments.py tries."""


def concrete(kind):
    """All classes of ours that can take a step."""
    for one in kind.__subclasses__():
        if one.__module__.startswith("adai.") and not inspect.isabstract(one) and "__init__" in vars(one):
            yield one
        yield from concrete(one)


# ── nothing is left out ──


def test_every_optimizer_that_a_file_defines_is_in_the_catalogue():
    for path in Path(optim.__file__).parent.glob("*.py"):
        __import__(f"adai.optim.{path.stem}")
    assert {kind.__name__ for kind in concrete(DenseOptimizer)} == set(OURS)


def test_the_package_offers_the_optimizers_of_the_catalogue_by_their_labels():
    ours = {entry.label: entry.optimizer for entry in CATALOGUE.values() if entry.is_ours}
    assert set(adai.__all__) == set(ours)
    assert set(optim.__all__) == {*ours, "CATALOGUE", "create", "settings"}
    for label, kind in ours.items():
        assert getattr(adai, label) is getattr(optim, label) is kind
    assert all(entry.optimizer.__name__ == label for label, entry in OURS.items())


def test_type_checkers_see_what_the_package_offers():
    tree = ast.parse(Path(adai.__file__).read_text(encoding="utf-8"))
    (seen,) = (
        node.names for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "adai.optim"
    )
    assert [one.name for one in seen] == adai.__all__


def test_the_api_page_shows_every_optimizer():
    shown = set(re.findall(r"autoapimodule:: (adai\.optim\.\w+)", API.read_text(encoding="utf-8")))
    assert {entry.optimizer.__module__ for entry in OURS.values()} <= shown


# ── an entry is complete ──


@pytest.mark.parametrize("name", CATALOGUE)
def test_an_entry_tries_what_its_rule_takes(name):
    entry = CATALOGUE[name]
    one, other = entry.inputs
    assert one.keys() == other.keys() <= entry.hyperparameters.keys()
    assert entry.defaults_from


@each_of_ours
def test_an_entry_tries_every_hyperparameter_away_from_its_default(entry):
    tried = {
        name
        for name, default in entry.hyperparameters.items()
        if any(inputs.get(name, default) != default for inputs in entry.inputs)
    }
    assert tried == entry.hyperparameters.keys() - {"lr", "weight_decay"}


@each_of_ours
def test_an_entry_has_an_error_for_every_hyperparameter(entry):
    assert {name for options, _ in entry.errors for name in options} | set(EVERY) >= entry.hyperparameters.keys()


# ── by name, with the paper's settings ──


def test_table_1_comes_first_and_in_its_order():
    table = ["adaiw", "adai", "sgd", "adam", "amsgrad", "adamw", "adabound", "padam", "yogi", "radam"]
    assert list(CATALOGUE)[: len(table)] == table


@pytest.mark.parametrize("name", [name for name, entry in CATALOGUE.items() if "cifar" in entry.paper])
def test_create_gives_the_papers_settings_and_says_whose_the_others_are(name):
    chosen = settings(name, "cifar")
    (group,) = create(name, [torch.nn.Parameter(torch.ones(1))], task="cifar").param_groups
    assert {key: group[key] for key in chosen} == {key: setting.value for key, setting in chosen.items()}
    assert chosen["lr"].source == chosen["weight_decay"].source == "Appendix D.1"
    if name in ("adaiw", "adais", "adamw"):  # it is decoupled
        assert group["lr"] * group["weight_decay"] == pytest.approx(5e-4)
    else:
        assert group["weight_decay"] == 5e-4


@pytest.mark.parametrize(
    ("name", "task", "values"),
    [
        ("adai", "imagenet", {"lr": 1.0, "weight_decay": 1e-4, "betas": (0.1, 0.99), "eps": 1e-3}),
        ("sgd", "imagenet", {"lr": 0.1, "weight_decay": 1e-4, "momentum": 0.9}),
        ("adam", "imagenet", {"lr": 1e-4, "weight_decay": 1e-4, "betas": (0.9, 0.999)}),
        ("sgd", "ptb", {"lr": 1e-3, "weight_decay": 5e-5, "momentum": 0.9}),
        ("padam", "cifar", {"lr": 0.01, "partial": 0.125}),
        ("yogi", "cifar", {"lr": 1e-3, "eps": 1e-3}),
    ],
)
def test_settings_are_those_of_appendix_d(name, task, values):
    assert values.items() <= {key: setting.value for key, setting in settings(name, task).items()}.items()


def test_create_takes_what_shall_be_different_and_groups():
    params = [torch.nn.Parameter(torch.ones(1)) for _ in range(2)]
    optimizer = create("sgd", [{"params": params[:1]}, {"params": params[1:], "lr": 7.0}], task="cifar", momentum=0.5)
    assert [(g["lr"], g["momentum"], g["weight_decay"]) for g in optimizer.param_groups] == [
        (0.1, 0.5, 5e-4),
        (7.0, 0.5, 5e-4),
    ]


def test_create_without_a_task_gives_the_optimizers_own_defaults():
    (group,) = create("adaiv2", [torch.nn.Parameter(torch.ones(1))], dampening=0.5).param_groups
    assert (group["dampening"], group["lr"]) == (0.5, 0.1)


@pytest.mark.parametrize(
    ("name", "task", "message"),
    [
        ("adma", "cifar", "no optimizer is called 'adma'; there are adaiw, adai, sgd"),
        ("adma", None, "no optimizer is called 'adma'"),
        ("adam", "mnist", "no task is called 'mnist'; there are cifar, imagenet, ptb"),
        ("yogi", "imagenet", "no settings of 'yogi' for 'imagenet', only of adai, sgd, adam"),
        ("adaiv2", "cifar", "no settings of 'adaiv2' for 'cifar'"),
    ],
)
def test_what_the_paper_does_not_say_is_an_error(name, task, message):
    with pytest.raises(ValueError, match=message):
        create(name, [torch.nn.Parameter(torch.ones(1))], task=task)
