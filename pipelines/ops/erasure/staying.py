"""Which objects of the store no erasure of a model removes, whoever they show.

What serves or may serve, since it would break; and what another model has, since its other rows
would go too. Both are named as left where the search finds the person in them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.data.manifests import BatchManifest
from pipelines.ledger import Crown, ReleaseIntent
from pipelines.ops.prune.needed import reachable_objects, read_json_entry
from pipelines.refs import Ref
from pipelines.store.references import references
from pipelines.store.sealing import read_entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.context import Context

BY_MODEL = {"batches", "inference", "pages", "snapshots"}
"""Folders of the store's entries in which each model has one of its own."""
PACKAGED = ["results", "package"]
"""Where the bundles stand that wait for their release."""


def objects_that_stay(context: Context) -> set[str]:
    """Return the URIs of all that bundles need, and of all that other models refer to.

    Raises Corrupted where a JSON object on the way is damaged: what it refers to is not known.
    """
    first = [*_of_ledger(context), *_of_entries(context)]
    return reachable_objects(context.ports.store, first)


def tables_of(context: Context) -> set[str]:
    """Return the URIs of the tables that the model's batches name now. Raises Corrupted."""
    store = context.ports.store
    uris: set[str] = set()
    for item in store.contents("entries", f"batches/{context.spec.name}"):
        ref = read_entry(store, item.name, Ref)
        if ref is not None:
            manifest = BatchManifest.model_validate_json(store.get(ref))
            uris |= {table.data.uri for table in manifest.tables.values()}
    return uris


def _of_ledger(context: Context) -> Iterator[Ref]:
    for entry in context.ports.ledger.walk():
        decision = entry.decision
        if entry.model != context.spec.name:
            yield from references(entry.body)
        elif isinstance(decision, Crown | ReleaseIntent):
            yield decision.bundle


def _of_entries(context: Context) -> Iterator[Ref]:
    store = context.ports.store
    for item in store.contents("entries"):
        parts = item.name.split("/")
        is_of_another = parts[0] in BY_MODEL and parts[1] != context.spec.name
        if is_of_another or parts[:2] == PACKAGED:
            yield from references(read_json_entry(store, item.name))
