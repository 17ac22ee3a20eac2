"""Which objects of the store are needed.

All that the ledger, the store's entries or a run by hand refer to, through every JSON object.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pipelines.errors import Corrupted
from pipelines.ops.prune.files import files_below
from pipelines.store.references import references

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from pipelines.ports import ConfiguredPorts
    from pipelines.refs import Ref
    from pipelines.settings import Settings
    from pipelines.store.port import Store


def needed_objects(
    settings: Settings, ports: ConfiguredPorts, removed_keys: Collection[str]
) -> set[str]:
    """Return the URIs of all objects that must stay when the entries `removed_keys` are gone.

    Raises Corrupted as `reachable_objects`, and where an entry of the store was changed.
    """
    store = ports.store
    keys = (item.name for item in store.contents("entries"))
    entries = (read_json_entry(store, key) for key in keys if key not in removed_keys)
    by_hand = (_read_json(path) for path in files_below(settings.state / "hand"))
    bodies = (entry.body for entry in ports.ledger.walk())
    values = (value for source in (bodies, entries, by_hand) for value in source)
    return reachable_objects(store, (ref for value in values for ref in references(value)))


def reachable_objects(store: Store, first: Iterable[Ref]) -> set[str]:
    """Return the URIs of all objects that are referred to from these on.

    Raises Corrupted where a JSON object on the way is damaged: what it refers to is not known, so
    nothing may be taken away then.
    """
    uris: set[str] = set()
    queue = list(first)
    while queue:
        ref = queue.pop()
        if ref.uri in uris:
            continue
        uris.add(ref.uri)
        if ref.uri.endswith(".json"):
            queue += references(_read_json_object(store, ref))
    return uris


def read_json_entry(store: Store, key: str) -> Any:
    """Return the JSON of one of the store's entries; None where it is gone meanwhile or holds none.

    Raises Corrupted where it was changed: what it refers to is not known.
    """
    return _parse(store.read(key))


def _read_json_object(store: Store, ref: Ref) -> Any:
    try:
        return _parse(store.get(ref))
    except Corrupted as error:
        raise Corrupted(
            f"{error.message} What it refers to is not known, so nothing was removed.",
            remedy=error.remedy,
        ) from error


def _read_json(path: Path) -> Any:
    """Return a file's JSON; None where it is gone meanwhile or holds none."""
    try:
        return _parse(path.read_bytes())
    except FileNotFoundError:
        return None


def _parse(data: bytes | None) -> Any:
    try:
        return json.loads(data) if data is not None else None
    except (ValueError, RecursionError):
        return None
