"""The width of the code: the linter passes over lines that end with a reason for an exemption."""

from __future__ import annotations

import subprocess

import pytest

from tests.conftest import ROOT

WIDTH = 100
ONE_LINE = "log-format "
"""HAProxy reads it from one line only."""


def files(*patterns: str) -> list[str]:
    """Return the files under version control; none where there is no checkout."""
    listing = subprocess.run(
        ["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return listing.stdout.splitlines()


@pytest.mark.parametrize("pattern", ["*.py", "*.html", "*.css", "*.sh", "*.cfg", "Makefile"])
def test_no_line_of_code_is_too_long(pattern):
    names = files(pattern)
    if not names:
        pytest.skip("this is no git checkout")
    wide = [
        f"{name}:{number}"
        for name in names
        for number, line in enumerate((ROOT / name).read_text("utf-8").splitlines(), 1)
        if len(line) > WIDTH and not line.lstrip().startswith(ONE_LINE)
    ]
    assert wide == []
