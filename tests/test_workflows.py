"""What publishes the book: workflows, citation, the forms on GitHub, the commands that the documents name."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pybtex.database import parse_file
from pybtex.plugin import find_plugin

from publishing import address, archives

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "book/reference/architecture.md"]
COMMANDS = re.compile(
    r"make [a-z-]+|bash \.ci/run|python -m publishing\.address --check-published|(sudo )?apt-get |gh "
)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
class TestWorkflow:
    def test_every_action_is_pinned_by_commit_and_says_its_version(self, workflow: Path) -> None:
        for line in re.findall(r"uses: *(.+)", workflow.read_text()):
            own = line.startswith("./.github/workflows/") and (ROOT / line).is_file()
            assert own or re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line

    def test_it_only_calls_what_a_reader_can_call_too(self, workflow: Path) -> None:
        for job in yaml.safe_load(workflow.read_text())["jobs"].values():
            for step in job.get("steps", []):
                for line in step.get("run", "").splitlines():
                    assert COMMANDS.match(line), line

    def test_a_job_may_write_only_what_it_is_for(self, workflow: Path) -> None:
        settings = yaml.safe_load(workflow.read_text())
        assert settings["permissions"] == {}
        needed = {"deploy": {"pages", "id-token"}, "report": {"issues"}}
        needed |= {"attach": {"attestations", "contents", "id-token"}}
        for name, job in settings["jobs"].items():
            assert {scope for scope, level in job["permissions"].items() if level != "read"} == needed.get(name, set())

    @pytest.mark.parametrize("schema", ["vendor.github-workflows", "custom.github-workflows-require-timeout"])
    def test_it_follows_the_schema(self, workflow: Path, schema: str) -> None:
        assert validate(schema, workflow) == ""


def validate(schema: str, path: Path) -> str:
    """What check-jsonschema finds wrong; empty if nothing is."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout + done.stderr if done.returncode else ""


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("vendor.citation-file-format", "CITATION.cff"),
        ("vendor.dependabot", ".github/dependabot.yml"),
        *(("vendor.github-issue-forms", f".github/ISSUE_TEMPLATE/{name}.yml") for name in ("mistake", "proposal")),
    ],
)
def test_what_github_reads_follows_its_schema(schema: str, path: str) -> None:
    assert validate(schema, ROOT / path) == ""


def test_publishing_waits_for_the_tests_and_refuses_the_placeholder() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/publish.yml").read_text())["jobs"]
    assert jobs["test"]["uses"] == "./.github/workflows/test.yml"
    assert jobs["build"]["needs"] == "test" and jobs["deploy"]["needs"] == "build"
    runs = [step["run"] for step in jobs["build"]["steps"] if "run" in step]
    assert (runs[0], runs[-1]) == ("python -m publishing.address --check-published", "make live pdf zips")


def test_a_release_waits_for_the_tests_and_is_what_its_tag_names() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())["jobs"]
    assert jobs["test"]["uses"] == "./.github/workflows/test.yml"
    assert jobs["build"]["needs"] == "test" and jobs["attach"]["needs"] == "build"
    (built,) = (step["run"] for step in jobs["build"]["steps"] if "run" in step)
    assert built == 'make wheel TAG="$GITHUB_REF_NAME"'
    kept = jobs["build"]["steps"][-1]["with"]["path"].split()
    released = jobs["attach"]["steps"][-1]["run"]
    assert kept == ["dist/", "_build/release-notes.md"] and f"dist/* --verify-tag --notes-file {kept[1]}" in released


def test_the_welcome_page_offers_what_publishing_makes() -> None:
    page = (ROOT / "book/welcome.md").read_text()
    owner, name = address.current(ROOT)
    made = {"adai-book.pdf", "adai-book-site.zip", "adai-book-notebooks.zip"}
    assert set(re.findall(rf"https://{owner}\.github\.io/{name}/downloads/([\w.-]+)", page)) == made
    latex = yaml.safe_load((ROOT / "_config.yml").read_text())["latex"]["latex_documents"]["targetname"]
    assert made == {latex.replace(".tex", ".pdf"), archives.SITE, archives.NOTEBOOKS}


def test_pre_commit_brings_its_tools_in_the_locks_versions() -> None:
    path = ROOT / ".pre-commit-config.yaml"
    subprocess.run([sys.executable, "-m", "pre_commit", "validate-config", path], check=True)
    locked = (ROOT / "requirements.txt").read_text().splitlines()
    for repository in yaml.safe_load(path.read_text())["repos"]:
        for hook in repository["hooks"]:
            assert hook["language"] == "python" and set(hook["additional_dependencies"]) <= set(locked), hook["id"]


@pytest.mark.parametrize("path", [*WORKFLOWS, *DOCUMENTS], ids=lambda path: path.name)
def test_every_make_target_that_is_named_exists(path: Path) -> None:
    rules = subprocess.run(["make", "-pRrqn", "book"], cwd=ROOT, capture_output=True, text=True).stdout
    targets = set(re.findall(r"^([a-z-]+):", rules, re.M))
    named = set(re.findall(r"(?:`|run: |&& |^)make ([a-z-]+)", path.read_text(), re.M))
    assert named - {"test-latest"} or path.stem == "weekly"
    assert named <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_is_linked_exists(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        assert "://" in target or (document.parent / target).is_file(), target


class TestBibliography:
    entries = parse_file(ROOT / "book/references.bib", "bibtex").entries

    def test_it_formats_without_complaint(self, capsys: pytest.CaptureFixture) -> None:
        style = find_plugin("pybtex.style.formatting", "unsrt")()
        assert len(list(style.format_entries(self.entries.values()))) == len(self.entries) > 0
        assert capsys.readouterr().err == ""

    def test_every_work_has_author_title_and_year(self) -> None:
        incomplete = [
            key
            for key, entry in self.entries.items()
            if not entry.persons or not {"title", "year"} <= set(entry.fields)
        ]
        assert incomplete == []

    def test_no_work_stands_twice(self) -> None:
        titles = [re.sub(r"\W", "", entry.fields["title"]).lower() for entry in self.entries.values()]
        assert len(set(titles)) == len(titles)
