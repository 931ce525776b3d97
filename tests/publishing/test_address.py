"""The repository's address: the same wherever it stands, and changed everywhere at once."""

import re
import subprocess
from pathlib import Path
from shutil import which

import pytest

from publishing import ROOT, address


def test_the_address_is_the_same_wherever_it_stands() -> None:
    owner, name = address.current(ROOT)
    texts = {path: path.read_text("utf-8", "replace") for path in address.project_files(ROOT)}
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
