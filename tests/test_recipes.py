"""The recipes of CONTRIBUTING, followed: a toy of each in a copy of the tree, and the tests that should then cover it.

A recipe's own edits go through `Tree.write`, which refuses a file that the recipe does not name; `Tree.scaffold` makes
what stands there before the recipe begins.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from adai import records
from adai.book.figures import EXPLORABLE
from adai.book.ledger import MIME
from publishing import ROOT, address

TOYS = Path(__file__).with_name("recipes")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
CHAPTER = "book/start/toy.ipynb"


class Tree:
    """A copy of the project, in which a recipe is followed."""

    def __init__(self, root: Path, recipe: str) -> None:
        self.root = root
        section = re.search(rf"^## {recipe}\n(.*?)(?=^## |\Z)", CONTRIBUTING, re.M | re.S)
        # A place such as `book/<part>/<chapter>.ipynb` stands for any, a folder for all in it.
        places = re.findall(r"`([\w<>./-]+)`", section[1])
        names = [re.sub(r"\\?<\w+\\?>", r"[\\w-]+", re.escape(name)) for name in places]
        self.named = re.compile("|".join(f"{name}.*" if name.endswith("/") else name for name in names))
        for path in address.project_files(ROOT):
            target = root / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)

    def scaffold(self, name: str, text: str) -> None:
        (self.root / name).write_text(text, "utf-8")

    def write(self, name: str, text: str) -> None:
        assert self.named.fullmatch(name), f"the recipe does not name {name}"
        self.scaffold(name, text)

    def insert(self, name: str, text: str, *, before: str) -> None:
        """Put text before the first line of a file that begins so."""
        old = (self.root / name).read_text("utf-8")
        place = re.search(rf"^{re.escape(before)}", old, re.M)
        self.write(name, old[: place.start()] + text + old[place.start() :])

    def python(self, *arguments: str) -> subprocess.CompletedProcess:
        environment = os.environ | {"PYTHONPATH": str(self.root), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True)

    def test(self, *arguments: str, least: int = 1) -> None:
        """Run tests of the copy; at least `least` have to pass, and none may fail. Skip where they need a browser."""
        done = self.python("-m", "pytest", "-rs", "-p", "no:cacheprovider", "-p", "no:xdist", *arguments)
        said = done.stdout + done.stderr
        if done.returncode == 0 and "no Chromium found" in said:
            pytest.skip("no Chromium found")
        passed = re.search(r"(\d+) passed", said)
        assert done.returncode == 0 and passed and int(passed[1]) >= least, said[-5000:]


def with_lion(tmp_path):
    tree, padam = Tree(tmp_path, "Add an optimizer"), "from adai.optim.padam import Padam\n"
    tree.write("adai/optim/lion.py", (TOYS / "lion.py").read_text())
    tree.insert("adai/optim/reference.py", (TOYS / "lion_rule.txt").read_text() + "\n\n", before="# ── what they")
    tree.insert("adai/optim/catalogue.py", "from adai.optim.lion import Lion\n", before=padam)
    tree.insert("adai/optim/catalogue.py", (TOYS / "lion_entry.txt").read_text(), before='}\n"""The optimizers by')
    tree.insert("adai/optim/__init__.py", "from adai.optim.lion import Lion\n", before=padam)
    for file in ("adai/optim/__init__.py", "adai/__init__.py"):
        exported = (tmp_path / file).read_text().replace('"AdaiW", "Padam"', '"AdaiW", "Lion", "Padam"')
        tree.write(file, exported.replace("AdaiW, Padam", "AdaiW, Lion, Padam"))
    shown = "```{eval-rst}\n.. autoapimodule:: adai.optim.lion\n   :members:\n```\n\n"
    tree.insert("book/reference/api.md", shown, before="```{eval-rst}\n.. autoapimodule:: adai.optim.padam")
    return tree


def test_an_optimizer(tmp_path):
    chosen = "(Lion or lion or catalogue or colour) and not behaviour"
    elsewhere = "--ignore=tests/optim/test_sharded.py"  # whose one start of processes does every optimizer's work
    with_lion(tmp_path).test("tests/optim", "tests/book/test_figures.py", "-k", chosen, elsewhere, least=40)


def test_the_table_of_an_optimizer(tmp_path):
    tree = with_lion(tmp_path)
    assert tree.python("-m", "tests.optim.conformance", "Lion").returncode == 0
    tree.test("tests/optim/test_conformance.py", "-k", "its_sums or (Lion and foreach)", least=3)


def test_an_experiment(tmp_path):
    tree = Tree(tmp_path, "Add an experiment")
    tree.write("adai/experiments/toy.py", (TOYS / "toy.py").read_text())
    tree.insert("adai/experiments/registry.py", "    toy,\n", before=")\nfrom adai.experiments.base")
    row = '    Experiment("toy", toy.runs, toy.table),\n'
    tree.insert("adai/experiments/registry.py", row, before='    Measured("escape"')
    tree.write("tests/experiments/test_toy.py", (TOYS / "toy_tests.py").read_text())
    tree.test("tests/experiments/test_walk.py", "tests/experiments/test_toy.py", "-k", "toy", least=2)


def test_a_record_is_sent(tmp_path):
    tree, sent = Tree(tmp_path / "copy", "Send a record"), tmp_path / "download (1).json"
    home = min((tree.root / "book/records/digits").glob("*.json"))
    assert tree.named.fullmatch(home.relative_to(tree.root).as_posix())
    record = records.read(home)
    home.rename(sent)
    done = tree.python("-m", "adai", "records", "add", str(sent))
    assert (done.returncode, done.stdout) == (0, f"filed as {home}\n"), done.stdout + done.stderr
    assert records.read(home) == record


