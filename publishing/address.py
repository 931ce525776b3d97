"""Change the repository's address in every place where it stands (`make address URL=…`).

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
_ADDRESS = re.compile(r"https://github\.com/([A-Za-z0-9-]+)/([A-Za-z0-9_.-]+?)(?:\.git)?/?")


def current(root: Path) -> tuple[str, str]:
    """Return the repository's owner and name, from `_config.yml`, the one place that decides them.

    Raises:
        ValueError: if no address of a repository stands there.
    """
    found = re.search(r"^repository:\s*\n\s+url:\s*(\S+)", (root / "_config.yml").read_text("utf-8"), re.M)
    return _split(found.group(1) if found else "")


def project_files(root: Path) -> list[Path]:
    """Return the project's own files: those that git tracks or would add, or all that .gitignore allows."""
    names = _by_git(root) if (root / ".git").exists() else None
    paths = _by_gitignore(root) if names is None else (root / name for name in names)
    return sorted(path for path in paths if path.is_file() and not path.is_symlink())


def _by_git(root: Path) -> set[str] | None:
    """Return the names that git lists, or None where git is missing or fails."""
    command = ["git", "-C", str(root), "ls-files", "-coz", "--exclude-standard"]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return set(done.stdout.split("\0")) - {""} if done.returncode == 0 else None


def _by_gitignore(root: Path) -> Iterator[Path]:
    """Yield all files but those that .gitignore excludes, as after unpacking GitHub's zip."""
    ignored = [line.strip("/") for line in (root / ".gitignore").read_text("utf-8").split()] + [".git"]

    def kept(names: list[str]) -> list[str]:
        return [name for name in names if not any(fnmatch.fnmatch(name, pattern) for pattern in ignored)]

    for folder, folders, names in os.walk(root):
        folders[:] = kept(folders)
        yield from (Path(folder, name) for name in kept(names))


def change(url: str, root: Path) -> list[Path]:
    """Write a new address into all text files of the project, and return the files that changed.

    Raises:
        ValueError: if the URL is no address of a repository on GitHub.
    """
    (owner, name), (new_owner, new_name) = current(root), _split(url)
    # Only behind these hosts (GitHub, Colab) or as the site's own: some slugs are also paths, such as adai/book.
    slug = re.compile(rf"((?:github\.com|google\.com/github)/){re.escape(owner)}/{re.escape(name)}(?![\w-])")
    pages = re.compile(rf"https://{re.escape(owner)}\.github\.io/{re.escape(name)}(?![\w-])")
    changed = []
    for path in project_files(root):
        text = path.read_bytes().decode("utf-8", "surrogateescape")
        new = slug.sub(rf"\g<1>{new_owner}/{new_name}", text)
        new = pages.sub(f"https://{new_owner}.github.io/{new_name}", new)
        if new != text and "\0" not in text:
            path.write_bytes(new.encode("utf-8", "surrogateescape"))
            changed.append(path)
    return changed


def _split(url: str) -> tuple[str, str]:
    """Return owner and name of a URL, or raise."""
    match = _ADDRESS.fullmatch(url)
    if match is None:
        raise ValueError(f"{url!r} is no address of a repository: give URL=https://github.com/<owner>/<name>")
    return match[1], match[2]


def main(argument: str, root: Path) -> str | None:
    """Run the command, and return an error message, or None."""
    if argument == "--check-published":
        return "The address is still a placeholder: make address URL=…" if current(root)[0] == PLACEHOLDER else None
    print(f"{len(change(argument, root))} files changed; `make notebooks` brings the chapters up to date")
    return None


if __name__ == "__main__":
    try:
        sys.exit(main("".join(sys.argv[1:]), ROOT))
    except ValueError as error:
        sys.exit(str(error))
