"""What a profile is made of: the newest batches in the store, their features, and what was refused.

Nothing is changed by it, and it decides nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from pipelines.bundle.manifest import BundleManifest
from pipelines.data.batches import read_manifest
from pipelines.errors import BadData
from pipelines.incidents.held_batches import held_batches
from pipelines.intervals import SNAPSHOT
from pipelines.ledger import Quarantine
from pipelines.profiling.columns import LONGEST_VALUE
from pipelines.profiling.large import summarise_file
from pipelines.profiling.personal import looks_personal
from pipelines.profiling.tables import Roles, TableProfile, profile_table
from pipelines.tables import from_parquet
from pipelines.tasks import classifies

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from pipelines.context import Context
    from pipelines.data.manifests import BatchRef
    from pipelines.profiling.tables import BatchSummary
    from pipelines.refs import FeaturesVersion, Ref
    from pipelines.spec import Spec

QUARANTINES, BAD_ROWS, BAD_COLUMNS = 3, 5, 12
"""Quarantined batches that are shown, and the rows and columns of each."""

BROKEN = "broken_expectations"


@dataclass(frozen=True)
class BatchLine:
    """One batch: `state` is accepted or quarantined."""

    name: str
    rows: int
    columns: int
    state: str


@dataclass(frozen=True)
class BadRows:
    """Rows of a quarantined batch, as texts; `count` is how many there are."""

    batch: str
    table: str
    reasons: list[str]
    columns: list[str]
    rows: list[list[str]]
    count: int


@dataclass(frozen=True)
class Profile:
    """A model's data over its newest batches."""

    model: str
    batches: list[BatchLine]
    tables: list[TableProfile]
    quarantined: list[BadRows]

    def figures(self) -> dict[str, Any]:
        """Return everything as plain JSON; what is not finite is null."""
        plain: dict[str, Any] = _plain({"format": 1, **asdict(self)})
        return plain


def profile_model(
    context: Context, batches: Sequence[BatchRef], features: FeaturesVersion | None = None
) -> Profile:
    """Return the profile of batches, given oldest first.

    `features`: the version to look at; without one the newest there is. Raises BadData where none
    of the batches could be read.
    """
    spec, store = context.spec, context.ports.store
    quarantines = _quarantines(context)
    refused = {q.batch for q in quarantines}
    roles = _roles(spec, spec.raw_event_time)
    raw: dict[str, BatchSummary] = {}
    labels: dict[str, str] = {}
    lines = []
    for batch in batches:
        table = read_manifest(store, batch).tables.get(spec.source.main)
        if table is None:  # it could not be read
            continue
        label = _label(batch)
        raw[label] = summarise_file(context, store.path(table.data), roles)
        # of one interval (a snapshot's) the newest version alone has features
        labels[batch.interval.name] = label
        state = "quarantined" if batch.manifest in refused else "accepted"
        lines.append(BatchLine(label, table.rows, len(table.columns), state))
    if not raw:
        raise BadData(
            f"The store holds no batch of {spec.name} that could be read.",
            remedy=f"let {spec.name} run once: `perennial drift {spec.name}`, or its DAG.",
        )
    tables = [profile_table("Raw rows", raw, roles)]
    roles = _roles(spec, spec.event_time)
    built = _features(context, labels, features, roles)
    if built:
        tables.append(profile_table("Features", built, roles, _reference(context)))
    return Profile(spec.name, lines, tables, _bad_rows(context, quarantines))


def _label(batch: BatchRef) -> str:
    """Return what a batch is called on the page."""
    name = batch.interval.name
    return f"{name} {batch.version}" if batch.interval == SNAPSHOT else name


def _roles(spec: Spec, event_time: str | None) -> Roles:
    return Roles(
        key=spec.key,
        event_time=event_time,
        target=spec.target.column,
        classes=classifies(spec.task),
        inputs=spec.inputs,
        personal=spec.features.personal,
    )


def _features(
    context: Context, labels: dict[str, str], version: FeaturesVersion | None, roles: Roles
) -> dict[str, BatchSummary]:
    """Return the built rows of those of the batches that have some.

    `labels`: by the batches' names among the features what they are called on the page.
    """
    name, versions = context.spec.name, context.ports.versions
    files = versions.files(name, version.revision if version else None)
    names = [b for b in labels if b in files]
    if not names:
        return {}
    # without changes this commits nothing and names the newest version
    version = version or versions.commit(name, {}, "profile")
    paths = versions.fetch(name, version, names)
    return {labels[b]: summarise_file(context, p, roles) for b, p in zip(names, paths, strict=True)}


def _reference(context: Context) -> tuple[str, pa.Table] | None:
    """Return what the champion learnt from; None where nothing serves, or it is not known."""
    store, champion = context.ports.store, context.ports.ledger.champion(context.spec.name)
    if champion is None:
        return None
    reference = BundleManifest.model_validate_json(store.get(champion.bundle)).reference
    if reference is None:
        return None
    words = f"the rows that the champion, version {champion.version}, learnt from"
    return words, from_parquet(store.get(reference.rows))


def _quarantines(context: Context) -> list[Quarantine]:
    """Return the newest batches in quarantine, without those that were admitted since."""
    ledger, model = context.ports.ledger, context.spec.name
    held = held_batches(ledger, model)
    found = [e.decision for e in reversed(ledger.entries(model, "quarantine"))]
    now = [
        q
        for q in found
        if isinstance(q, Quarantine) and (q.cause is None or held.get(q.interval.name) == q)
    ]
    return now[:QUARANTINES]


def _bad_rows(context: Context, quarantines: list[Quarantine]) -> list[BadRows]:
    bad = []
    for quarantine in quarantines:
        for table, ref in quarantine.bad_rows.items():
            bad.append(_some_bad_rows(context, quarantine, table, ref))
        if not quarantine.bad_rows:
            bad.append(BadRows(quarantine.interval.name, "", quarantine.reasons, [], [], 0))
    return bad


def _some_bad_rows(context: Context, quarantine: Quarantine, table: str, ref: Ref) -> BadRows:
    rows = from_parquet(context.ports.store.get(ref))
    personal = context.spec.features.personal
    names = [n for n in rows.column_names if n != BROKEN]
    shown = [
        n for n in names if n not in personal and not looks_personal(n, _texts(rows.column(n)))
    ][:BAD_COLUMNS]
    if BROKEN in rows.column_names:
        shown.append(BROKEN)
    some = rows.select(shown).slice(0, BAD_ROWS).to_pylist()
    return BadRows(
        quarantine.interval.name,
        table,
        quarantine.reasons,
        shown,
        [[_short(v) for v in row.values()] for row in some],
        rows.num_rows,
    )


def _texts(column: pa.ChunkedArray) -> list[str]:
    return [v for v in column.slice(0, 500).to_pylist() if isinstance(v, str)]


def _short(value: Any) -> str:
    text = "" if value is None else ", ".join(value) if isinstance(value, list) else str(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return value if isfinite(value) else None
    return value
