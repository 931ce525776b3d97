"""A result of a measurement comes back as it was, and a false one is found out."""

import dataclasses
import json
import re

import pytest

from adai import records
from adai.__main__ import main
from adai.experiments import escape, registry
from adai.records import Measurement, Result

SPEC = Measurement(experiment="escape", scale="paper", name="few", settings={"seed": 3, "cases": [
    escape.styblinski_tang("momentum", 0.3, particles=3),
    escape.well("adai", 1, 3, k=(1, 2), each=True),
]})  # fmt: skip


@pytest.fixture(scope="module")
def result() -> Result:
    made = records.measure(SPEC, escape.measure, threads=1)
    return dataclasses.replace(made, environment=made.environment | {"commit": "a" * 40, "dirty": False})


@pytest.fixture
def known(monkeypatch):
    monkeypatch.setattr(records.judge, "commit_exists", lambda commit: True)
    monkeypatch.setattr(registry, "known_specs", lambda name, given: {SPEC.hash: SPEC})


def test_it_comes_back_as_it_was(result, tmp_path):
    path = result.save(tmp_path)
    assert path == tmp_path / "escape" / f"{SPEC.hash}.json"
    assert records.read(path) == result
    assert records.existing_results([SPEC], tmp_path) == {"few": result}


def test_a_good_one_passes_the_check(result, tmp_path, known, monkeypatch, capsys):
    (tmp_path / "book" / "records").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    result.save(tmp_path / "book" / "records")
    assert main(["records", "check"]) == 0
    assert "1 records checked, 0 bad" in capsys.readouterr().out


def test_one_made_elsewhere_is_filed_once(result, tmp_path, known, monkeypatch, capsys):
    home = tmp_path / "book" / "records"
    home.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    file = str(result.save(tmp_path / "download").rename(tmp_path / "mine (1).json"))
    assert main(["records", "add", file]) == 0
    assert records.existing_results([SPEC], home) == {"few": result}
    assert main(["records", "add", file]) == 2
    assert "has a record already" in capsys.readouterr().err


def test_a_changed_one_is_not_filed(result, tmp_path, known, monkeypatch, capsys):
    (tmp_path / "book" / "records").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    found = json.loads(json.dumps(result.found))
    found[0][1] += 1
    file = dataclasses.replace(result, found=found).save(tmp_path / "download")
    assert main(["records", "add", str(file)]) == 1
    assert "case 0: its first particles" in capsys.readouterr().out and not list((tmp_path / "book").rglob("*.json"))


def test_one_under_another_name_is_found_out(result, tmp_path):
    path = result.save(tmp_path)
    path.rename(path.with_name("0123456789ab.json"))
    ((_, error),) = records.read_all("escape", tmp_path)
    assert f"has the hash {SPEC.hash}" in str(error)


@pytest.mark.parametrize("case", [0, 1])
def test_one_changed_number_is_found_out(result, case, known):
    found = json.loads(json.dumps(result.found))
    (found[case] if case == 0 else found[case][0])[1] += 1
    (fault,) = records.faults(dataclasses.replace(result, found=found), known={SPEC.hash: SPEC}, repeat=escape.repeat)
    assert fault.startswith(f"case {case}: its first particles left at steps")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"environment": {"commit": None, "dirty": True}}, "uncommitted changes"),
        ({"spec": dataclasses.replace(SPEC, name="other")}, "unknown spec"),
        ({"spec": dataclasses.replace(SPEC, scale="smoke")}, "it is no result"),
    ],
)
def test_a_false_one_is_found_out(result, changes, message, known):
    changed = dataclasses.replace(result, **changes)
    assert re.search(message, " ".join(records.faults(changed, known={SPEC.hash: SPEC}, repeat=escape.repeat)))


def test_the_hash_changes_with_every_field():
    others = {"experiment": "noise", "scale": "smoke", "name": "many", "settings": {"seed": 4}}
    assert others.keys() == {field.name for field in dataclasses.fields(SPEC)}
    hashes = {dataclasses.replace(SPEC, **{name: value}).hash for name, value in others.items()}
    assert len(hashes | {SPEC.hash}) == len(others) + 1


def test_a_result_is_no_record_of_a_run(result, tmp_path):
    path = result.save(tmp_path)
    with pytest.raises(records.RecordError, match="holds a result, expected a record"):
        records.read_record(path)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"hash": "0", "spec": {}}'])
def test_no_result_is_named(text, tmp_path):
    path = tmp_path / "escape" / "0123456789ab.json"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(records.RecordError, match=path.name):
        records.read(path)


def test_settings_changed_afterwards_are_found_out(result, tmp_path):
    path = result.save(tmp_path)
    path.write_text(path.read_text().replace('"seed": 3', '"seed": 4'))
    with pytest.raises(records.RecordError, match="hash mismatch"):
        records.read(path)


def test_run_makes_what_is_missing(tmp_path, capsys):
    command = ["run", "escape", "--scale", "smoke", "--out", str(tmp_path)]
    assert main(command) == 0
    assert "escape/figure5  27 cases" in capsys.readouterr().out
    assert main(command) == 0
    assert "escape/figure5 has a record" in capsys.readouterr().out
    assert main(["run", "escape/heights", "--scale", "laptop"]) == 2
