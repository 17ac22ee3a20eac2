"""Same inputs, same outputs: a step's result is published under the key of its inputs.

The first writer wins.

A published result counts as long as the objects that it refers to are whole. They are read and
hashed to know that: a result refers to a handful of objects of a few MB, which costs milliseconds,
and an existence check would miss a flipped byte.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeVar

from pipelines.errors import Corrupted
from pipelines.refs import Value, canonical
from pipelines.store.references import references

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.store.port import Store

V = TypeVar("V", bound=Value)


def once(
    store: Store,
    step: str,
    key: str,
    kind: type[V],
    compute: Callable[[], V],
    *,
    force: bool = False,
) -> V:
    """Return the published result for this key; compute and publish it where there is none.

    `key` is the digest of everything that the result depends on. With `force` the result is
    computed in any case, and returned without being published where one was published before. Of
    two copies of one task the one that publishes second returns what the first one published.

    Where an object of a published result is gone or damaged, the result is computed again: the same
    bytes heal the object, and the published result counts again; where other bytes came out, the
    fresh result is returned.
    """
    name = f"results/{step}/{key}"
    before = _read_result(store, name)
    if before is not None and not force and _whole(store, before):
        return kind.model_validate_json(before)
    result = compute()
    if store.publish(name, canonical(result)) or force:
        return result
    winner = store.read(name)
    if winner is None:
        msg = f"{name} is neither writable nor there"
        raise RuntimeError(msg)
    return kind.model_validate_json(winner) if _whole(store, winner) else result


def _read_result(store: Store, name: str) -> bytes | None:
    """Return the published result.

    None where there is none, or one that was changed: what is published next takes its place.
    """
    try:
        return store.read(name)
    except Corrupted:
        return None


def _whole(store: Store, result: bytes) -> bool:
    """Whether every object that the result refers to is there unchanged, and every object that
    their manifests refer to.
    """
    try:
        for ref in references(json.loads(result)):
            data = store.get(ref)
            for part in references(json.loads(data)) if ref.uri.endswith(".json") else ():
                store.get(part)
    except Corrupted:
        return False
    return True
