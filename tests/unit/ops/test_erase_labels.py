"""A label that was told by request names nobody: it goes with the person's row all the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from pipelines.errors import Busy
from pipelines.inference_log.format import Header, LabelRecord, header_lines, line
from pipelines.inference_log.join import join_labels
from pipelines.inference_log.reader import read_labels, read_log
from pipelines.inference_log.rotation import rotate
from pipelines.ops.erasure.erase import erase
from pipelines.ops.erasure.log_changes import log_changes
from pipelines.ops.erasure.work import read_work
from pipelines.ops.traces.search import search
from pipelines.ops.traces.sought import Sought
from pipelines.store.memory import MemoryStore
from tests.unit.inference_log.logs import (
    LABELS,
    MODEL,
    answered,
    labelled,
    predictions,
    write,
)
from tests.unit.ops.people import NOW, OTHER, PERSON, CutEffects, copied
from tests.unit.steps.deployments import Crash

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")

PERSONS, OTHERS = "r:r#0", "r:r#1"
"""How the rows of `people.write_log` are called by request."""


def tell(store, name, *identities, close=True):
    segment = store.open_segment(f"inference/sales/labels/2026-02-04-{name}")
    segment.append(header_lines(Header(kind="labels", model="sales")))
    for identity in identities:
        segment.append(line(LabelRecord(identity, 0.0, 7, "g")))
    if close:
        segment.close()
    return segment


@pytest.fixture
def context(lived, tmp_path):
    return copied(lived[0], tmp_path)


def left(context):
    """Return the labels that the log still has, and where the person's is found."""
    store = context.ports.store
    sought = [Sought(frozenset({PERSONS}), frozenset({"identity"}))]
    labels = read_labels(store, "sales").table["identity"].to_pylist()
    return sorted(labels), search(context.settings, context.ports, sought).traces


@pytest.mark.parametrize("rotated", [False, True])
def test_it_goes_with_its_row_and_the_others_stay(context, rotated):
    store = context.ports.store
    tell(store, "b", PERSONS, OTHERS)
    if rotated:
        rotate(store, "sales", catch_up=lambda _: None)
    assert left(context)[1]
    assert erase(context, [PERSON], None, NOW).left == []
    assert left(context) == ([f"k:{OTHER}", OTHERS], [])
    rows = join_labels(read_log(store, "sales"), read_labels(store, "sales")).rows
    assert rows.select(["key", "label"]).to_pylist() == [{"key": OTHER, "label": 1.0}]


def test_one_that_the_server_still_writes_is_waited_for(context):
    segment = tell(context.ports.store, "b", PERSONS, close=False)
    with pytest.raises(Busy, match="still writes"):
        erase(context, [PERSON], None, NOW)
    assert read_work(context.settings, "sales") is None
    segment.close()
    assert erase(context, [PERSON], None, NOW).left == []
    assert left(context) == ([f"k:{OTHER}"], [])


def test_killed_at_any_effect_none_is_left(lived, tmp_path):
    died, at = True, 0
    while died:
        at += 1
        context = copied(lived[0], tmp_path / str(at))
        tell(context.ports.store, "b", PERSONS, OTHERS)
        cut = CutEffects(context.ports.store, [], at, {"publish", "remove"}, after=True)
        try:
            ports = replace(context.ports, store=cut)
            erase(replace(context, ports=ports), [PERSON], None, NOW)
            died = False
        except Crash:
            erase(context, [PERSON], None, NOW + timedelta(hours=1))
        assert left(context) == ([f"k:{OTHER}", OTHERS], [])
    assert at > 5


def test_a_label_of_a_row_without_a_key_goes_where_its_inputs_name_the_person():
    store = MemoryStore()
    rows = ((1.0, "ann"), (2.0, "ben"))
    write(store, "a", predictions(), answered("x", rows=rows))
    write(store, "b", LABELS, labelled("r:x#0", 1.0, 1), labelled("r:x#1", 0.0, 1))
    # another person's row, with a key that reads like the name of the first one's row
    write(store, "c", LABELS, labelled("k:r:x#0", 0.0, 1))
    rotate(store, MODEL, catch_up=lambda _: None)
    changes = log_changes(store, MODEL, [Sought(frozenset({"ann"}), frozenset({"carrier"}))])
    assert changes.labels == {"r:x#0"}
    for key, text in changes.replace.items():
        store.remove("entries", key)
        store.publish(key, text.encode())
    kept = read_labels(store, MODEL).table["identity"].to_pylist()
    assert sorted(kept) == ["k:r:x#0", "r:x#1"]
    assert len(read_log(store, MODEL).rows) == 1
