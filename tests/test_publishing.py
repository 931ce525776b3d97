"""What publishes the book: workflows, citation, the commands that the documents name, the repository's address."""

import re
import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest
import yaml
from pybtex.database import parse_file
from pybtex.plugin import find_plugin

from publishing import address

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


def test_there_are_the_three_workflows() -> None:
    assert [path.stem for path in WORKFLOWS] == ["publish", "test", "weekly"]


def test_publishing_waits_for_the_tests_and_refuses_the_placeholder() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/publish.yml").read_text())["jobs"]
    assert jobs["test"]["uses"] == "./.github/workflows/test.yml"
    assert jobs["build"]["needs"] == "test" and jobs["deploy"]["needs"] == "build"
    runs = [step["run"] for step in jobs["build"]["steps"] if "run" in step]
    assert (runs[0], runs[-1]) == ("python -m publishing.address --check-published", "make live pdf zips")


def test_publishing_installs_the_packages_that_make_pdf_names() -> None:
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    named = re.search(r"^TEX_PACKAGES := (.*)$", makefile, re.M)[1].split()
    jobs = yaml.safe_load((ROOT / ".github/workflows/publish.yml").read_text())["jobs"]
    (line,) = [step["run"] for step in jobs["build"]["steps"] if "apt-get install" in step.get("run", "")]
    assert line.split()[-len(named) :] == named
    assert re.search(r"^zips:.*\bbook$", makefile, re.M)


def test_the_welcome_page_offers_what_publishing_makes() -> None:
    page = (ROOT / "book/welcome.md").read_text()
    owner, name = address.current(ROOT)
    made = {"adai-book.pdf", "adai-book-site.zip", "adai-book-notebooks.zip"}
    assert set(re.findall(rf"https://{owner}\.github\.io/{name}/downloads/([\w.-]+)", page)) == made
    sources = (ROOT / "Makefile").read_text() + (ROOT / "publishing/archives.py").read_text()
    assert all(file in sources for file in made)


def test_the_citation_is_valid() -> None:
    assert validate("vendor.citation-file-format", ROOT / "CITATION.cff") == ""


def test_pre_commit_calls_only_tools_of_the_environment() -> None:
    path = ROOT / ".pre-commit-config.yaml"
    subprocess.run([sys.executable, "-m", "pre_commit", "validate-config", path], check=True)
    (repository,) = yaml.safe_load(path.read_text())["repos"]
    assert repository["repo"] == "local"
    assert all(hook["entry"].startswith(".venv/bin/") for hook in repository["hooks"])


