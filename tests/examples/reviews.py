"""The archive of the reviews, fetched as the example does."""

from __future__ import annotations

import runpy
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def fetch_reviews(folder: Path) -> Path:
    """Fetch the archive into a folder; the test is skipped where the index cannot be reached."""
    source = runpy.run_path(str(ROOT / "examples" / "reviews" / "source.py"))
    try:
        data = source["_fetch"]()
    except OSError as error:
        pytest.skip(f"the package index cannot be reached: {error}")
    archive = folder / "reviews.zip"
    archive.write_bytes(data)
    return archive
