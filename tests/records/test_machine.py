"""The environment of a run says by which code it was made."""

import subprocess
from pathlib import Path

import pytest

from adai.records import machine


def git(checkout: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=A", "-c", "user.email=a@b", "-C", str(checkout), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """Return a git checkout with one commit, which the package is made to lie in."""
    root = tmp_path / "checkout"
    (root / "adai").mkdir(parents=True)
    (root / "adai" / "code.py").write_text("1\n")
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "first")
    monkeypatch.setattr(machine, "CHECKOUT", root)
    machine._commit.cache_clear()
    yield root
    machine._commit.cache_clear()


def provenance() -> tuple[str | None, bool]:
    machine._commit.cache_clear()
    found = machine.environment(device="cpu", threads=1)
    return found["commit"], found["dirty"]


def test_a_changed_file_of_the_package_makes_a_run_dirty_and_no_other_file_does(checkout):
    head = git(checkout, "rev-parse", "HEAD")
    assert provenance() == (head, False)
    (checkout / "notes.txt").write_text("")
    assert provenance() == (head, False)
    (checkout / "adai" / "code.py").write_text("2\n")
    assert provenance() == (head, True)


def test_a_new_file_of_the_package_makes_a_run_dirty(checkout):
    (checkout / "adai" / "new.py").write_text("")
    assert provenance() == (git(checkout, "rev-parse", "HEAD"), True)


def test_what_is_committed_while_a_process_runs_is_not_what_it_runs(checkout):
    head, _ = provenance()
    (checkout / "adai" / "code.py").write_text("2\n")
    git(checkout, "commit", "--quiet", "--all", "--message", "second")
    assert machine.environment(device="cpu", threads=1)["commit"] == head


def test_a_package_outside_a_checkout_has_no_commit(tmp_path, monkeypatch, checkout):
    outside = checkout / "site-packages"  # in somebody else's repository
    monkeypatch.setattr(machine, "CHECKOUT", outside)
    assert provenance() == (None, True) and machine.commit_exists("a" * 40)


def test_a_commit_is_known_if_the_checkout_has_it(checkout, tmp_path, monkeypatch):
    head = git(checkout, "rev-parse", "HEAD")
    assert machine.commit_exists(head) and not machine.commit_exists("a" * 40)
    (checkout / "adai" / "code.py").write_text("2\n")
    git(checkout, "commit", "--quiet", "--all", "--message", "second")
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{checkout}", "shallow")
    monkeypatch.setattr(machine, "CHECKOUT", tmp_path / "shallow")
    assert machine.commit_exists(head), "a shallow clone cannot know"
