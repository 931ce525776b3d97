"""What turns chapters into a site, a PDF, archives and cells that run elsewhere; works in a checkout only."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
"""The checkout."""
