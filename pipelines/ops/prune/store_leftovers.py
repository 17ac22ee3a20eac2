"""What of the store nobody needs, one function for each kind.

Each yields what can go; nothing is removed here.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pipelines.errors import Corrupted
from pipelines.ledger import StepOfRun
from pipelines.ops.prune.leftover import Leftover
from pipelines.ops.prune.needed import needed_objects, reachable_objects, read_json_entry
from pipelines.run_names import safe_id, watch_run
from pipelines.signing.signatures import SIGNATURES
from pipelines.store.references import references
from pipelines.training.search_state import SEARCHES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.ledger import Entry
    from pipelines.ports import ConfiguredPorts
    from pipelines.refs import Ref
    from pipelines.settings import Settings
    from pipelines.store.port import Kind, Store, StoredItem


def unfinished_objects(store: Store, limit: float) -> Iterator[Leftover]:
    """Yield what writers that died had begun before the limit (seconds since 1970)."""
    for item in _old(store, "unfinished", "", limit):
        yield _leftover("half-written file", store, "unfinished", item, limit)


def old_entries(ports: ConfiguredPorts, limit: float) -> Iterator[Leftover]:
    """Yield steps' published results and runs' pages that are old and that no entry of the ledger
    has to do with, and what searches have left that came to no end.

    A result goes where nothing that it names is reached from the ledger: what it says can be
    computed again. What a step entered on the way counts for nothing here: each run did.
    """
    store = ports.store
    entries = [e for e in ports.ledger.walk() if not isinstance(e.decision, StepOfRun)]
    reachable = reachable_objects(store, (r for entry in entries for r in references(entry.body)))
    runs = {run for entry in entries for run in runs_of(entry)}
    for item in _old(store, "entries", "results", limit):
        if not any(ref.uri in reachable for ref in _references_of_result(store, item.name)):
            yield _leftover("result", store, "entries", item, limit)
    for item in _old(store, "entries", "pages", limit):
        if item.name.split("/")[-2] not in runs:
            yield _leftover("page", store, "entries", item, limit)
    for item in _old(store, "entries", SEARCHES, limit):
        yield _leftover("trial of a search", store, "entries", item, limit)


def _references_of_result(store: Store, key: str) -> Iterator[Ref]:
    """Yield what a published result refers to.

    Nothing of one that was changed: it counts for nothing, and is computed again where it is
    needed.
    """
    try:
        value = read_json_entry(store, key)
    except Corrupted:
        return
    yield from references(value)


def runs_of(entry: Entry) -> set[str]:
    """Return the identifiers of the runs that an entry of the ledger speaks of, as keys and tags
    hold them.

    A drift run keeps things under a name of its own beside those of the retraining of the same name
    (see `watch_run`).
    """
    return {safe_id(name) for run in entry.runs for name in (run, watch_run(run))}


def old_objects(
    settings: Settings, ports: ConfiguredPorts, removed: list[Leftover], limit: float
) -> Iterator[Leftover]:
    """Yield old objects that nothing refers to when the entries `removed` are gone.

    They are listed before it is asked what is needed: what is put later is younger.
    """
    items = list(_old(ports.store, "objects", "", limit))
    if items:
        needed_uris = needed_objects(settings, ports, {leftover.name for leftover in removed})
        for item in items:
            if item.name not in needed_uris:
                yield _leftover("object", ports.store, "objects", item, limit)


def old_signatures(
    ports: ConfiguredPorts, removed: list[Leftover], limit: float
) -> Iterator[Leftover]:
    """Yield old signatures of bundles that are gone when the objects `removed` are."""
    items = list(_old(ports.store, "entries", SIGNATURES, limit))
    if not items:
        return
    gone = {leftover.name for leftover in removed}
    objects = (item.name for item in ports.store.contents("objects"))
    kept = {name.rsplit("/", 1)[-1].split(".")[0] for name in objects if name not in gone}
    for item in items:
        if item.name.split("/")[1] not in kept:
            yield _leftover("signature", ports.store, "entries", item, limit)


def _old(store: Store, kind: Kind, below: str, limit: float) -> Iterator[StoredItem]:
    yield from (item for item in store.contents(kind, below) if item.used_at < limit)


def _leftover(name: str, store: Store, kind: Kind, item: StoredItem, limit: float) -> Leftover:
    remove = partial(store.remove, kind, item.name, unused_since=limit)
    return Leftover(name, item.name, item.size, remove)
