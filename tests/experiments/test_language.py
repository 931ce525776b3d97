"""Language modelling: rates are chosen on validation by a rule, results come after it, tables show what there is."""

import math
from functools import partial

import matplotlib.pyplot as plt

from adai.experiments import choosing, language, registry
from adai.records import Record
from tests import made_up


def record(spec, valid: float, test: float = 300.0) -> Record:
    return made_up.record(
        spec,
        label="Penn Treebank",
        **{
            "train_loss": [6.0] * spec.epochs,
            "valid_perplexity": [900.0] * (spec.epochs - 1) + [valid],
            "test_perplexity": [test] * spec.epochs,
        },
    )


def test_the_grid_grows_until_the_best_is_inside():
    found = {1: 300.0, 10: 200.0, 100: 250.0}
    grid = partial(choosing.grid, (1, 10, 100))
    assert grid({}) == grid({1: 300.0}) == [1, 10, 100]
    assert grid(found) == [1, 10, 100]
    assert grid(found | {100: 150.0}) == [1, 10, 100, 1000]
    assert grid(found | {100: 150.0, 1000: 140.0}) == [1, 10, 100, 1000, 10000]
    assert grid(found | {1: 100.0}) == [0.1, 1, 10, 100]
    assert grid({1: 300.0, 10: math.nan, 100: math.nan}) == [0.1, 1, 10, 100]


def test_a_rate_is_chosen_once_its_grid_is_complete():
    found = {"adai": {1: 300.0, 10: 200.0, 100: 250.0}, "sgd": {0.1: 1.0, 1: 2.0, 10: 3.0}, "adam": {1e-3: 5.0}}
    assert language.chosen(found) == {"adai": 10}


def test_results_exist_once_there_is_a_choice_and_use_other_seeds(folder):
    first = registry.specs("language", "laptop")
    assert len(first) == 9 and all(spec.seed == language.SEED for spec in first.values())
    for name, spec in first.items():
        if spec.optimizer == "sgd":
            record(spec, valid=200.0 if name.endswith("/1") else 300.0).save(folder)
    then = registry.specs("language", "laptop")
    assert [name for name in then if name not in first] == [f"language/sgd/{seed}" for seed in range(5)]
    made = [then[f"language/sgd/{seed}"] for seed in range(5)]
    assert all(spec.hyperparameters["lr"] == 1 and spec.seed != language.SEED for spec in made)
    # A GPU's sitting takes the rate that the laptop chose; the paper's own scale chooses again.
    assert list(registry.specs("language", "colab")) == ["language/sgd/0"]
    assert len(registry.specs("language", "paper")) == 9
    assert {spec.hash for spec in then.values()} <= registry.known_specs("language").keys()


def test_settings_are_the_papers(folder):
    for spec in registry.specs("language", "paper").values():
        assert (spec.batch_size, spec.bptt, spec.clip, spec.milestones) == (20, 35, 1, ())
        assert spec.hyperparameters["weight_decay"] == 5e-5 and spec.model_options == {}


def test_the_table_shows_the_choice_until_there_are_results(folder):
    assert "validation perplexity" in str(language.table([]))
    runs = registry.specs("language", "laptop")
    kept = [record(runs[f"language/choose/adai/{lr}"], valid=valid) for lr, valid in ((1, 300), (10, 200), (100, 250))]
    shown = language.table(kept).cells()
    assert shown[1] == ["Adai", "", "", "", "", "300.0", "200.0 *", "250.0"]
    assert shown[2][1:] == [""] * 7


def test_results_are_paired_by_seed_and_drawn(folder):
    smoke = registry.specs("language", "smoke")
    kept = [record(smoke["language/adai/0"], 1, test=280.0), record(smoke["language/sgd/0"], 1, test=300.0)]
    compared = language.table(kept)
    assert compared["adai"].last.values == (280.0,) and compared["adai"].difference.values == (-20.0,)
    assert "test perplexity, Penn Treebank, scale smoke" in str(compared) and "%" not in compared.cells()[0][2]
    _, axes = plt.subplots(1, 2)
    language.figure(kept, axes)
    assert [axis.get_ylabel() for axis in axes] == ["training loss", "test perplexity"]
    assert [len(axis.lines) for axis in axes] == [2, 2]
    plt.close()