# ── a chapter, with a check and an explorable in it ──

CHECK = """\
variance = D / H * (1 - sp.exp(-2 * H * t))
left = sp.solve(sp.Eq(variance, sigma2), sp.exp(-2 * H * t))[0]
derived = variance.diff(t).subs(sp.exp(-2 * H * t), left)
check.identity("eq:19", derived, 2 * D - 2 * H * sigma2)"""
EXPLORE = """\
explore.curves(
    {"what is left": sp.exp(-H * t)}, x=(t, 0, 10), y=(0, 1), xlabel="time", ylabel="place",
    sliders={H: explore.Slider("curvature H", 0.1, 2, start=1, step=0.1)},
)"""
ALT = {"mystnb": {"image": {"alt": "At the first position of the slider the curve falls from one to nearly nothing."}}}


def chapter(check: str = "", explorable: str = "") -> str:
    """The toy chapter as a notebook that has never run."""
    cells = [nbformat.v4.new_markdown_cell((TOYS / "chapter.md").read_text().split("%% ")[0].strip())]
    for part in (TOYS / "chapter.md").read_text().split("%% ")[1:]:
        kind, _, text = part.partition("\n")
        text = {"check": check, "explorable": explorable}.get(kind, text.strip())
        new = nbformat.v4.new_markdown_cell if kind == "text" else nbformat.v4.new_code_cell
        cells += [new(text, metadata=ALT if kind == "explorable" else {})] if text else []
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells))


def mutants_tried(tree: Tree, item: str) -> int:
    """What the ledger counts for an item."""
    entries = json.loads(tree.python("-m", "adai", "ledger", "--json").stdout)
    return next(entry["mutants_tried"] for entry in entries if entry["id"] == item)


def outputs(tree: Tree, kind: str) -> list:
    cells = nbformat.read(tree.root / CHAPTER, as_version=4).cells
    return [o.data[kind] for c in cells for o in c.get("outputs", []) if kind in o.get("data", {})]


def test_a_chapter(tmp_path):
    tree = Tree(tmp_path, "Add a chapter")
    tree.write(CHAPTER, chapter(explorable=EXPLORE))
    tree.insert("_toc.yml", "      - file: book/start/toy\n", before="      - file: book/start/digits")
    done = tree.python("-m", "publishing.notebooks", CHAPTER)
    assert (done.returncode, done.stdout) == (0, f"{CHAPTER}: executed\n"), done.stderr
    tree.test("--nbval", "--nbval-current-env", CHAPTER, least=3)
    tree.test("tests/chapters", "-k", "toy or every_cell", least=8)
    # A cell that is changed and not executed again is found.
    tree.write(CHAPTER, (tmp_path / CHAPTER).read_text().replace("dsolve(x(t)", "dsolve(2 * x(t)"))
    assert tree.python("-m", "pytest", "--nbval", "--nbval-current-env", "-p", "no:xdist", CHAPTER).returncode == 1


def test_a_check(tmp_path):
    tree = Tree(tmp_path, "Add a check")
    tree.scaffold(CHAPTER, chapter())
    before = mutants_tried(tree, "eq:19")
    tree.write(CHAPTER, chapter(check=CHECK))
    assert tree.python("-m", "publishing.notebooks", CHAPTER).returncode == 0
    (record,) = outputs(tree, MIME)
    assert (record["id"], record["verdict"]) == ("eq:19", "holds") and record["mutants"]["rejected"] > 0
    assert mutants_tried(tree, "eq:19") - before == record["mutants"]["tried"]
    tree.write(CHAPTER, chapter(check=CHECK.replace("2 * D - 2", "2 * D + 2")))
    failed = tree.python("-m", "publishing.notebooks", CHAPTER)
    assert failed.returncode == 1 and "CheckFailed" in failed.stderr


def test_an_explorable(tmp_path):
    tree = Tree(tmp_path, "Add an explorable")
    tree.scaffold(CHAPTER, chapter())
    tree.scaffold("_toc.yml", "format: jb-book\nroot: book/start/toy\n")  # one page, and not the API's: they take long
    tree.scaffold("_config.yml", (tmp_path / "_config.yml").read_text().replace(", autoapi.extension", ""))
    tree.write(CHAPTER, chapter(explorable=EXPLORE))
    assert tree.python("-m", "publishing.notebooks", CHAPTER).returncode == 0
    assert len(outputs(tree, EXPLORABLE)) == 1
    done = tree.python("-c", "from jupyter_book.cli.main import main; main()", "build", ".")
    assert done.returncode == 0, done.stderr[-3000:]
    tree.test("tests/site/test_explorable.py", "-k", "toy", least=3)


def test_a_chapter_in_the_browser(tmp_path):
    tree = Tree(tmp_path, "Let a chapter run in the browser")
    tree.scaffold(CHAPTER, chapter(check=CHECK))
    assert tree.python("-m", "publishing.notebooks", CHAPTER).returncode == 0
    row = f'    "{CHAPTER.removesuffix(".ipynb")}",\n'
    tree.insert("publishing/live.py", row, before=')\n"""The pages that can run')
    tree.test("tests/publishing/test_kernel.py", "-k", "toy")
