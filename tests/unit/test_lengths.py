"""The length of the tests' files: what is longer has several subjects, and is parted by them."""

from __future__ import annotations

from tests.conftest import ROOT

MOST_LINES = 300


def test_no_file_of_tests_is_too_long():
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines())
        for path in (ROOT / "tests").rglob("*.py")
    }
    assert lengths
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}
