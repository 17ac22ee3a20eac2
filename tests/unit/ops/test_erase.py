"""`erase` takes a person out of everything that a model has stored, and proves it by a search."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pytest

from pipelines.answers.origins import why
from pipelines.answers.words import say_origin
from pipelines.cards.figures import Attributed, CardFigures, find_figures, keep_figures
from pipelines.cards.writing import write_card
from pipelines.data.batches import read_manifest, read_plan, read_table
from pipelines.data.manifests import BatchManifest
from pipelines.errors import Busy, Corrupted, RequestError
from pipelines.inference_log.reader import read_labels, read_log
from pipelines.ledger import Erasure
from pipelines.messages import (
    FINDINGS_SUFFIX,
    CheckFindings,
    FeaturesRequest,
    Finding,
    IngestRequest,
    ValidateRequest,
    VerdictFindings,
)
from pipelines.ops.erasure.erase import erase, look
from pipelines.ops.erasure.work import read_work, work_file, write_work
from pipelines.ops.prune.needed import reachable_objects
from pipelines.ops.traces.search import search, sought_of
from pipelines.rebuilding.rebuild import NotRecorded, rebuild
from pipelines.refs import Ref, canonical
from pipelines.steps import features, ingest, validate
from pipelines.store.pages import find_page, publish_page
from pipelines.store.sealing import read_entry
from pipelines.tables import from_parquet as read_parquet
from pipelines.tables import to_parquet
from tests.decisions import gate_verdict
from tests.unit.ops.people import NOW, OTHER, PERSON, CutEffects, add_batch, copied, write_log
from tests.unit.steps.deployments import Crash
from tests.worlds import as_of

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")


@pytest.fixture
def context(lived, tmp_path):
    return copied(lived[0], tmp_path)


def _traces(context, value=PERSON):
    return search(context.settings, context.ports, [sought_of(context.settings, [value])]).traces


def _blobs_with(context, value):
    return [data for data in context.ports.versions.blobs.values() if value.encode() in data]


def _assert_erased(context):
    assert _traces(context) == []
    ports = context.ports
    assert ports.ledger.verify() > 0
    (entry,) = ports.ledger.entries("sales", "erasure")
    found = entry.read(Erasure)
    assert (found.rows, found.batches, found.versions, found.left) == (1, 1, ["1"], [])
    assert PERSON not in json.dumps(entry.body)
    assert not work_file(context.settings, "sales").exists()
    log, labels = read_log(ports.store, "sales"), read_labels(ports.store, "sales")
    assert log.rows.column("key").to_pylist() == [OTHER]
    assert labels.table.column("identity").to_pylist() == [f"k:{OTHER}"]


def test_a_person_is_gone_from_everything_and_everybody_else_stays(context, lived):
    assert {trace.place for trace in _traces(context)} == {"objects", "segments"}
    done = erase(context, [PERSON], None, NOW)
    assert (done.rows, done.batches, done.left, done.again) == (1, 1, [], False)
    _assert_erased(context)
    assert _traces(context, OTHER)
    page = find_page(context.ports.store, model="sales", kind="drift", run="w")
    assert b"erased" in page


def test_the_features_lose_the_row_in_every_revision(context, lived):
    before = context.ports.versions.files("sales")
    erase(context, [PERSON], None, NOW)
    after = context.ports.versions.files("sales")
    assert {n for n in before if before[n] != after[n]} == {"2024-01-03T00"}
    assert after["2024-01-03T00"].rows == before["2024-01-03T00"].rows - 1
    with pytest.raises(Corrupted):
        context.ports.versions.fetch("sales", lived[1], ["2024-01-03T00"])
    assert before["2024-01-03T00"].sha256 not in context.ports.versions.blobs


def test_a_version_that_learnt_from_the_person_is_marked_and_cannot_be_built_again(context):
    erase(context, [PERSON], None, NOW)
    origin = why(context.ports.ledger, context.ports.store, "sales", "1")
    assert [(e.people, e.rows) for e in origin.erased] == [(1, 1)]
    assert "erased" in dict(say_origin(origin))
    assert len(origin.batches) > 1
    with pytest.raises(NotRecorded):
        rebuild(context, "1")


def test_the_next_run_stands_on_what_is_left(context):
    source = context.settings.models.parent / "raw" / "2024-01-03.csv"
    text = source.read_text()
    try:
        source.write_text(
            "".join(x for x in text.splitlines(keepends=True) if f"{PERSON}," not in x)
        )
        erase(context, [PERSON], None, NOW)
        request = IngestRequest(run="next", now=NOW, conf={"as_of": as_of(6)})
        ingested = ingest.run(context, request)
        plan = read_plan(context.ports.store, ingested.plan)
        for batch in plan.batches:
            table = read_manifest(context.ports.store, batch).tables["events"]
            assert PERSON not in read_table(context.ports.store, table)["visit"].to_pylist()
        validated = validate.run(context, ValidateRequest(run="next", ingest=ingested))
        request = FeaturesRequest(run="next", ingest=ingested, validate=validated)
        features.run(context, request)
        assert _traces(context) == []
    finally:
        source.write_text(text)


def test_a_second_time_nothing_is_left_and_a_stranger_is_a_named_answer(context):
    first = erase(context, [PERSON], None, NOW)
    again = erase(context, [PERSON], None, NOW + timedelta(hours=1))
    assert (again.again, again.entry, again.left) == (True, first.entry, [])
    assert len(context.ports.ledger.entries("sales", "erasure")) == 1
    with pytest.raises(RequestError, match="No batch of sales has a row whose visit is zoe"):
        erase(context, ["zoe"], None, NOW)


def test_to_look_changes_nothing(context):
    before = context.ports.ledger.verify(), dict(context.ports.store.entries)
    plan = look(context, [PERSON], None, NOW)
    assert (plan.rows, plan.versions) == (1, ["1"])
    assert before == (context.ports.ledger.verify(), context.ports.store.entries)
    assert read_work(context.settings, "sales") is None


@pytest.mark.parametrize("after", [False, True], ids=["before", "behind"])
def test_killed_at_any_effect_it_goes_on_where_it_was(lived, tmp_path, after):
    effects, died, at = {"publish", "remove", "commit", "drop", "append"}, True, 0
    while died:
        at += 1
        context = copied(lived[0], tmp_path / str(at))
        counter: list[str] = []
        cut = {
            name: CutEffects(getattr(context.ports, name), counter, at, effects, after=after)
            for name in ("store", "versions", "ledger")
        }
        try:
            erase(replace(context, ports=replace(context.ports, **cut)), [PERSON], None, NOW)
            died = False
        except Crash:
            erase(context, [PERSON], None, NOW + timedelta(hours=1))
        _assert_erased(context)
    assert at > 10


def test_another_persons_erasure_that_was_cut_off_is_finished_first(lived, tmp_path):
    context = copied(lived[0], tmp_path)
    cut = CutEffects(context.ports.versions, [], 1, {"drop"}, after=False)
    with pytest.raises(Crash):
        erase(replace(context, ports=replace(context.ports, versions=cut)), [PERSON], None, NOW)
    done = erase(context, [OTHER], None, NOW + timedelta(hours=1))
    assert (done.rows, done.versions) == (1, ["1"])
    assert _traces(context) == _traces(context, OTHER) == []
    assert len(context.ports.ledger.entries("sales", "erasure")) == 2


def test_a_log_that_the_server_holds_open_is_waited_for(context):
    write_log(context.ports.store, "b", [PERSON], close=False)
    with pytest.raises(Busy, match="still writes"):
        erase(context, [PERSON], None, NOW)
    with pytest.raises(Busy, match="still writes"):  # the log knows the row's key alone
        erase(context, ["search"], "channel", NOW)
    assert read_work(context.settings, "sales") is None
    assert _traces(context)


def test_rows_that_came_back_while_an_erasure_was_cut_off_are_erased_anew(context):
    store, day = context.ports.store, "batches/sales/2024-01-03T00"
    write_work(context.settings, "sales", look(context, [PERSON], None, NOW))
    old = read_entry(store, f"{day}/000001", Ref)
    store.publish(f"{day}/000002", canonical(old))
    assert erase(context, [PERSON], None, NOW + timedelta(hours=1)).left == []
    manifests = [
        BatchManifest.model_validate_json(store.get(read_entry(store, key, Ref)))
        for key in store.keys(day)
    ]
    assert len([read_table(store, m.tables["events"]) for m in manifests]) == 2


def test_what_came_after_an_erasure_was_cut_off_goes_too(context):
    cut = CutEffects(context.ports.versions, [], 1, {"drop"}, after=False)
    with pytest.raises(Crash):
        erase(replace(context, ports=replace(context.ports, versions=cut)), [PERSON], None, NOW)
    write_log(context.ports.store, "b", [PERSON])
    assert erase(context, [PERSON], None, NOW + timedelta(hours=1)).left == []
    assert _traces(context) == []


@pytest.mark.parametrize(
    ("keys", "column", "words"),
    [
        ([""], None, "no key of a person"),
        (["x" * 501], None, "no key of a person"),
        (["a\x00b"], None, "no key of a person"),
        (["a\udcffb"], None, "no key of a person"),
        ([PERSON], "nosuch", "has a column 'nosuch'"),
        (["'; DROP TABLE entries; --"], None, "No batch of sales"),
        (["../../etc/passwd"], None, "No batch of sales"),
        (["(.*)+"], None, "No batch of sales"),
    ],
)
def test_a_key_is_data_and_nothing_else(context, keys, column, words):
    with pytest.raises(RequestError, match=words.replace("(", r"\(").replace("*", r"\*")):
        erase(context, keys, column, NOW)
    assert _traces(context)


def test_another_column_may_name_the_people(context):
    done = erase(context, ["mail"], "channel", NOW)
    assert done.rows > 100
    assert _traces(context, "mail") == []


def test_what_another_model_has_is_named_and_never_destroyed(context):
    store = context.ports.store
    rows = {"visit": [PERSON, "x"], "pages": [1, 2]}
    table = add_batch(store, "other", rows)
    page = f"<td>{PERSON}</td><td>of another model".encode()
    publish_page(store, model="other", kind="drift", run="w", page=page)
    done = erase(context, [PERSON], None, NOW)
    assert f"objects: {table.uri}" in done.left
    assert read_parquet(store.get(table)).to_pydict() == rows
    assert find_page(store, model="other", kind="drift", run="w") == page


def test_a_batch_where_another_persons_row_has_the_same_key_stays_whole(context):
    store = context.ports.store
    table = add_batch(store, "sales", {"visit": [PERSON, "x"], "channel": ["post", "post"]})
    done = erase(context, ["search"], "channel", NOW)
    assert f"objects: {table.uri}" in done.left
    assert read_parquet(store.get(table)).num_rows == 2


def test_a_bundle_that_waits_for_its_release_stays_whole(context):
    store = context.ports.store
    rows = store.put(to_parquet(pa.table({"visit": [PERSON]})), ".parquet")
    bundle = store.put(canonical({"reference": {"rows": rows.model_dump()}}), ".json")
    store.publish("results/package/k", canonical({"bundle": bundle.model_dump()}))
    done = erase(context, [PERSON], None, NOW)
    assert f"objects: {rows.uri}" in done.left
    assert store.get(rows)
    assert store.read("results/package/k")


def test_what_the_checks_and_the_card_show_of_the_person_goes(context):
    store, ledger = context.ports.store, context.ports.ledger
    part = Finding(name=f"visit {PERSON}", passed=None, detail="0.2 would become 0.9")
    parts = [CheckFindings(check="flips", value="rows", limit=None, findings=[part])]
    data = canonical(VerdictFindings(checks=parts))
    found = store.put(data, FINDINGS_SUFFIX)
    ledger.append("sales", "second", gate_verdict(version="2", findings=found))
    drawing = store.put(f"<svg><text>{PERSON}</text></svg>".encode(), ".svg")
    amounts = Attributed(method="m", rows=9, off=0, amounts=[], drawing=drawing)
    figures = CardFigures(version="2", candidate="linear", attributed=amounts)
    keep_figures(store, "sales", "second", figures)
    figures = CardFigures(version="1", candidate="linear", failed={"slices": f"visit = {PERSON}"})
    keep_figures(store, "sales", "first", figures)
    done = erase(context, [PERSON], None, NOW)
    assert done.left == []
    assert find_figures(store, "sales", "first") is find_figures(store, "sales", "second") is None
    assert write_card(ledger, store, "sales", "2").sections
    assert found.uri in reachable_objects(store, [found])
