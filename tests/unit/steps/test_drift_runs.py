"""`drift`, run again: one verdict per look, wherever a run was cut off, cleared or copied."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from pipelines.errors import Unreachable
from pipelines.messages import DecideRequest, IngestRequest, ReportRequest, ValidateRequest
from pipelines.registry.memory import MemoryRegistry
from pipelines.run_names import watch_run
from pipelines.steps import decide, drift, ingest, report, validate
from pipelines.store.drift_figures import newest_figures
from pipelines.store.pages import find_page
from tests.served import NOW
from tests.unit.steps.looks import DAY, champion, crown_copy, entries
from tests.worlds import as_of, visits


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
    assert watched.look(DAY).verdict == "alarm"
    watched.world.rewrite(DAY, frame)
    request = watched.request(DAY)
    found = drift.run(watched.context, request)
    assert found.verdict == "no_drift", found.reasons
    assert [(e.key, e.body["verdict"]) for e in entries(watched)] == [
        ("watch", "alarm"),
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
    crown_copy(watched, "2")
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
def test_cut_off_anywhere_a_retry_finishes(trained_once, tmp_path, call, written):
    watched = trained_once.copied(tmp_path / "home", registry=Away(call))
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
