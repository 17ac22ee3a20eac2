"""The locked requirements of the images.

Where packages come from is the builder's business, and steps compute with one set of versions.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "docker").glob("*.txt"))


def pins(path):
    """Version by name; a name that differs by platform or Python has several."""
    matches = re.findall(
        r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", path.read_text(), re.MULTILINE
    )
    return {(name, version) for name, version in matches}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_a_lock_pins_and_hashes_all_and_names_no_registry(lock):
    text = lock.read_text()
    assert "://" not in text
    assert not re.search(
        r"^(-i|-f|--(extra-)?index-url|--find-links|--trusted-host)\b", text, re.MULTILINE
    )
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert entries
    assert all("--hash=sha256:" in entry and "==" in entry for entry in entries)


@pytest.mark.parametrize("name", ["steps", "serving", "serving-native"])
def test_what_computes_has_the_embedded_environments_versions(name):
    assert pins(ROOT / "docker" / f"{name}.txt") <= pins(ROOT / "requirements.txt")


def test_airflow_reads_the_log_with_the_arrow_that_wrote_it():
    wrote, reads = (
        {pin for pin in pins(ROOT / path) if pin[0] in {"pyarrow", "msgspec"}}
        for path in ("requirements.txt", "docker/airflow.txt")
    )
    assert reads == wrote
    assert {name for name, _ in reads} == {"pyarrow", "msgspec"}


def test_every_lock_has_its_source():
    assert {path.stem for path in LOCKS} == {path.stem for path in (ROOT / "docker").glob("*.in")}
