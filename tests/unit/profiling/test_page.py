"""The page of a profile: complete in itself, everything escaped, of a bounded size."""

import re

import numpy as np
import pyarrow as pa
import pytest

from pipelines.profiling.page import render
from pipelines.profiling.profile import BadRows, BatchLine, Profile
from pipelines.profiling.tables import MOST_DETAILED, Roles, profile_table, summarise
from pipelines.profiling.words import share_text, value_text

HOSTILE = "<script>alert(1)</script>"
ROLES = Roles(["id"], "at", "y", classes=False, inputs=["x"], personal={})


def page_of(*batches, roles=ROLES, quarantined=()):
    tables = {f"2024-0{i}-01T00": pa.table(b) for i, b in enumerate(batches, 1)}
    lines = [BatchLine(n, t.num_rows, t.num_columns, "accepted") for n, t in tables.items()]
    batches_by_name = {n: summarise(t, roles) for n, t in tables.items()}
    table = profile_table("Raw rows", batches_by_name, roles)
    return render(Profile("sales", lines, [table], list(quarantined)))


def text_of(page):
    return " ".join(re.sub(r"<[^>]+>", " ", page[page.index("<body>") :]).split())


def columns(seed=1, rows=400, **more):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    return {"x": x, "y": x + rng.normal(size=rows), "g": rng.choice(["a", "b"], rows), **more}


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing():
    page = page_of(columns(1), columns(2))
    assert "<script" not in page
    assert "http" not in page
    assert " on" not in re.sub(r">[^<]*<|\"[^\"]*\"", "><", page)
    assert page == page_of(columns(1), columns(2))


def test_the_list_says_what_is_missing_unique_and_goes_with_the_target():
    half = [1.0, None] * 200
    text = text_of(page_of(columns(1), columns(2, h=half), columns(3, h=half)))
    assert "h float 50.0 %" in text
    assert "y target float 0 %" in text
    assert "with y" in text
    assert "With each other" in text


def test_what_is_odd_in_the_newest_batch_is_said_first():
    sparse = [1.0] * 100 + [None] * 300
    text = text_of(
        page_of(
            columns(1, sparse=[1.0] * 400, gone=[1] * 400, empty=[1] * 400),
            columns(2, sparse=[1.0] * 400, gone=[1] * 400, empty=[1] * 400),
            columns(3, sparse=sparse, empty=pa.nulls(400), same=["a"] * 400, x=[9.0] * 400),
        )
    )
    head = text[: text.index("column type")]
    for words in (
        "gone is not in the newest batch",
        "empty has no value in the newest batch",
        "sparse misses 75.0 %, before it was 0 %",
        "same is new",
        "same has one and the same value",
        "furthest from the reference: x (",
    ):
        assert words in head


def test_names_and_values_are_escaped():
    hostile = {HOSTILE: np.arange(400.0), "t": [HOSTILE, "a"] * 200}
    bad = BadRows("2024-02-01T00", HOSTILE, [HOSTILE], [HOSTILE], [[HOSTILE]], 1)
    page = page_of(columns(1, **hostile), columns(2, **hostile), quarantined=[bad])
    assert HOSTILE not in page
    assert page.count("&lt;script&gt;") > 4


def test_quarantined_rows_are_shown_with_their_reasons():
    bad = BadRows(
        "2024-02-01T00", "events", ["pages: too many"], ["pages", "broken_expectations"],
        [["900", "be between"]], 17,
    )  # fmt: skip
    text = text_of(page_of(columns(1), quarantined=[bad]))
    assert "events: 17 rows, the first 1 is shown" in text
    assert "pages: too many" in text
    assert "900 be between" in text
    assert "Quarantined rows None." in text_of(page_of(columns(1)))


@pytest.mark.parametrize("name", ["z", "a long name that goes on and on " * 20])
def test_a_page_of_500_columns_stays_below_two_megabytes(name):
    rng = np.random.default_rng(1)
    wide = {f"{name}{i}": rng.normal(size=200) for i in range(460)}
    wide |= {f"{name}t{i}": rng.choice([f"text {j}" * 30 for j in range(40)], 200)
             for i in range(60)}  # fmt: skip
    page = page_of(*[columns(s, rows=200, **wide) for s in range(3)])
    assert len(page) < 2_000_000
    assert page.count('class="card"') == MOST_DETAILED
    assert f"the first {MOST_DETAILED} of" in text_of(page)
    assert "more columns were not looked at; 500 is the most" in text_of(page)


def test_figures_are_short():
    assert [share_text(s) for s in (0, 1e-6, 0.5, 1)] == ["0 %", "< 0.1 %", "50.0 %", "100 %"]
    assert value_text(1234.0, "number") == "1,234"
    assert value_text(0.123456, "number") == "0.1235"
    assert value_text(0.0, "time") == "1970-01-01 00:00"
    assert value_text(1e300, "time") == "1e+300"
