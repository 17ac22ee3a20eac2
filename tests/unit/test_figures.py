"""Tables and drawings in documents are of what benchmarks measured, as it is by now."""

from __future__ import annotations

import re

import pytest

from tools.figures import rates
from tools.figures.pages import PAGES, TABLES, fill, named
from tools.figures.plots import IMAGES, PLOTS, fingerprint
from tools.figures.power import SCENES, seen
from tools.figures.results import ABSENT, pool, read, together


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_the_figures_of_the_last_runs(page):
    text = page.read_text("utf-8")
    assert named(text)
    assert fill(text) == text, "run python -m tools.figures"


def test_each_table_stands_in_one_document():
    there = [name for page in PAGES for name in named(page.read_text("utf-8"))]
    assert sorted(there) == sorted(TABLES)


def test_an_old_figure_and_a_table_of_no_name_are_seen():
    page = PAGES[0].read_text("utf-8")
    old = re.sub(r"\((\d+) of 184\)", "(99 of 184)", page, count=1)
    assert old != page
    assert fill(old) == page
    with pytest.raises(KeyError, match="no such"):
        fill("<!-- figures: no such -->\n<!-- end of figures -->")


@pytest.mark.parametrize("name", PLOTS)
def test_a_drawing_is_of_the_figures_of_the_last_runs(name):
    drawn = (IMAGES / f"{name}.svg").read_text("utf-8")
    assert fingerprint(name) in drawn, "run python -m tools.figures"
    assert any(f"images/{name}.svg" in page.read_text("utf-8") for page in PAGES)


def test_every_rate_that_was_measured_stands_in_a_table():
    """What a benchmark calls otherwise some day would else be left out in silence."""
    known = [
        cell
        for world in rates.WORLDS
        for columns in rates.COLUMNS
        for cell in rates.quiet_cells(world, columns).values()
        if cell
    ]
    real = [rates.quiet(f"{name}: {days} days drawn") for name in rates.SETS for days in rates.DAYS]
    measured = [words for words in read("false_alarms") if words.endswith(": called changed")]
    assert len(known) + len([cell for cell in real if cell]) == len(measured)
    assert sum(len(scenes) for scenes in seen().values()) == len(read("power"))
    assert {scene for scenes in seen().values() for scene in scenes} == set(SCENES)
    claims = [words for words in read("claims") if words.endswith(": called changed")]
    assert sum(line.count(" % |") for line in rates.claims()) == len(claims)


def test_cells_are_told_together_with_what_chance_leaves_open():
    assert pool([(0.05, 200), (0.0125, 400)]) == (15, 600)
    # Wilson's interval of 38 of 400, by hand.
    assert together([(0.095, 200), (0.095, 200)]) == "9.5 % (7.0 to 12.8)"


def test_what_was_not_measured_is_said(monkeypatch):
    monkeypatch.setattr(rates, "read", lambda _: {})
    assert rates.quiet("independent rows: 50 x 1") is None
    assert all(ABSENT in line for line in rates.false_alarms()[2:11])
    assert "for: none." in rates.false_alarms()[-1]
