"""A model that serves, without a server.

The loop up to the champion, its traffic and labels as the server logs them.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipelines.bundle.load import open_bundle
from pipelines.bundle.rows import feed_from_table, rows_from_table
from pipelines.data.feature_rows import build_from, read_raw
from pipelines.inference_log.format import (
    AnswerRecord,
    Header,
    LabelRecord,
    LoggedColumn,
    identity,
    key_text,
    line,
)
from pipelines.inference_log.personal_data import PersonalKey
from pipelines.intervals import Interval
from pipelines.ledger import MemoryLedger
from pipelines.messages import (
    DriftRequest,
    DriftResult,
    FeaturesRequest,
    GateRequest,
    IngestRequest,
    PackageRequest,
    PackageResult,
    TrainRequest,
    ValidateRequest,
)
from pipelines.ports import Ports
from pipelines.refs import canonical, sha256
from pipelines.registry.memory import MemoryRegistry
from pipelines.steps import drift, features, gate, ingest, package, train, validate
from pipelines.store.memory import MemoryStore
from pipelines.tasks import is_wide
from pipelines.versions.memory import MemoryVersions
from tests.decisions import crown
from tests.worlds import FIRST, World, as_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pyarrow as pa

    from pipelines.bundle.schema import Column
    from pipelines.context import Context
    from pipelines.ledger import Ledger
    from pipelines.registry.port import Registry

_rows: dict[tuple[int, str], pa.Table] = {}
"""Built rows by their day and their world's files; tables cannot be changed."""

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def interval(day: int) -> Interval:
    return Interval(start=FIRST + timedelta(days=day), end=FIRST + timedelta(days=day + 1))


def packaged(context: Context, day: int, run: str = "first") -> PackageResult:
    """Run the loop as of the day up to the bundle of its challenger, which must be promoted."""
    ingested = ingest.run(context, IngestRequest(run=run, now=NOW, conf={"as_of": as_of(day)}))
    validated = validate.run(context, ValidateRequest(run=run, ingest=ingested))
    built = features.run(context, FeaturesRequest(run=run, ingest=ingested, validate=validated))
    trained = [
        train.run(context, TrainRequest(run=run, candidate=c.name, features=built))
        for c in context.spec.candidates
    ]
    judged = gate.run(context, GateRequest(run=run, features=built, train=trained))
    assert judged.verdict == "promote", judged.reasons
    return package.run(context, PackageRequest(run=run, features=built, train=trained, gate=judged))


@dataclass(frozen=True)
class Trained:
    """A world whose first version is packaged; each test watches a copy of it."""

    home: Path
    ports: Ports
    """Those that it was made with; nobody writes to them any more."""
    bundle: PackageResult

    def copied(
        self, folder: Path, *, ledger: Ledger | None = None, registry: Registry | None = None
    ) -> Watched:
        """Return a world of its own, in which the version is champion."""
        shutil.copytree(self.home, folder)
        store = MemoryStore()
        store.objects.update(self.ports.store.objects)
        store._used_at.update(self.ports.store._used_at)
        ports = Ports(
            store, MemoryVersions(), registry or MemoryRegistry(), ledger or MemoryLedger()
        )
        champion = crown(self.bundle.version, self.bundle.bundle)
        ports.ledger.crown("sales", expected=None, champion=champion, key="first")
        return Watched(World(folder), ports)


