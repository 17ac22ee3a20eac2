"""What a CSV's text tells while it is read does not depend on where the reads end."""

import random
import re

import pytest

from pipelines.sources.checked_text import CheckedText

HEX = re.compile(rb"(?<![0-9A-Za-z])0[xX]")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_a_number_in_hex_is_seen_wherever_a_read_ends(tmp_path, size):
    chance, found = random.Random(size), 0
    path = tmp_path / "text.csv"
    for _ in range(150):
        text = bytes(chance.choices(b"00xX,a5\n", k=12))
        path.write_bytes(text)
        with CheckedText(path) as checked:
            while checked.read(size):
                pass
            assert checked.has_hex == bool(HEX.search(text)), text
            found += checked.has_hex
    assert 0 < found < 150


def test_a_number_in_hex_is_seen_far_into_a_large_read(tmp_path):
    path = tmp_path / "text.csv"
    for place in (65_533, 65_534, 65_535, 65_536, 65_537, 200_001):
        for before, has_hex in ((b",", True), (b"7", False), (b"N", False)):
            path.write_bytes(b"1" * (place - 1) + before + b"0X1F" + b"," * 70_000)
            with CheckedText(path) as checked:
                assert checked.problem("text.csv") is None
                assert checked.has_hex is has_hex


def test_quotes_are_counted(tmp_path):
    path = tmp_path / "text.csv"
    path.write_bytes(b'a,"b"\n' * 1_000 + b'"')
    with CheckedText(path, quote=b'"') as checked:
        while checked.read(501):
            pass
        assert checked.quotes == 2_001


@pytest.mark.parametrize("size", [1, 3, 501])
@pytest.mark.parametrize(("end", "lines"), [(b"", 1_001), (b"\n", 1_001), (b"\n\n", 1_002)])
def test_lines_are_counted_also_the_last_one_that_has_no_end(tmp_path, size, end, lines):
    path = tmp_path / "text.csv"
    path.write_bytes(b"a,b\r\n" * 1_000 + b"c,d" + end)
    with CheckedText(path) as checked:
        while checked.read(size):
            pass
        assert checked.problem("text.csv") is None
        assert checked.lines == lines
