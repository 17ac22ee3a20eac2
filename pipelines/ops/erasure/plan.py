"""Find all that must be replaced or removed; nothing is changed but that new objects are put."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pipelines.cards.figures import FIGURES
from pipelines.data.batches import read_plan
from pipelines.data.manifests import BatchManifest, TableRef
from pipelines.errors import Corrupted, RequestError
from pipelines.inference_log.format import key_text
from pipelines.ledger import Erasure, Features, GateVerdict, erasures_of
from pipelines.ops.erasure.log_changes import log_changes
from pipelines.ops.erasure.rows import without
from pipelines.ops.erasure.staying import objects_that_stay
from pipelines.ops.erasure.work import Work
from pipelines.ops.traces.content import holds
from pipelines.ops.traces.search import objects_in, sought_of
from pipelines.refs import Ref, canonical
from pipelines.store.references import references
from pipelines.store.sealing import read_entry
from pipelines.tables import columns_of
from pipelines.tables import from_parquet as table_of
from pipelines.tables import to_parquet as bytes_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from pipelines.context import Context
    from pipelines.ops.traces.sought import Sought

PLACEHOLDER = b"<!doctype html><title>Erased</title><p>This page showed rows of a person whose rows\
 were erased. The ledger says when: <code>perennial history</code>."
ROW_KEYS = ("key", "identity")
"""How the inference log and its index call the key of a row."""


@dataclass
class Draft:
    """What is found on the way."""

    row_keys: set[str] = field(default_factory=set)
    rows: int = 0
    replace: dict[str, str] = field(default_factory=dict)
    drop_entries: list[str] = field(default_factory=list)
    drop_objects: set[str] = field(default_factory=set)
    manifests: dict[str, str] = field(default_factory=dict)
    stays: set[str] = field(default_factory=set)

    def drop(self, uri: str) -> None:
        """Have an object go, unless it must stay."""
        if uri not in self.stays:
            self.drop_objects.add(uri)


def key_column(context: Context, column: str | None) -> str:
    """Return the column by which people are known: the one that is named, else the group whose
    rows are alike, else the only column of the key. Raises RequestError where there is none.
    """
    spec = context.spec
    alike = spec.alike.group if spec.alike else None
    found = column or alike or (spec.key[0] if len(spec.key) == 1 else None)
    if found is None:
        raise RequestError(
            f"Nobody knows which column of {spec.name} names a person: its key is"
            f" {', '.join(spec.key)}.",
            remedy="name it: --column COLUMN.",
        )
    return found


def make_plan(context: Context, run: str, column: str, values: Sequence[str]) -> Work:
    """Return what must be done to erase these people.

    Raises RequestError where no batch has such a column.
    """
    store, spec = context.ports.store, context.spec
    draft = Draft(stays=objects_that_stay(context))
    people = sought_of(context.settings, values, [column])
    _plan_batches(context, people, column, draft)
    if spec.key == [column]:
        draft.row_keys |= set(values)
    sought = sought_for(context, column, values, draft.row_keys)
    changes = log_changes(store, spec.name, sought)
    draft.replace |= changes.replace
    for uri in changes.drop_objects:
        draft.drop(uri)
    _plan_objects(context, sought, draft)
    versions, revisions = _learnt_from(context, set(draft.manifests))
    return Work(
        run=run,
        column=column,
        values=sorted(set(values)),
        row_keys=sorted(draft.row_keys),
        labels=sorted(changes.labels),
        rows=draft.rows,
        replace=draft.replace,
        drop_entries=draft.drop_entries,
        drop_objects=sorted(draft.drop_objects),
        manifests=draft.manifests,
        manifests_ref=store.put(canonical(draft.manifests), ".json"),
        versions=versions,
        revisions=revisions,
    )


def sought_for(
    context: Context, column: str, values: Sequence[str], row_keys: set[str]
) -> list[Sought]:
    """Return what tells the people's rows: their own keys, and the keys of their rows."""
    settings, key = context.settings, context.spec.key
    rows = sought_of(settings, row_keys, [*ROW_KEYS, *(key if len(key) == 1 else [])])
    together = tuple(key) if len(key) > 1 else ()
    return [sought_of(settings, values, [column]), replace(rows, key=together)]


