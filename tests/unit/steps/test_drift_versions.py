"""A window that several versions answered: the champion is judged by its own rows."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.decisions import crown
from tests.unit.steps.looks import DAY, auc, crown_copy, early, figures
from tests.worlds import ROWS


def served_before(watched, rows, **changed):
    """Let another version, which had been champion, have answered rows.

    With inputs as in `crown_copy`.
    """
    one = watched.ports.ledger.champion("sales")
    watched.serve(rows, version="0", segment="old", kinds=changed)
    crown_copy(watched, "0", **changed)
    back = crown(one.version, one.bundle, one.release)
    watched.ports.ledger.crown("sales", expected="0", champion=back, key="back")


def test_what_another_version_answered_says_nothing_of_the_champion(watched):
    rows = watched.rows(DAY)
    served_before(watched, rows.slice(0, 120))
    watched.serve(rows.slice(120))
    found = watched.look(DAY)
    assert found.rows == ROWS
    assert figures(watched, found)["facts"]["predictions"]["score"] is not None
    assert found.live == pytest.approx(auc(watched, early(rows.slice(120))))
    assert (
        "120 rows were answered by another version" in watched.ports.store.get(found.page).decode()
    )


def test_predictions_of_another_version_are_no_drift_of_the_champions(watched):
    rows = watched.rows(DAY)
    served_before(watched, rows.slice(0, 120))
    watched.serve(rows.slice(120))
    alone = figures(watched, watched.look(DAY))["facts"]["predictions"]["score"]
    watched.serve(
        rows.slice(0, 120),
        version="0",
        segment="odd",
        after=timedelta(minutes=1),
        answer=lambda _: 1.0,
    )
    found = watched.look(DAY, "again")
    assert (found.verdict, figures(watched, found)["facts"]["predictions"]["score"]) == (
        "no_drift",
        alone,
    )


def test_few_rows_of_the_champions_own_are_no_verdict_on_its_predictions(watched):
    rows = watched.rows(DAY)
    served_before(watched, rows.slice(0, 200))
    watched.serve(rows.slice(200))
    found = watched.look(DAY)
    facts = figures(watched, found)["facts"]
    assert (found.verdict, found.rows, facts["predictions"]) == ("no_drift", ROWS, None)
    assert "40 rows were answered by the champion, 100 are needed" in "; ".join(found.reasons)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"trend": None}, id="an input that an older version had not"),
        pytest.param({"pages": "string"}, id="an input that was a text"),
    ],
)
def test_inputs_that_releases_logged_otherwise_are_compared_over_the_champions_own_rows(
    watched, changed
):
    rows = watched.rows(DAY)
    served_before(watched, rows.slice(0, 120), **changed)
    watched.serve(rows.slice(120))
    found = watched.look(DAY)
    assert (found.verdict, found.rows) == ("no_drift", 120), found.reasons
    assert (
        "only the 120 rows that version 1 answered itself are compared: other inputs were logged by"
        " version 0" in "; ".join(found.reasons)
    )


def test_a_version_that_nobody_knows_is_not_compared(watched):
    rows = watched.rows(DAY)
    watched.serve(rows.slice(0, 120), version="9", segment="old")
    watched.serve(rows.slice(120))
    assert watched.look(DAY).rows == 120