@dataclass(frozen=True)
class Watched:
    """A world with a champion."""

    world: World
    ports: Ports

    @property
    def context(self) -> Context:
        return self.world.context(self.ports)

    @property
    def with_evidently(self) -> Watched:
        """The same, with Evidently's page of each look."""
        environ = {**self.world.environ, "PERENNIAL_EVIDENTLY": "true"}
        return replace(self, world=replace(self.world, environ=environ))

    def look(self, day: int, run: str = "watch", **conf: Any) -> DriftResult:
        """Look at the window that ends with the day, as the drift DAG does."""
        return drift.run(self.context, self.request(day, run, **conf))

    def request(self, day: int, run: str = "watch", **conf: Any) -> DriftRequest:
        ingest_request = IngestRequest(
            run=run, now=NOW, purpose="drift", conf={"window_end": as_of(day + 1), **conf}
        )
        ingested = ingest.run(self.context, ingest_request)
        validated = validate.run(self.context, ValidateRequest(run=run, ingest=ingested))
        return DriftRequest(run=run, ingest=ingested, validate=validated)

    def rows(self, day: int) -> pa.Table:
        """The day's built rows, as a client sends them.

        Reading and building takes two processes: worlds with the same files and batches share the
        rows.
        """
        home, kept = self.world.home, getattr(self.ports.store, "objects", {})
        files = {str(p.relative_to(home)): p.read_bytes() for p in home.rglob("*") if p.is_file()}
        content = {name: sha256(data) for name, data in files.items()}
        key = (day, sha256(canonical([content, sorted(kept)])))
        if key not in _rows:
            raws = read_raw(self.context, interval(day))
            _rows[key] = build_from(self.context, raws, interval(day))
        return _rows[key]

    def serve(
        self,
        rows: pa.Table,
        *,
        segment: str = "one",
        version: str | None = None,
        after: timedelta = timedelta(0),
        change: Callable[[dict[str, Any]], dict[str, Any]] = lambda row: row,
        kinds: dict[str, Any] | None = None,
        answer: Callable[[float], float] = float,
        keys: bool = True,
        close: bool = True,
    ) -> None:
        """Log the rows as a server does that answers each `after` its event, one request a row.

        `change` bends what was sent, `answer` what was answered; `kinds` of inputs are logged
        otherwise, with None not at all.
        """
        spec = self.context.spec
        champion = self.ports.ledger.champion(spec.name)
        assert champion is not None
        bundle = open_bundle(self.ports.store, champion.bundle)
        schema = bundle.manifest.inputs
        answers = bundle.predictor.predict_feed(feed_from_table(schema.columns, rows))
        rows_sent = [change(row) for row in rows_from_table(schema.columns, rows)]
        kinds = kinds or {}
        logged = [c for c in schema.columns if c.personal != "drop" and kinds.get(c.name, c.kind)]
        secret = PersonalKey(self.context.settings.personal_key)
        names = self._keys(rows)
        columns = tuple(
            LoggedColumn(c.name, "string" if c.personal else kinds.get(c.name, c.kind))
            for c in logged
        )
        header = Header(
            kind="predictions",
            model=spec.name,
            version=version or champion.version,
            release=1,
            task=spec.task,
            columns=columns,
            classes=tuple(schema.answer_names) if is_wide(spec.task) else (),
        )
        records = [
            AnswerRecord(
                request_id=f"{segment}-{i}",
                at=micros(event + after),
                seconds=0.001,
                rows=[[self._logged(c, row[c.name], kinds, secret) for c in logged]],
                predictions=[given.tolist() if is_wide(spec.task) else answer(given[0])],
                keys=[name] if keys else None,
                event_times=[micros(event)],
            )
            for i, (row, given, name, event) in enumerate(
                zip(rows_sent, answers, names, rows[spec.event_time].to_pylist(), strict=True)
            )
        ]
        self._write(header, segment, records, close=close)

    def tell(
        self,
        rows: pa.Table,
        labels: list[float],
        *,
        segment: str = "one",
        after: timedelta = timedelta(hours=1),
    ) -> None:
        """Log labels of the rows, by key, as a server that was told each so long after its
        event."""
        spec = self.context.spec
        given = zip(self._keys(rows), labels, rows[spec.event_time].to_pylist(), strict=True)
        records = [
            LabelRecord(identity(n, "", 0), float(label), micros(event + after), "feedback")
            for n, label, event in given
        ]
        self._write(Header(kind="labels", model=spec.name), segment, records, close=True)

    def _logged(
        self, column: Column, value: Any, kinds: dict[str, Any], secret: PersonalKey
    ) -> Any:
        if column.personal:
            return secret.hash_of(value)
        return str(value) if kinds.get(column.name) == "string" else value

    def _keys(self, rows: pa.Table) -> list[str]:
        """The rows' keys, as the log holds them."""
        context = self.context
        names = context.spec.key
        texts = [key_text(key) for key in zip(*(rows[n].to_pylist() for n in names), strict=True)]
        if not any(name in context.spec.features.personal for name in names):
            return texts
        secret = PersonalKey(context.settings.personal_key)
        return [secret.hash_of(text) for text in texts]

    def _write(self, header: Header, segment: str, records: list[Any], *, close: bool) -> None:
        opened = self.ports.store.open_segment(
            f"inference/{header.model}/{header.kind}/2024-01-09-1704758400000-1-{segment}"
        )
        for record in [header, *records]:
            opened.append(line(record))
        if close:
            opened.close()


def trained(world: World, day: int = 6) -> Trained:
    """Return the world with a version that was learnt from the days before `day`."""
    ports = Ports(MemoryStore(), MemoryVersions(), MemoryRegistry(), MemoryLedger())
    results = packaged(world.context(ports), day)
    return Trained(world.home, ports, results)