def _plan_batches(context: Context, people: Sought, column: str, draft: Draft) -> None:
    """Plan new manifests, in the place of the old ones, for batches that hold the people."""
    store, spec = context.ports.store, context.spec
    known: set[str] = set()
    for item in store.contents("entries", f"batches/{spec.name}"):
        ref = read_entry(store, item.name, Ref)
        if ref is None:
            continue
        old = BatchManifest.model_validate_json(store.get(ref))
        main = old.tables.get(spec.source.main)
        known |= set(main.columns) if main else set()
        tables = dict(old.tables)
        for name, table in old.tables.items():
            rows = table_of(store.get(table.data))
            kept = without(rows, [people])
            if kept is None:
                continue
            if name == spec.source.main:
                draft.rows += rows.num_rows - kept.num_rows
                draft.row_keys |= set(_keys_of(rows, people, spec.key))
            tables[name] = TableRef(
                data=store.put(bytes_of(kept), ".parquet"),
                rows=kept.num_rows,
                columns=columns_of(kept),
            )
            draft.drop(table.data.uri)
        # Rows of others may have the same key: a table that a manifest names never goes whole
        draft.stays |= {table.data.uri for table in tables.values()}
        if tables != old.tables:
            new = store.put(canonical(old.model_copy(update={"tables": tables})), ".json")
            draft.replace[item.name] = canonical(new).decode()
            draft.manifests[ref.sha256] = new.sha256
    if known and column not in known:
        raise RequestError(
            f"No batch of {spec.name} has a column {column!r}.",
            remedy=f"--column names one of: {', '.join(sorted(known))}.",
        )


def _keys_of(rows: pa.Table, people: Sought, key: Sequence[str]) -> Iterator[str]:
    """Yield the keys of the people's rows as texts; none where the key is made later."""
    mask = people.rows(rows, numbers_anywhere=False)
    if mask is None or not set(key) <= set(rows.column_names):
        return
    for row in rows.filter(mask).select(list(key)).to_pylist():
        yield key_text([row[name] for name in key])


def _plan_objects(context: Context, sought: Sequence[Sought], draft: Draft) -> None:
    """Plan which other objects go: tables and pages that show the people.

    JSON, which leads to other objects, stays and is named as left.
    """
    store = context.ports.store
    for trace, there in objects_in(store, sought, leave_out=set(draft.drop_objects)):
        if there and not trace.name.endswith(".json"):
            draft.drop(trace.name)
    for item in store.contents("entries"):
        if item.name not in draft.replace:
            _plan_entry(context, item.name, sought, draft)


def _plan_entry(context: Context, key: str, sought: Sequence[Sought], draft: Draft) -> None:
    """Plan what becomes of a page or a result that leads to an object that goes, and of figures of
    a card that name the people.
    """
    store = context.ports.store
    folder, model, kind = [*key.split("/"), "", ""][:3]
    if folder not in {"pages", "results"}:
        return
    data = store.read(key) or b""
    leads = any(ref.uri in draft.drop_objects for ref in references(_read_json(data)))
    is_figures = (folder, model, kind) == ("pages", context.spec.name, FIGURES)
    if leads and folder == "pages" and not is_figures:
        draft.replace[key] = canonical(store.put(PLACEHOLDER, ".html")).decode()
    elif leads or (is_figures and holds(data, sought)):
        draft.drop_entries.append(key)


def _read_json(data: bytes) -> object:
    try:
        return json.loads(data)
    except ValueError:
        return None


def _learnt_from(context: Context, manifests: set[str]) -> tuple[list[str], list[str]]:
    """Return the versions that learnt from batches with these manifests, and the features revisions
    that were built from them, or from what they were before earlier erasures.
    """
    manifests = manifests | _earlier(context, manifests)
    entries = context.ports.ledger.entries(context.spec.name)
    runs, revisions = set(), []
    for entry in entries:
        built = entry.decision
        if isinstance(built, Features) and manifests & _manifests_of(context, built.plan):
            runs.add(entry.run)
            revisions.append(built.revision)
    judged = [v for e in entries if e.run in runs and isinstance(v := e.decision, GateVerdict)]
    versions = [verdict.version for verdict in judged if verdict.version]
    return list(dict.fromkeys(versions)), list(dict.fromkeys(revisions))


def _earlier(context: Context, manifests: set[str]) -> set[str]:
    """Return the manifests in whose place erasures put these."""
    earlier: set[str] = set()
    for entry in reversed(erasures_of(context.ports.ledger, context.spec.name)):
        replaced = json.loads(context.ports.store.get(entry.read(Erasure).manifests))
        earlier |= {old for old, new in replaced.items() if new in manifests | earlier}
    return earlier


def _manifests_of(context: Context, plan: Ref) -> set[str]:
    """Return the hashes of a plan's manifests; none where the plan is no longer there."""
    try:
        return {b.manifest.sha256 for b in read_plan(context.ports.store, plan).batches}
    except Corrupted:
        return set()
