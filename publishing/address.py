"""Changes the repository's address in every place where it stands (`make address URL=…`).

Standard library only: the publish workflow runs `--check-published` before it installs anything.
"""

import fnmatch
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from publishing import ROOT

PLACEHOLDER = "OWNER"
ADDRESS = re.compile(r"https://github\.com/([A-Za-z0-9-]+)/([A-Za-z0-9_.-]+?)(?:\.git)?/?")


def current(root: Path) -> tuple[str, str]:
    """Owner and name of the repository, from `_config.yml`, where its address stands authoritatively."""
    found = re.search(r"^repository:\s*\n\s+url:\s*(\S+)", (root / "_config.yml").read_text("utf-8"), re.M)
    return _parsed(found.group(1) if found else "")


def files(root: Path) -> list[Path]:
    """Return the project's own files: those that git knows or would add, and the same ones where no git is."""
    names = _by_git(root) if (root / ".git").exists() else None
    paths = _by_gitignore(root) if names is None else (root / name for name in names)
    return sorted(path for path in paths if path.is_file() and not path.is_symlink())


def _by_git(root: Path) -> set[str] | None:
    command = ["git", "-C", str(root), "ls-files", "-coz", "--exclude-standard"]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return set(done.stdout.split("\0")) - {""} if done.returncode == 0 else None


def _by_gitignore(root: Path) -> Iterator[Path]:
    """Yield what GitHub's zip unpacked to, without what was made there since."""
    ignored = [line.strip("/") for line in (root / ".gitignore").read_text("utf-8").split()] + [".git"]

    def own(names: list[str]) -> list[str]:
        return [name for name in names if not any(fnmatch.fnmatch(name, pattern) for pattern in ignored)]

    for folder, folders, names in os.walk(root):
        folders[:] = own(folders)
        yield from (Path(folder, name) for name in own(names))


def change(url: str, root: Path) -> list[Path]:
    """Writes a new address into all text files of the project, and returns those it changed."""
    (owner, name), (new_owner, new_name) = current(root), _parsed(url)
    # Only behind these hosts (GitHub, Colab) or as the site's own: some slugs are also paths, such as adai/book.
    slug = re.compile(rf"((?:github\.com|google\.com/github)/){re.escape(owner)}/{re.escape(name)}(?![\w-])")
    pages = re.compile(rf"https://{re.escape(owner)}\.github\.io/{re.escape(name)}(?![\w-])")
    changed = []
    for path in files(root):
        text = path.read_bytes().decode("utf-8", "surrogateescape")
        fresh = slug.sub(rf"\g<1>{new_owner}/{new_name}", text)
        fresh = pages.sub(f"https://{new_owner}.github.io/{new_name}", fresh)
        if fresh != text and "\0" not in text:
            path.write_bytes(fresh.encode("utf-8", "surrogateescape"))
            changed.append(path)
    return changed


def _parsed(url: str) -> tuple[str, str]:
    match = ADDRESS.fullmatch(url)
    if match is None:
        raise ValueError(f"{url!r} is no address of a repository: give URL=https://github.com/<owner>/<name>")
    return match.groups()


def main(argument: str, root: Path) -> str | None:
    """Runs the command and returns what went wrong, if anything did."""
    if argument == "--check-published":
        return "The address is still a placeholder: make address URL=…" if current(root)[0] == PLACEHOLDER else None
    print(f"{len(change(argument, root))} files changed; `make notebooks` brings the chapters up to date")


if __name__ == "__main__":
    try:
        sys.exit(main("".join(sys.argv[1:]), ROOT))
    except ValueError as error:
        sys.exit(str(error))