@pytest.mark.parametrize("path", [*WORKFLOWS, *DOCUMENTS], ids=lambda path: path.name)
def test_every_make_target_that_is_named_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"(?:`|run: |&& |^)make ([a-z-]+)", path.read_text(), re.M))
    assert named - {"test-latest"} or path.stem == "weekly"
    assert named <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_is_linked_exists(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        assert "://" in target or (document.parent / target).is_file(), target


def test_the_recipes_are_short() -> None:
    recipes = re.findall(r"^## Add .+\n\n((?:.+\n)+)", (ROOT / "CONTRIBUTING.md").read_text(), re.M)
    assert len(recipes) == 5
    assert all(len(recipe.splitlines()) <= 10 for recipe in recipes)


def test_the_address_is_the_same_wherever_it_stands() -> None:
    owner, name = address.current(ROOT)
    texts = {path: path.read_text("utf-8", "replace") for path in address.files(ROOT)}
    others = {
        (path.relative_to(ROOT).as_posix(), found)
        for path, text in texts.items()
        for found in re.findall(rf"(?:github\.com|google\.com/github)/([\w-]+/{re.escape(name)})(?![\w-])", text)
        + re.findall(rf"([\w-]+)\.github\.io/{re.escape(name)}(?![\w-])", text)
        if found not in (f"{owner}/{name}", owner)
    }
    assert others == set()
    placeholder = re.compile(rf"(?:github\.com|google\.com/github)/{address.PLACEHOLDER}/")
    stale = [path for path, text in texts.items() if placeholder.search(text)]
    assert owner == address.PLACEHOLDER or stale == []


@pytest.mark.parametrize("name", ["README.md", "CITATION.cff"])
def test_the_address_stands_where_readers_look(name: str) -> None:
    assert "https://github.com/{}/{}".format(*address.current(ROOT)) in (ROOT / name).read_text()


class TestAddress:
    """`make address`, tried on a repository of its own, and on what GitHub's zip of it unpacks to."""

    @pytest.fixture(params=[pytest.param("git", marks=pytest.mark.skipif(not which("git"), reason="no git")), "zip"])
    def repository(self, request: pytest.FixtureRequest, tmp_path: Path) -> Path:
        def in_files(slug: str, pages: str) -> dict[str, str]:
            return {
                "_config.yml": f"repository:\n  url: https://github.com/{slug}\n",
                "README.md": f"<https://colab.research.google.com/github/{slug}/blob/main/a.ipynb>, {pages}.\r\n",
                "book/a.ipynb": f'{{"source": "git clone https://github.com/{slug}.git"}}',
                "other.md": f"https://github.com/{slug}-two and https://github.com/other/{slug} and {slug}/check.py",
            }

        self.in_files = in_files
        if request.param == "git":
            subprocess.run(["git", "init", "-q", tmp_path], check=True)
        (tmp_path / ".gitignore").write_text("/_build/\n*.checkpoint\n")
        made = f"https://github.com/{address.PLACEHOLDER}/notes"
        self.write(tmp_path, {"_build/a.md": made, "a.checkpoint": made})
        self.write(tmp_path, in_files(f"{address.PLACEHOLDER}/notes", f"https://{address.PLACEHOLDER}.github.io/notes"))
        (tmp_path / "picture.png").write_bytes(f"\0\xff github.com/{address.PLACEHOLDER}/notes".encode("latin-1"))
        (tmp_path / "run").write_text(f"# https://github.com/{address.PLACEHOLDER}/notes")
        (tmp_path / "run").chmod(0o755)
        return tmp_path

    @staticmethod
    def write(root: Path, files: dict[str, str]) -> None:
        for name, text in files.items():
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_bytes(text.encode())

    def test_every_form_changes_and_nothing_else(self, repository: Path) -> None:
        before = {p: p.read_bytes() for p in repository.iterdir() if p.is_file()}
        changed = address.change("https://github.com/me/my.book", repository)
        assert [p.name for p in changed] == ["README.md", "_config.yml", "a.ipynb", "run"]
        wanted = self.in_files("me/my.book", "https://me.github.io/my.book")
        for name in ("_config.yml", "README.md", "book/a.ipynb"):
            assert (repository / name).read_bytes() == wanted[name].encode()
        for name in ("other.md", "picture.png"):
            assert (repository / name).read_bytes() == before[repository / name]
        assert (repository / "run").stat().st_mode & 0o111

    def test_it_can_be_changed_again_and_back(self, repository: Path) -> None:
        before = {p: p.read_bytes() for p in repository.iterdir() if p.is_file()}
        # A slug that is also a path of the project: paths must survive.
        for url in ("https://github.com/adai/book", f"https://github.com/{address.PLACEHOLDER}/notes/"):
            address.change(url, repository)
        assert {p: p.read_bytes() for p in before} == before

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "me/book",
            "https://gitlab.com/me/book",
            "https://github.com/me",
            "https://github.com/me/b/tree",
            "http://github.com/a/b",
        ],
    )
    def test_what_is_no_address_is_refused_and_nothing_written(self, repository: Path, url: str) -> None:
        before = (repository / "_config.yml").read_text()
        with pytest.raises(ValueError, match=r"no address.*https://github\.com/<owner>/<name>"):
            address.change(url, repository)
        assert (repository / "_config.yml").read_text() == before

    def test_the_placeholder_is_refused_until_it_is_replaced(self, repository: Path) -> None:
        assert "make address URL=" in address.main("--check-published", repository)
        assert address.main("https://github.com/me/book", repository) is None
        assert address.main("--check-published", repository) is None


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
