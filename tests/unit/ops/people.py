"""A model that knows a person: batches, features, a version, a page and a log."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pyarrow as pa

from pipelines.data.batches import publish
from pipelines.data.manifests import BatchManifest, TableRef
from pipelines.inference_log.format import (
    AnswerRecord,
    Header,
    LabelRecord,
    LoggedColumn,
    header_lines,
    identity,
    line,
)
from pipelines.intervals import Interval
from pipelines.messages import FeaturesRequest, IngestRequest, ValidateRequest
from pipelines.ports import Ports
from pipelines.steps import features, ingest, validate
from pipelines.store.pages import publish_page
from pipelines.tables import columns_of, to_parquet
from tests.decisions import gate_verdict
from tests.unit.steps.deployments import Cut
from tests.worlds import as_of

NOW = datetime(2026, 2, 3, tzinfo=UTC)
PERSON = "2-7"
"""A visit of the third day: the key of a row is the person here."""
OTHER = "2-8"


def live(context):
    """Bring batches, features, a version, a page and a log that know the person into being."""
    ingested = ingest.run(context, IngestRequest(run="first", now=NOW, conf={"as_of": as_of(6)}))
    validated = validate.run(context, ValidateRequest(run="first", ingest=ingested))
    built = features.run(context, FeaturesRequest(run="first", ingest=ingested, validate=validated))
    verdict = gate_verdict(version="1", features_revision=built.version.revision)
    context.ports.ledger.append("sales", "first", verdict)
    page = f"<td>{PERSON}</td>".encode()
    publish_page(context.ports.store, model="sales", kind="drift", run="w", page=page)
    write_log(context.ports.store, "a", [PERSON, OTHER])
    return built.version


def copied(context, tmp_path):
    """A context with ports and a state of its own."""

    def own(port):
        made = copy.copy(port)
        for name, value in vars(port).items():
            if isinstance(value, dict | list):
                setattr(made, name, copy.copy(value))
        return made

    ports = context.ports
    own_ports = Ports(*map(own, (ports.store, ports.versions, ports.registry, ports.ledger)))
    settings = context.settings.model_copy(
        update={"state": tmp_path / "var", "versions": tmp_path / "var" / "versions"}
    )
    return replace(context, ports=own_ports, settings=settings)


def add_batch(store, model, columns):
    """Give a model a batch of one table; return the reference to it."""
    table = pa.table(columns)
    data = store.put(to_parquet(table), ".parquet")
    tables = {"events": TableRef(data=data, rows=table.num_rows, columns=columns_of(table))}
    interval = Interval(
        start=datetime(2025, 1, 1, tzinfo=UTC), end=datetime(2025, 1, 2, tzinfo=UTC)
    )
    publish(store, BatchManifest(model=model, interval=interval, tables=tables))
    return data


def write_log(store, name, keys, *, close=True):
    """Write a segment of answers and one of labels, a row for each key."""
    columns = (LoggedColumn("pages", "number"),)
    header = Header(
        kind="predictions", model="sales", version="1", release=1, task="binary", columns=columns
    )
    segment = store.open_segment(f"inference/sales/predictions/2026-02-03-{name}")
    answer = AnswerRecord(
        request_id="r", at=5, seconds=0.1, rows=[[1.0] for _ in keys], predictions=[0.5] * len(keys)
    )
    segment.append(header_lines(header) + line(msgspec.structs.replace(answer, keys=list(keys))))
    labels = store.open_segment(f"inference/sales/labels/2026-02-03-{name}")
    labels.append(header_lines(Header(kind="labels", model="sales")))
    for key in keys:
        labels.append(line(LabelRecord(identity(key, "r", 0), 1.0, 6, "f")))
    if close:
        segment.close()
        labels.close()


class CutEffects(Cut):
    """A port that dies at the k-th effect, before or behind it; what it reads does not count."""

    def __init__(self, port, counter, at, effects, *, after):
        super().__init__(port, counter, at, after=after)
        self._effects = effects

    def __getattr__(self, name):
        return super().__getattr__(name) if name in self._effects else getattr(self._port, name)
