import io
import json

import pytest
from rich.console import Console

from demo.report import Month, report, write_report
from demo.year import explain, months_table

MONTHS = [
    Month(
        "2013-03",
        28_886,
        "1",
        0.735,
        0.735,
        "no_drift",
        "nothing follows",
        "nothing",
        "nothing_to_do",
        "no drift",
        started=False,
    ),
    Month(
        "2013-04",
        28_353,
        "1",
        0.701,
        0.691,
        "drift",
        "it matters",
        "broken pipe: <i>clock</i>",
        "refused",
        "the gate refused: <b>too bad</b>",
        started=True,
    ),
    Month(
        "2013-05",
        28_783,
        "1",
        0.761,
        0.727,
        "drift",
        "cannot be said",
        "other rows",
        "deployed",
        "version 3 serves",
        started=True,
    ),
]


def test_the_report_says_what_programs_are_promised():
    text = report(MONTHS, 401.26)
    promised = {
        "month",
        "rows",
        "champion_version",
        "live_metric",
        "frozen_metric",
        "drift_verdict",
        "effect",
        "cause",
        "action",
    }
    assert all(promised <= month.keys() for month in text["months"])
    assert text["totals"] == {
        "retrains_started_by_drift": 2,
        "refused": 1,
        "deployed": 1,
        "wall_seconds": 401.3,
        "mean_live_metric": pytest.approx(0.7323, abs=1e-4),
        "mean_frozen_metric": pytest.approx(0.7177, abs=1e-4),
    }


def test_the_page_shows_each_month_and_a_plot_and_escapes_what_was_said(tmp_path):
    page = write_report(
        tmp_path / "demo",
        MONTHS,
        401.26,
        title="A year",
        description="Late?",
        metric="roc_auc",
        start="2013-03-01",
    )
    text = page.read_text()
    assert all(month.month in text for month in MONTHS)
    assert text.count("<svg") == 1
    assert "&lt;b&gt;too bad" in text
    assert "<th>effect</th><th>cause</th>" in text
    assert "<td>it matters</td><td>broken pipe: &lt;i&gt;clock" in text
    assert "<td>cannot be said</td><td>other rows</td>" in text
    assert json.loads((tmp_path / "demo" / "report.json").read_text()) == report(MONTHS, 401.26)


def test_a_window_in_which_nothing_was_known_has_no_metric_and_breaks_nothing(tmp_path):
    unknown = Month(
        "2013-06",
        10,
        "3",
        float("nan"),
        float("nan"),
        "not_enough_data",
        "",
        "",
        "nothing_to_do",
        "10 rows",
        started=False,
    )
    text = report([*MONTHS, unknown], 1.0)
    assert text["months"][-1]["live_metric"] is None
    assert text["totals"]["mean_live_metric"] == pytest.approx(0.7323, abs=1e-4)
    page = write_report(
        tmp_path, [unknown], 1.0, title="t", description="d", metric="roc_auc", start="s"
    )
    assert "not enough data" in page.read_text()
    assert "<td>-</td><td>-</td>" in page.read_text()


def test_the_table_reads_as_people_say_it():
    console = Console(width=240, record=True, file=io.StringIO())
    console.print(months_table(MONTHS, "roc_auc"))
    text = console.export_text()
    assert "no drift" in text
    assert "28,886" in text
    assert "version 3 serves" in text
    assert [word in text for word in ("effect", "cause", "it matters", "other rows")] == [True] * 4


def test_the_effect_and_the_cause_are_those_of_the_drift_step():
    told = explain(
        {
            "verdict": "alarm",
            "cause": {"kind": "broken_upstream", "detail": "units"},
            "effect": {"follows": "matters"},
        }
    )
    assert told == {"effect": "it matters", "cause": "broken pipe: values in another unit"}
    assert explain({"verdict": "not_enough_data"}) == {"effect": "", "cause": ""}
    assert explain({"cause": None, "effect": None}) == {"effect": "", "cause": ""}
