"""The long runs: as long as they say, at a rate that never falls, and compared by when they get as low."""

import pytest

from adai import experiments
from adai.experiments import images, long
from adai.records import Record

LAPTOP = experiments.runs("long", "laptop")


def record(name: str, losses: list[float]) -> Record:
    return Record(
        spec=LAPTOP[name],
        environment={},
        data={"label": "CIFAR-10 (JPEG copy)", "checksum": "0" * 64},
        curves={"train_loss": losses, "test_error": [50.0] * len(losses)},
        first_losses=[],
        images_per_second=1.0,
        seconds=1.0,
        peak_memory_mib=None,
    )


def test_five_times_as_long_at_a_fixed_rate():
    for spec in LAPTOP.values():
        assert spec.epochs == 5 * images.SIZES[images.FIRST_ROW]["laptop"]["epochs"]
        assert spec.milestones == ()


@pytest.mark.parametrize(("losses", "epoch"), [([3, 1, 0.5], "2"), ([3, 2.5], ""), ([1], "1")])
def test_the_table_says_when_a_run_gets_below_adams_lowest(losses, epoch):
    table = long.table([record("long/adam/1", [3.0, 2.0, 2.1]), record("long/adai/1", losses)])
    rows = {line[0]: line for line in table.cells()}
    assert rows["Adai"][-1] == epoch and rows["Adam"][-1] == ""
    assert rows["Adam"][2:4] == ["2.10e+00", "2.00e+00"]
    assert rows["Adai, half the rate"][1:] == ["0", "", "", ""]


def test_at_the_papers_scale_it_is_the_papers_thousand_epochs_of_vgg16():
    assert {(spec.model, spec.epochs) for spec in experiments.runs("long", "paper").values()} == {("vgg16", 1000)}
