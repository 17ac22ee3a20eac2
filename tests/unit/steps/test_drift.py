"""`drift`: a window of a real champion, from the log or from batches, to a verdict that is written
down once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pipelines.bundle.load import open_bundle, write_bundle
from pipelines.bundle.rows import feed_from_table
from pipelines.errors import BadData, RequestError, Unreachable
from pipelines.ledger import DriftCheck
from pipelines.messages import (
    DecideRequest,
    DriftRequest,
    IngestRequest,
    ReportRequest,
    ValidateRequest,
)
from pipelines.ports import ConfiguredPorts
from pipelines.refs import canonical
from pipelines.registry.memory import MemoryRegistry
from pipelines.run_names import watch_run
from pipelines.step_record import XCOM_LIMIT
from pipelines.steps import decide, drift, ingest, report, validate
from pipelines.store.drift_figures import newest_figures
from pipelines.store.pages import find_page
from tests import version_0
from tests.decisions import crown
from tests.served import NOW, trained
from tests.worlds import ROWS, as_of, make_world, visits

DAY = 6
"""The first day that the champion has not seen."""
LATE = timedelta(hours=1)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    return trained(make_world(tmp_path_factory.mktemp("drift") / "home"), DAY)


@pytest.fixture
def watched(first, tmp_path):
    return first.copied(tmp_path / "home")


def figures(watched, found):
    return json.loads(watched.ports.store.get(found.figures))


def entries(watched):
    return watched.ports.ledger.entries("sales", "drift")


def champion(watched):
    return open_bundle(watched.ports.store, watched.ports.ledger.champion("sales").bundle)


def auc(watched, rows):
    bundle = champion(watched)
    answers = bundle.predictor.predict_feed(feed_from_table(bundle.manifest.inputs.columns, rows))[
        :, 0
    ]
    return roc_auc_score(rows["bought"].to_pylist(), answers)


def early(rows):
    """The rows whose outcome is known by the end of their day."""
    return rows.filter(np.array([at.hour < 23 for at in rows["at"].to_pylist()]))


def test_a_window_of_traffic_that_is_as_it_was(watched):
    rows = watched.rows(DAY)
    watched.serve(rows)
    found = watched.look(DAY)
    assert found.verdict == "no_drift", found.reasons
    assert (found.source, found.rows, found.champion, found.columns, found.drifted) == (
        "traffic",
        ROWS,
        "1",
        4,
        [],
    )
    assert found.labelled == early(rows).num_rows
    assert found.live == pytest.approx(auc(watched, early(rows)))
    assert found.expected == pytest.approx(champion(watched).manifest.metrics["roc_auc"])


def test_what_is_found_stands_in_the_ledger_on_pages_in_the_registry_and_for_prometheus(watched):
    watched.serve(watched.rows(DAY))
    found = watched.look(DAY, "scheduled__2024-01-08T00:00:00+00:00")
    run = watched.ports.registry.runs[found.run_id]
    assert (run.state, run.tags["verdict"], run.tags["window"]) == (
        "FINISHED",
        "no_drift",
        "2024-01-07T00:00:00Z to 2024-01-08T00:00:00Z",
    )
    assert run.metrics["live"] == found.live
    assert {
        "expected",
        "coverage",
        "drifted_share",
        "drift.pages",
        "drift.minutes",
        "drift.channel",
        "drift.trend",
    } < set(run.metrics)
    assert set(run.artifacts) == {"drift/drift.html", "drift/evidently.html", "drift/figures.json"}
    assert run.tags["perennial.kind"] == "drift"
    page = find_page(
        watched.ports.store, model="sales", kind="drift", run="scheduled__2024-01-08T00:00:00+00:00"
    )
    assert page == watched.ports.store.get(found.page)
    assert b'href="../evidently/scheduled__2024-01-08T00%3A00%3A00%2B00%3A00"' in page
    assert find_page(
        watched.ports.store,
        model="sales",
        kind="evidently",
        run="scheduled__2024-01-08T00:00:00+00:00",
    )
    [entry] = entries(watched)
    assert entry.read(DriftCheck).verdict == "no_drift"
    assert set(entry.body) in version_0.fields("drift")
    shown = newest_figures(watched.ports.store, "sales")
    assert (shown.verdict, shown.rows, shown.labelled, shown.live, shown.columns) == (
        "no_drift",
        ROWS,
        found.labelled,
        found.live,
        4,
    )
    assert shown.coverage == pytest.approx(found.labelled / ROWS)


def test_a_model_that_nobody_asks_is_watched_by_its_batches(watched):
    found = watched.look(DAY)
    assert (found.verdict, found.source, found.rows) == ("no_drift", "batches", ROWS), found.reasons
    rows = watched.rows(DAY)
    assert (found.labelled, found.live) == (
        early(rows).num_rows,
        pytest.approx(auc(watched, early(rows))),
    )


def test_a_world_that_turned_over_is_drift(watched):
    watched.world.rewrite(DAY, visits(DAY, signal=-1.0))
    found = watched.look(DAY)
    assert found.verdict == "drift"
    assert "roc_auc" in found.reasons[0]
    assert found.live < 0.5 < found.expected


def test_traffic_that_ended_is_not_replaced_by_batches(watched):
    watched.serve(watched.rows(DAY))
    found = watched.look(DAY + 1)
    assert (found.verdict, found.source, found.rows) == ("not_enough_data", "traffic", 0)
    assert "no rows" in found.reasons[0]
    assert found.live is None


def test_without_a_champion_there_is_no_verdict_and_no_run(watched):
    from pipelines.ledger import MemoryLedger

    nobody = replace(watched, ports=replace(watched.ports, ledger=MemoryLedger()))
    found = nobody.look(DAY)
    assert (found.verdict, found.champion, found.run_id) == ("not_enough_data", None, "")
    assert "no version of sales serves yet" in found.reasons[0]
    assert b"none serves yet" in find_page(
        watched.ports.store, model="sales", kind="drift", run="watch"
    )


def test_the_same_run_again_finds_its_verdict(watched):
    watched.serve(watched.rows(DAY))
    request = watched.request(DAY)
    found = drift.run(watched.context, request)
    keys, runs = set(watched.ports.store.entries), set(watched.ports.registry.runs)
    watched.serve(watched.rows(DAY), segment="later")
    assert drift.run(watched.context, request) == found
    assert (set(watched.ports.store.entries), set(watched.ports.registry.runs)) == (keys, runs)
    assert len(entries(watched)) == 1


def test_several_copies_of_a_run_write_one_verdict(watched):
    watched.serve(watched.rows(DAY))
    request = watched.request(DAY)
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: drift.run(watched.context, request), range(3)))
    assert found[0] == found[1] == found[2]
    assert len(entries(watched)) == 1


def test_a_cleared_run_looks_again_at_mended_data(watched):
    frame = watched.world.frame(DAY)
    watched.world.rewrite(
        DAY,
        frame.assign(
            pages=frame["pages"] % 2, minutes=0.0, channel="mail", bought=frame["bought"] * 0
        ),
    )
    assert watched.look(DAY).verdict == "drift"
    watched.world.rewrite(DAY, frame)
    request = watched.request(DAY)
    found = drift.run(watched.context, request)
    assert found.verdict == "no_drift", found.reasons
    assert [(e.key, e.body["verdict"]) for e in entries(watched)] == [
        ("watch", "drift"),
        ("watch~2", "no_drift"),
    ]
    assert find_page(
        watched.ports.store, model="sales", kind="drift", run="watch"
    ) == watched.ports.store.get(found.page)
    assert newest_figures(watched.ports.store, "sales").verdict == "no_drift"
    assert drift.run(watched.context, request) == found
    assert watched.look(DAY) == found
    assert len(entries(watched)) == 2
    decided = decide.run(watched.context, DecideRequest(run="watch", drift=found))
    assert not decided.start
    assert (
        report.run(watched.context, ReportRequest(run="watch", drift=found, decide=decided)).outcome
        == "nothing_to_do"
    )


def test_another_champion_is_another_look_and_the_windows_request_stays_one(watched):
    watched.world.rewrite(DAY, visits(DAY, signal=-1.0))
    request = watched.request(DAY)
    first = drift.run(watched.context, request)
    asked = decide.run(watched.context, DecideRequest(run="watch", drift=first))
    crowned(watched, "2")
    again = drift.run(watched.context, request)
    assert (first.verdict, again.verdict, [e.key for e in entries(watched)]) == (
        "drift",
        "drift",
        ["watch", "watch~2"],
    )
    assert (
        decide.run(watched.context, DecideRequest(run="watch", drift=again)).run_id == asked.run_id
    )
    assert len(watched.ports.ledger.entries("sales", "retrain_request")) == 1


def test_an_alarm_of_the_look_itself_is_looked_at_again(watched):
    uri = champion(watched).manifest.onnx.uri
    whole = watched.ports.store.objects[uri]
    request = watched.request(DAY)
    watched.ports.store.objects[uri] = whole[:-1] + b"\x00"
    assert (
        drift.run(watched.context, request).verdict
        == drift.run(watched.context, request).verdict
        == "alarm"
    )
    assert len(entries(watched)) == 1
    watched.ports.store.objects[uri] = whole
    assert drift.run(watched.context, request).verdict == "no_drift"
    assert [e.key for e in entries(watched)] == ["watch", "watch~2"]


def test_a_retraining_of_the_same_name_is_another_run_with_another_page(watched):
    parent = watched.ports.registry.parent("sales", "watch", {})
    ingested = ingest.run(
        watched.context, IngestRequest(run="watch", now=NOW, conf={"as_of": as_of(DAY)})
    )
    learnt = validate.run(watched.context, ValidateRequest(run="watch", ingest=ingested))
    request = watched.request(DAY)
    found = drift.run(watched.context, request)
    assert found.run_id != parent
    assert watched.ports.registry.state(parent) == "RUNNING"
    pages = [
        find_page(watched.ports.store, model="sales", kind="validation", run=run)
        for run in ("watch", watch_run("watch"))
    ]
    assert pages == [
        watched.ports.store.get(page) for page in (learnt.page, request.validate_.page)
    ]
    assert pages[0] != pages[1]


class Away(MemoryRegistry):
    """A registry that is away for some calls of one kind."""

    def __init__(self, call):
        super().__init__()
        self.call, self.left = call, 1

    def _maybe(self, call):
        if call == self.call and self.left:
            self.left -= 1
            raise Unreachable("the registry does not answer")

    def parent(self, *args):
        self._maybe("parent")
        return super().parent(*args)

    def log(self, run_id, **given):
        self._maybe("log")
        super().log(run_id, **given)

    def close(self, *args):
        self._maybe("close")
        super().close(*args)


@pytest.mark.parametrize(
    ("call", "written"),
    [
        pytest.param("parent", 0, id="before the verdict is written down"),
        pytest.param("log", 1, id="after it"),
        pytest.param("close", 1, id="at the very end"),
    ],
)
def test_cut_off_anywhere_a_retry_finishes(first, tmp_path, call, written):
    watched = first.copied(tmp_path / "home", registry=Away(call))
    watched.serve(watched.rows(DAY))
    request = watched.request(DAY)
    with pytest.raises(Unreachable):
        drift.run(watched.context, request)
    assert len(entries(watched)) == written
    found = drift.run(watched.context, request)
    assert found.verdict == "no_drift"
    assert len(entries(watched)) == 1
    assert watched.ports.registry.state(found.run_id) == "FINISHED"
    assert newest_figures(watched.ports.store, "sales").verdict == "no_drift"


def test_a_champion_that_cannot_be_opened_is_an_alarm(watched):
    uri = champion(watched).manifest.onnx.uri
    watched.ports.store.objects[uri] = watched.ports.store.objects[uri][:-1] + b"\x00"
    found = watched.look(DAY)
    assert found.verdict == "alarm"
    assert uri in found.reasons[0]
    assert watched.ports.registry.state(found.run_id) == "FINISHED"


def test_a_bundle_from_before_models_were_watched_is_an_alarm_that_says_so(watched):
    ledger, store = watched.ports.ledger, watched.ports.store
    old = write_bundle(store, champion(watched).manifest.model_copy(update={"reference": None}))
    ledger.crown(
        "sales",
        expected="1",
        champion=crown("1", old, release=2),
        key="old",
    )
    found = watched.look(DAY)
    assert found.verdict == "alarm"
    assert "holds no reference" in found.reasons[0]
    assert "retrain" in found.reasons[0]


def test_an_input_that_is_not_built_any_more_is_an_alarm_that_names_it(watched):
    watched.world.respec("channel, trend]", "channel]")
    found = watched.look(DAY)
    assert found.verdict == "alarm"
    assert any("input trend is missing" in reason for reason in found.reasons), found.reasons


def test_another_task_than_the_champions_is_an_alarm(watched):
    watched.world.respec("task: binary", "task: regression")
    watched.world.respec("roc_auc", "r2")
    watched.world.respec("DummyClassifier", "DummyRegressor")
    watched.world.respec(
        "sklearn.linear_model.LogisticRegression, search: {C: [0.1, 1.0]}",
        "sklearn.linear_model.Ridge",
    )
    found = watched.look(DAY)
    assert found.verdict == "alarm"
    assert "does a binary task, the spec asks for regression" in found.reasons[0]


def test_a_broken_batch_ends_at_validate_with_its_page(watched):
    watched.world.rewrite(DAY, watched.world.frame(DAY).assign(pages=["many"] * ROWS))
    with pytest.raises(BadData, match="quarantine"):
        watched.look(DAY)
    assert entries(watched) == watched.ports.ledger.entries("sales", "retrain_request") == []
    assert b"quarantine" in find_page(
        watched.ports.store, model="sales", kind="validation", run=watch_run("watch")
    )


def test_labels_come_from_the_source_only_when_they_are_known(watched):
    watched.world.respec("known_after: 1h", "known_after: 20h")
    rows = watched.rows(DAY)
    watched.serve(rows)
    assert watched.look(DAY).labelled == sum(at.hour < 4 for at in rows["at"].to_pylist()) < 100


def test_feedback_counts_before_the_source_and_contradictions_are_counted(watched):
    rows = watched.rows(DAY)
    watched.serve(rows)
    watched.tell(rows, [float(not b) for b in rows["bought"].to_pylist()])
    found = watched.look(DAY)
    known = early(rows)
    assert figures(watched, found)["counts"]["contradicting"] == known.num_rows
    assert found.live == pytest.approx(1 - auc(watched, known))
    assert "contradict" in watched.ports.store.get(found.page).decode()


def test_traffic_that_was_asked_twice_counts_once(watched):
    rows = watched.rows(DAY)
    watched.serve(rows)
    watched.serve(rows, segment="two", after=timedelta(minutes=1))
    found = watched.look(DAY)
    counts = figures(watched, found)["counts"]
    assert (found.rows, counts["predicted"], counts["duplicates"]) == (ROWS, 2 * ROWS, ROWS)
    assert found.labelled == early(rows).num_rows
    assert found.live == pytest.approx(auc(watched, early(rows)))


def test_who_asks_again_after_the_outcome_is_known_changes_nothing(watched):
    rows = watched.rows(DAY)
    watched.serve(rows)
    watched.tell(rows, [float(b) for b in rows["bought"].to_pylist()])
    watched.serve(rows.slice(0, 50), segment="two", after=timedelta(hours=2))
    found = watched.look(DAY)
    counts = figures(watched, found)["counts"]
    assert (counts["after_label"], found.rows, found.labelled) == (50, ROWS, early(rows).num_rows)


def crowned(watched, version, **changed):
    """Crown another version with the champion's bundle, of which some inputs are others.

    By input the new kind, None for none.
    """
    ledger, store, was = watched.ports.ledger, watched.ports.store, champion(watched).manifest
    columns = [
        c.model_copy(update={"kind": changed.get(c.name, c.kind)})
        for c in was.inputs.columns
        if changed.get(c.name, c.kind)
    ]
    inputs = was.inputs.model_copy(update={"columns": columns})
    bundle = write_bundle(store, was.model_copy(update={"version": version, "inputs": inputs}))
    now, number = ledger.champion("sales").version, len(ledger.entries("sales", "champion")) + 1
    ledger.crown(
        "sales",
        expected=now,
        champion=crown(version, bundle, number),
        key=version,
    )


def served_before(watched, rows, **changed):
    """Let another version, which had been champion, have answered rows.

    With inputs as in `crowned`.
    """
    one = watched.ports.ledger.champion("sales")
    watched.serve(rows, version="0", segment="old", kinds=changed)
    crowned(watched, "0", **changed)
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
    assert (
        "the predictions are not compared: 40 of the window's rows were answered by the champion"
        in "; ".join(found.reasons)
    )


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


def test_where_outcomes_come_after_the_window_it_is_said(watched):
    watched.world.respec("known_after: 1h", "known_after: 1d")
    found = watched.look(DAY)
    assert found.labelled == 0
    assert (
        "outcomes are known 1d after the event, later than this window of 1d: performance cannot be"
        " judged" in "; ".join(found.reasons)
    )


def test_rows_without_keys_have_no_labels_of_the_source(watched):
    watched.serve(watched.rows(DAY), keys=False)
    assert watched.look(DAY).labelled == 0


def test_closed_segments_are_rotated_and_open_ones_read_as_they_are(watched):
    rows = watched.rows(DAY)
    watched.serve(rows.slice(0, 100))
    watched.serve(rows.slice(100), segment="open", close=False)
    found = watched.look(DAY)
    assert found.rows == ROWS
    assert len(watched.ports.store.keys("inference/sales/rotated")) == 1
    [left] = watched.ports.store.segments("inference/sales/predictions")
    assert left.endswith("-open")
    assert watched.look(DAY, "again").rows == ROWS


def test_hashed_keys_find_their_labels_and_personal_inputs_are_not_looked_at(tmp_path):
    world = make_world(tmp_path / "first")
    world.respec(
        "lookback: 1d}", "lookback: 1d, personal: {visit: hash, channel: hash, minutes: drop}}"
    )
    watched = trained(world, DAY).copied(tmp_path / "home")
    rows = watched.rows(DAY)
    watched.serve(rows)
    segments = b"".join(
        watched.ports.store.read_segment(s)
        for s in watched.ports.store.segments("inference/sales/predictions")
    )
    assert b"search" not in segments
    assert b"minutes" not in segments
    found = watched.look(DAY)
    assert found.verdict == "no_drift", found.reasons
    assert (found.columns, found.labelled) == (2, early(rows).num_rows)
    kept = b"".join(watched.ports.store.get(r) for r in (found.page, found.figures))
    assert b"channel" not in kept


def test_with_the_real_ports(first, watched):
    """A folder, SQL and MLflow instead of memory.

    The same verdict, in the places where people look for it.
    """
    ports = ConfiguredPorts(watched.world.settings)
    for uri, data in first.objects.items():
        ports.store.put(data, Path(uri).suffix)
    ports.ledger.crown(
        "sales", expected=None, champion=crown("1", first.bundle.bundle), key="first"
    )
    real = replace(watched, ports=ports)
    real.serve(real.rows(DAY), close=False)
    request = real.request(DAY)
    found = drift.run(real.context, request)
    assert (found.verdict, found.source, found.rows) == ("no_drift", "traffic", ROWS), found.reasons
    assert drift.run(real.context, request) == found
    assert ports.registry.state(found.run_id) == "FINISHED"
    assert ports.registry.metrics(found.run_id)["live"] == pytest.approx(found.live)
    assert [e.key for e in ports.ledger.entries("sales", "drift")] == ["watch"]
    assert newest_figures(ports.store, "sales").verdict == "no_drift"
    decided = decide.run(real.context, DecideRequest(run="watch", drift=found))
    assert not decided.start
    ports.ledger.verify()


def test_a_model_without_a_drift_section_is_refused(watched):
    request = watched.request(DAY)
    watched.world.respec("drift:\n", "# drift:\n")
    text = (watched.world.home / "models" / "sales" / "model.yaml").read_text().split("# drift:")[0]
    (watched.world.home / "models" / "sales" / "model.yaml").write_text(text)
    with pytest.raises(RequestError, match="is not watched"):
        drift.run(watched.context, request)


def test_a_run_that_ingested_no_window_is_refused(watched):
    request = watched.request(DAY)
    ingested = request.ingest.model_copy(update={"window": None})
    with pytest.raises(RequestError, match="ingested no window"):
        drift.run(
            watched.context, DriftRequest(run="other", ingest=ingested, validate=request.validate_)
        )


def test_a_result_stays_small_whatever_was_found(watched):
    found = watched.look(DAY)
    loud = ["\x01" * 5_000, *(f"input_{i:0>50} is odd: {'é' * 300}" for i in range(200))]
    names = [f"{'x' * 60}{i}" for i in range(500)]
    big = found.model_copy(
        update={
            "reasons": drift.shorten(loud, drift.REASONS),
            "drifted": drift.fit_within(names, drift.NAMES),
        }
    )
    assert len(canonical(big)) < XCOM_LIMIT
    assert big.reasons[-1].endswith("more; the page shows all")
    assert drift.shorten(["short", "words"], drift.REASONS) == ["short", "words"]
