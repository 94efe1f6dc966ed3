"""What keeps the book honest: claims and their ledger, notebooks and their twins, links, pages.

Open :mod:`lib.course.claims` first. Nothing that computes depends on this folder.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # of the clone
