"""Changes the repository's address in every place where it stands (`make address URL=…`).

Standard library only: the publish workflow runs `--check-published` before it installs anything.
"""

import re
import subprocess
import sys
from pathlib import Path

PLACEHOLDER = "OWNER"
ADDRESS = re.compile(r"https://github\.com/([A-Za-z0-9-]+)/([A-Za-z0-9_.-]+?)(?:\.git)?/?")


def current(root: Path) -> tuple[str, str]:
    """Owner and name of the repository, from `_config.yml`, where its address stands authoritatively."""
    found = re.search(r"^repository:\s*\n\s+url:\s*(\S+)", (root / "_config.yml").read_text("utf-8"), re.M)
    return _parsed(found.group(1) if found else "")


def change(url: str, root: Path) -> list[Path]:
    """Writes a new address into all text files that git knows or would add, and returns those it changed."""
    (owner, name), (new_owner, new_name) = current(root), _parsed(url)
    # Only behind these hosts (GitHub, Colab) or as the site's own: some slugs are also paths, such as adai/book.
    slug = re.compile(rf"((?:github\.com|google\.com/github)/){re.escape(owner)}/{re.escape(name)}(?![\w-])")
    pages = re.compile(rf"https://{re.escape(owner)}\.github\.io/{re.escape(name)}(?![\w-])")
    git = ["git", "-C", str(root), "ls-files", "-coz", "--exclude-standard"]
    changed = []
    for path in sorted({root / line for line in subprocess.check_output(git, text=True).split("\0")}):
        if not path.is_file() or path.is_symlink():
            continue
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
        sys.exit(main("".join(sys.argv[1:]), Path(__file__).parents[2]))
    except ValueError as error:
        sys.exit(str(error))
