"""Features that were stored by another version, or with other types, are read or named."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pipelines.data import labelled_rows
from pipelines.data.feature_rows import build_batch
from pipelines.data.plan_types import plan_types
from pipelines.errors import BadData
from tests.unit.data.loops import NAMES, NOW, with_column
from tests.worlds import ROWS


def test_a_features_file_that_was_stored_with_text_for_an_empty_column_is_read(loop):
    plan = loop.plan(loop.ingest())
    built = loop.build()
    spec, store, versions = loop.context.spec, loop.ports.store, loop.ports.versions
    table = build_batch(loop.context, plan, plan.train[1])
    old = table.set_column(
        table.column_names.index("minutes"), "minutes", pa.nulls(table.num_rows, pa.string())
    )
    version = features_with(versions, NAMES[1], old)
    rows = labelled_rows.read_known_rows(
        loop.context, built.model_copy(update={"version": version}), plan.train[:3], by=NOW
    )
    assert str(rows.schema.field("minutes").type) == "double"
    assert rows["minutes"].null_count > ROWS
    assert plan_types(store, spec, plan).types == {"events": {}}


def features_with(versions, name, table):
    from pipelines.refs import sha256
    from pipelines.tables import to_parquet
    from pipelines.versions.port import FeatureFile

    data = to_parquet(table)
    file = FeatureFile(key=sha256(data), sha256=sha256(data), rows=table.num_rows)
    return versions.commit("sales", {name: (file, data)}, "as it was stored before")


def test_features_that_do_not_fit_are_named_with_batch_and_column(loop):
    plan, built = loop.plan(loop.ingest()), loop.build()
    table = build_batch(loop.context, plan, plan.train[1])
    texts = table.set_column(
        table.column_names.index("pages"), "pages", table["pages"].cast(pa.string())
    )
    changed = built.model_copy(
        update={"version": features_with(loop.ports.versions, NAMES[1], texts)}
    )
    with pytest.raises(
        BadData,
        match=r"in 2024-01-02T00, pages holds texts \(string\), other batches hold whole numbers",
    ):
        labelled_rows.read_known_rows(loop.context, changed, plan.train, by=NOW)


def test_what_a_batch_was_found_to_be_is_kept_apart_from_what_its_neighbours_tell(loop):
    with_column(loop, 3, pages=2.5)
    loop.validate(loop.ingest())
    with_column(loop, 3, pages=2)
    assert not any("one type" in w for w in loop.validate(loop.ingest()).warnings)


def test_the_types_are_worked_out_from_manifests_alone_where_all_are_the_same(loop):
    class Counting:
        def __init__(self, store):
            self._store, self.read = store, 0

        def __getattr__(self, name):
            return getattr(self._store, name)

        def get(self, ref):
            self.read += ref.uri.endswith(".parquet")
            return self._store.get(ref)

    plan = loop.plan(loop.ingest())
    counting = Counting(loop.ports.store)
    assert plan_types(counting, loop.context.spec, plan).types == {"events": {}}
    assert counting.read == 0
