"""Same inputs, same outputs: a step's result is published under the key of its inputs; the first writer wins."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pipelines.refs import Value, canonical

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.store import Store

V = TypeVar("V", bound=Value)


def once(store: Store, step: str, key: str, kind: type[V], compute: Callable[[], V], *, force: bool = False) -> V:
    """Return the published result for this key; compute and publish it where there is none.

    `key` is the digest of everything that the result depends on. With `force` the result is computed in any case, and
    returned without being published where one was published before. Of two copies of one task the one that publishes
    second returns what the first one published.
    """
    name = f"results/{step}/{key}"
    known = store.read(name)
    if known is not None and not force:
        return kind.model_validate_json(known)
    result = compute()
    if store.publish(name, canonical(result)) or force:
        return result
    published = store.read(name)
    if published is None:
        msg = f"{name} is neither writable nor there"
        raise RuntimeError(msg)
    return kind.model_validate_json(published)
