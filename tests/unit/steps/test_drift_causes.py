"""A window that a broken pipe delivers is an alarm with its cause, and starts no retraining."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.cards.figures import CardFigures, LossByInput, Shuffled, keep_figures
from pipelines.ledger import DriftCheck
from pipelines.verdicts.explanations import in_short
from tests.decisions import gate_verdict
from tests.unit.steps.looks import DAY, entries, figures


def test_minutes_that_came_as_milliseconds_alarm_with_the_way_back(watched):
    rows = watched.rows(DAY)
    place = rows.column_names.index("minutes")
    broken = pc.multiply(rows["minutes"].cast(pa.float64()), 1000.0)
    watched.serve(rows.set_column(place, "minutes", broken))
    found = watched.look(DAY)
    assert (found.verdict, found.cause.kind, found.cause.detail) == (
        "alarm",
        "broken_upstream",
        "units",
    )
    assert "minutes: the values of this window" in found.reasons[1]
    assert b"values in another unit" in watched.ports.store.get(found.page)
    [entry] = entries(watched)
    check = entry.read(DriftCheck)
    assert check.cause == found.cause
    assert in_short(check.cause, check.effect)[0].startswith("cause: A pipe is broken upstream")


def test_columns_are_ordered_by_what_the_champion_loses_without_them(watched):
    """Minutes move more than pages do, and the champion looks at pages."""
    rows = watched.rows(DAY)
    for name, factor in (("minutes", 2.5), ("pages", 1.6)):
        moved = pc.multiply(rows[name].cast(pa.float64()), factor)
        rows = rows.set_column(rows.column_names.index(name), name, moved)
    watched.serve(rows)
    without = ranked(watched, watched.look(DAY, run="before"))
    assert without[0]["name"] == "minutes"
    assert without[0]["importance"] is None
    keep_losses(watched, pages=0.2, minutes=0.001, channel=0.05, trend=-0.01)
    found = watched.look(DAY, run="after")
    first, second = ranked(watched, found)[:2]
    assert (first["name"], second["name"]) == ("pages", "minutes")
    assert first["importance"] > 0.7
    assert second["shift"] > first["shift"]
    assert found.effect.columns[0] == "pages"
    page = watched.ports.store.get(found.page).decode()
    assert "what matters most, by importance times shift: pages" in page
    assert "unknown" not in page.split("importance</th>")[1].split("</table>")[0]


def ranked(watched, found):
    return figures(watched, found)["explanation"]["effect"]["columns"]


def keep_losses(watched, **losses):
    """Keep what the champion's metric loses without each input, as its gate does."""
    ledger = watched.ports.ledger
    version = ledger.champion("sales").version
    ledger.append("sales", "first", gate_verdict(version=version))
    shuffled = Shuffled(
        metric="roc_auc",
        rows=200,
        repeats=5,
        evidence="",
        left_out=0,
        losses=[LossByInput(name=name, loss=loss) for name, loss in losses.items()],
    )
    kept = CardFigures(version=version, candidate="linear", shuffled=shuffled)
    keep_figures(watched.ports.store, "sales", "first", kept)
