"""Runs on a Ray cluster leave here the records that they would have left here anyway."""

import dataclasses
import os
import sys
from pathlib import Path

import pytest

from adai import records
from adai.experiments import registry
from adai.records import Record, RecordError, Spec
from adai.running import cluster
from adai.running.sweep import train_and_save

SPECS = registry.specs("digits", "smoke")


@pytest.fixture(scope="module")
def two_cores():
    """Yield Ray, on a cluster of this machine alone, as `ray start --head` makes one."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ADDRESS", started.address)
        yield ray
    started.shutdown()


def test_a_cluster_trains_and_this_machine_files(two_cores, tmp_path, monkeypatch):
    monkeypatch.setenv("ADAI_DATA", "where the data are")

    def work(spec: Spec, folder: Path, device: str) -> Record:
        assert os.environ["ADAI_DATA"] == "where the data are"
        return train_and_save(spec, folder, device)

    good = dataclasses.replace(SPECS["digits/adai/0"], keep_weights=True)
    bad = dataclasses.replace(SPECS["digits/sgd/0"], hyperparameters={"lr": 0.1, "momentum": -1})
    results = dict(cluster.sweep({"good": good, "bad": bad}, tmp_path / "there", "cpu", work=work))
    assert isinstance(results["bad"], ValueError) and "Invalid momentum" in str(results["bad"])
    (filed,) = records.load("digits", folder=tmp_path / "there")
    assert filed == results["good"]
    here = train_and_save(good, tmp_path / "here")
    assert filed.curves == here.curves and filed.first_losses == here.first_losses
    weights = [records.weights_path(good, tmp_path / place).read_bytes() for place in ("there", "here")]
    assert weights[0] == weights[1]


def test_without_ray_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RecordError, match="extra 'ray' brings it; or leave out --ray"):
        list(cluster.sweep(SPECS, tmp_path, "cpu"))
