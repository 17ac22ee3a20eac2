"""Releases in the store and their intent in the ledger.

A release is written into the ledger first, then published, so nothing ever serves that the ledger
does not know of. Every function here can be cut off at any point and called again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.bundle.manifest import Release, release_key, served_key
from pipelines.errors import Corrupted
from pipelines.refs import Ref, canonical
from pipelines.store.sealing import read_entry

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.ledger import Entry, Ledger
    from pipelines.ledger.port import Kind
    from pipelines.store.port import Store


def newest(store: Store, model: str) -> Release | None:
    """Return the release with the highest number, which the server follows; None before the first.

    Raises Corrupted.
    """
    keys = store.keys(f"releases/{model}")
    return read_entry(store, keys[-1], Release) if keys else None


def highest(context: Context) -> Release | None:
    """Return the newest release, as `newest`.

    An entry that was damaged is written anew from the ledger, which knows them all.
    """
    store, ledger, model = context.ports.store, context.ports.ledger, context.spec.name
    try:
        return newest(store, model)
    except Corrupted as error:
        key = store.keys(f"releases/{model}")[-1]
        meant = [
            release
            for release in recorded(ledger, model)
            if release_key(model, release.number) == key
        ]
        if not meant:
            raise
        context.log.warning("%s It is written anew from the ledger.", error.message)
        store.publish(key, canonical(meant[-1]))
        return newest(store, model)


def recorded(ledger: Ledger, model: str) -> list[Release]:
    """Return every release of the model that the ledger knows."""
    entries = [*ledger.entries(model, "release"), *ledger.entries(model, "reconciled")]
    return [release_of(entry) for entry in entries if "number" in entry.body]


def published(
    context: Context,
    *,
    kind: Kind,
    key: str,
    version: str,
    bundle: Ref,
    reason: str,
    previous: str | None = None,
) -> Release:
    """Return the highest release, which serves this bundle from now on, writing it down under
    (kind, key) first.

    `previous` is the version that it shall replace; it is written down with the intent, so that a
    retry expects the same.

    A number that somebody else took, or that was overtaken while this run lay dead, is given up for
    the next one, under key~2, key~3 and so on.
    """
    store, ledger, model = context.ports.store, context.ports.ledger, context.spec.name
    store.publish(served_key(model), b"1")
    attempt = 1
    while True:
        told = {
            "version": version,
            "bundle": bundle.model_dump(mode="json"),
            "reason": reason,
            "previous": previous,
        }
        release = _intended(context, kind, key if attempt == 1 else f"{key}~{attempt}", told)
        store.publish(release_key(model, release.number), canonical(release))
        top = highest(context)
        if top == release:
            return release
        if top is None or ledger.find(model, kind, key) is None:
            raise Corrupted(
                f"Release {release.number} of {model} is neither in the store nor could it be"
                " written."
            )
        attempt += 1


def _intended(context: Context, kind: Kind, key: str, told: dict[str, Any]) -> Release:
    """Return the release that this key stands for in the ledger, entering it with the next free
    number where it is new.
    """
    ledger, model = context.ports.ledger, context.spec.name
    entry = ledger.find(model, kind, key)
    if entry is None:
        entry = ledger.append(model, kind, key, {"number": _next(context), **told})
    return release_of(entry)


def release_of(entry: Entry) -> Release:
    """Return the release that a `release` or `reconciled` entry stands for."""
    return Release.model_validate(
        {
            "model": entry.model,
            **{k: entry.body[k] for k in ("number", "version", "bundle", "reason")},
        }
    )


def _next(context: Context) -> int:
    """Return the next free number.

    Raises Corrupted where the ledger knows no release at all, but the store has some.
    """
    top, model = highest(context), context.spec.name
    numbers = {release.number for release in recorded(context.ports.ledger, model)}
    if top is not None and not numbers:
        raise Corrupted(
            f"The store has release {top.number} of {model}, but the ledger knows of none.",
            remedy=(
                "the ledger was emptied, or it is another system's: restore it from a backup"
                " (docs/operate.md, Damage)."
            ),
        )
    return max([top.number if top else 0, *numbers]) + 1


def belongs_to(context: Context, release: Release, run: str) -> bool:
    """Tell whether the release was made by this run."""
    entries = context.ports.ledger.entries(context.spec.name, "release")
    return any(
        e.body["number"] == release.number and (e.key == run or e.key.startswith(f"{run}~"))
        for e in entries
    )
