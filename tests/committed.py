"""What the repository holds of records: the folder of those that are committed, and the paper's own numbers."""

from pathlib import Path

import yaml

FOLDER = Path(__file__).resolve().parents[1] / "book" / "records"
PAPER = yaml.safe_load((FOLDER / "paper.yml").read_text(encoding="utf-8"))
