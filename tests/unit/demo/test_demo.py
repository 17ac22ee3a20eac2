import io
import re
from typing import ClassVar

import pytest
from rich.console import Console

from demo.live import WatchedRun, describe_result, display, watch
from demo.state import MARKER, begin_clean
from pipelines.errors import RequestError
from pipelines.settings import load_settings
from stack.airflow_api import TaskRun
from stack.layout import Layout


@pytest.fixture
def layout(tmp_path):
    return Layout(load_settings({"PERENNIAL_HOME": str(tmp_path), "PERENNIAL_STATE": "var"}))


def test_the_demo_begins_clean_and_again_clean_but_keeps_downloads(layout):
    begin_clean(layout, say=lambda _: None)
    (layout.state / "store").mkdir()
    (layout.state / "cache").mkdir()
    (layout.state / "cache" / "download").write_text("x")
    begin_clean(layout, say=lambda _: None)
    assert sorted(p.name for p in layout.state.iterdir() if p.name != "stack") == ["cache", MARKER]
    assert (layout.state / "cache" / "download").is_file()


def test_the_demo_never_touches_a_state_that_is_none_of_its_own(layout):
    (layout.state / "ledger").mkdir(parents=True)
    with pytest.raises(RequestError, match="holds a state that is no demo's"):
        begin_clean(layout, say=lambda _: None)
    assert (layout.state / "ledger").is_dir()


def trained(name, cv_score, held_out):
    return {
        "candidate": name,
        "cv_score": cv_score,
        "metrics": {"roc_auc": held_out},
        "rows_holdout": 1_200,
        "settings_tried": 3,
    }


class Airflow:
    """A run that has ended, as Airflow's API tells of it."""

    RESULTS: ClassVar = {
        ("train", 0): trained("linear", 0.702, 0.656),
        ("train", 1): trained("boosted", 0.698, 0.681),
        ("gate", -1): {
            "verdict": "promote",
            "candidate": "linear",
            "version": "1",
            "metrics": {"roc_auc": 0.656},
        },
    }

    def tasks(self, *_):
        more = {"state": "success", "tries": 1, "seconds": 2.0, "start": None, "end": None}
        return [
            TaskRun(task=task, index=index, label=("linear", "boosted", "")[index], **more)
            for task, index in self.RESULTS
        ]

    def result(self, _dag, _run, task, index):
        return self.RESULTS[task, index]

    def state(self, *_):
        return "success"


class Failing(Airflow):
    """A run whose first step cannot reach its source, and is tried again once."""

    def __init__(self):
        self.asked = []
        self.tries = iter([("up_for_retry", 1), ("failed", 2)])

    def tasks(self, *_):
        state, tries = next(self.tries)
        more = {"seconds": 2.0, "start": None, "end": None}
        return [TaskRun(task="ingest", index=-1, label="", state=state, tries=tries, **more)]

    def log(self, *task, attempt):
        self.asked.append((*task, attempt))
        return (
            f"INFO reading\nERROR Unreachable: [try {attempt}] no way. Remedy: wait.\nTask failed"
        )

    def state(self, *_):
        return "failed"


@pytest.fixture
def log():
    """A console whose output is no terminal, as in a pipe or a log of CI."""
    return Console(file=io.StringIO(), width=160, force_terminal=False)


def test_the_table_of_a_run_shows_both_scores_of_each_candidate_and_marks_the_chosen_one(log):
    run = WatchedRun(Airflow(), "retrain_x", "r", "roc_auc")
    assert watch(run, log) == "success"
    [linear] = re.findall(r"│ train linear .*", log.file.getvalue())
    [boosted] = re.findall(r"│ train boosted .*", log.file.getvalue())
    assert "roc_auc 0.702 in cross-validation, 0.656 on 1,200 held-out rows" in linear
    assert "<- chosen" in linear
    assert "roc_auc 0.698 in cross-validation, 0.681 on 1,200 held-out rows" in boosted
    assert "chosen" not in boosted
    assert "linear (version 1), chosen by cross-validation" in log.file.getvalue()


def test_without_a_terminal_a_headline_has_a_line_of_its_own_below_the_table_before(log):
    watch(WatchedRun(Airflow(), "retrain_x", "r", "roc_auc"), log)
    log.rule("3. 4 windows")
    *_, end, headline = log.file.getvalue().splitlines()
    assert set(end) <= set("└─┴┘")
    assert headline.strip("─ ") == "3. 4 windows"


def test_without_a_terminal_the_last_of_what_was_shown_is_printed_once(log):
    with display(log) as show:
        for number in range(3):
            show(f"table {number}")
    assert log.file.getvalue() == "table 2\n"


def test_results_are_told_in_words():
    assert (
        describe_result("train", trained("linear", 0.69, None), "roc_auc")
        == "roc_auc 0.690 in cross-validation, not finite on 1,200 held-out rows; 3 settings tried"
    )
    native = {"compiled": False, "parity": None, "why_native": "there is no converter for Clip"}
    said = describe_result("package", native, "roc_auc")
    assert said == "served natively: there is no converter for Clip"
    assert describe_result("gate", None, "roc_auc") == ""
    assert (
        describe_result("drift", {"verdict": "not_enough_data", "rows": 12, "labelled": 0}, "m")
        == "not enough data in 12 rows, 0 with labels"
    )
    assert (
        describe_result("decide", {"start": False, "why": "cooldown", "run_id": ""}, "m")
        == "no retraining: cooldown"
    )


def test_why_a_task_has_failed_is_said_in_its_row(log):
    api = Failing()
    assert watch(WatchedRun(api, "retrain_x", "run-1", "roc_auc"), log) == "failed"
    said = " ".join(log.file.getvalue().split())
    assert "Unreachable: [try 2] no way. Remedy: wait." in said
    assert [asked[-1] for asked in api.asked] == [1, 2]
