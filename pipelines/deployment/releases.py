"""Releases in the store and their intent in the ledger.

A release is written into the ledger first, then published, so nothing ever serves that the ledger
does not know of. Every function here can be cut off at any point and called again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pipelines.bundle.manifest import Release, release_key, served_key
from pipelines.errors import Corrupted
from pipelines.ledger import Reconciliation, ReleaseIntent
from pipelines.refs import Ref, Value, canonical
from pipelines.store.sealing import read_entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.context import Context
    from pipelines.ledger import Entry, Ledger
    from pipelines.store.port import Store

ReleaseKind = Literal["release", "reconciled"]
"""The kinds of entries that stand for a release."""

_INTENTS: dict[ReleaseKind, type[ReleaseIntent | Reconciliation]] = {
    "release": ReleaseIntent,
    "reconciled": Reconciliation,
}


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
        candidates = [
            release
            for release in list_releases(ledger, model)
            if release_key(model, release.number) == key
        ]
        if not candidates:
            raise
        context.log.warning("%s It is written anew from the ledger.", error.message)
        store.publish(key, canonical(candidates[-1]))
        return newest(store, model)


def list_releases(ledger: Ledger, model: str) -> list[Release]:
    """Return every release of the model that the ledger knows."""
    entries = [*ledger.entries(model, "release"), *ledger.entries(model, "reconciled")]
    return [release for entry in entries if (release := release_of(entry)) is not None]


class Wanted(Value):
    """A release that shall be, under (kind, key) in the ledger.

    `previous` is the version that it shall replace; it is written down with the intent, so that a
    retry expects the same.
    """

    kind: ReleaseKind
    key: str
    version: str
    bundle: Ref
    reason: str
    previous: str | None = None


def publish_release(context: Context, wanted: Wanted) -> Release:
    """Return the highest release, which serves this bundle from now on, writing it down first.

    A number that somebody else took, or that was overtaken while this run lay dead, is given up for
    the next one, under key~2, key~3 and so on.
    """
    attempt = 1
    while True:
        release = enter_release(context, wanted, attempt)
        if publish_entered(context, wanted, release):
            return release
        attempt += 1


def enter_release(context: Context, wanted: Wanted, attempt: int) -> Release:
    """Return the release of this attempt (from 1), entered into the ledger unless it is there."""
    context.ports.store.publish(served_key(context.spec.name), b"1")
    key = wanted.key if attempt == 1 else f"{wanted.key}~{attempt}"

    def intent(number: int) -> ReleaseIntent | Reconciliation:
        return _INTENTS[wanted.kind](
            number=number,
            version=wanted.version,
            bundle=wanted.bundle,
            reason=wanted.reason,
            previous=wanted.previous,
        )

    return _find_or_enter(context, wanted.kind, key, intent)


def publish_entered(context: Context, wanted: Wanted, release: Release) -> bool:
    """Publish a release that stands in the ledger; tell whether it is the highest now.

    Raises Corrupted where it can be neither written nor found.
    """
    store, ledger, model = context.ports.store, context.ports.ledger, context.spec.name
    store.publish(release_key(model, release.number), canonical(release))
    top = highest(context)
    if top == release or _comes_late(store, top, release):
        return True
    if top is None or ledger.find(model, wanted.kind, wanted.key) is None:
        raise Corrupted(
            f"Release {release.number} of {model} is neither in the store nor could it be written."
        )
    return False


def _comes_late(store: Store, top: Release | None, release: Release) -> bool:
    """Tell whether the store has the release, and a bucket's listing has not come to it yet."""
    if top is not None and top.number >= release.number:
        return False
    return read_entry(store, release_key(release.model, release.number), Release) == release


def _find_or_enter(
    context: Context,
    kind: ReleaseKind,
    key: str,
    intent: Callable[[int], ReleaseIntent | Reconciliation],
) -> Release:
    """Return the release that this key stands for in the ledger, entering it with the next free
    number where it is new.
    """
    ledger, model = context.ports.ledger, context.spec.name
    entry = ledger.find(model, kind, key)
    if entry is None:
        entry = ledger.append(model, key, intent(_next(context)))
    release = release_of(entry)
    if release is None:
        raise Corrupted(f"Entry {entry.seq} of the ledger ({model}, {kind}) names no release.")
    return release


def release_of(entry: Entry) -> Release | None:
    """Return the release that a `release` or `reconciled` entry stands for.

    None where it made only the alias follow. Raises Corrupted where the entry cannot be read.
    """
    if entry.kind == "release":
        intent: ReleaseIntent | None = entry.read(ReleaseIntent)
    else:
        intent = entry.read(Reconciliation).release
    if intent is None:
        return None
    return Release(
        model=entry.model,
        number=intent.number,
        version=intent.version,
        bundle=intent.bundle,
        reason=intent.reason,
    )


def _next(context: Context) -> int:
    """Return the next free number.

    Raises Corrupted where the ledger knows no release at all, but the store has some.
    """
    top, model = highest(context), context.spec.name
    numbers = {release.number for release in list_releases(context.ports.ledger, model)}
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
    own = (e for e in entries if e.key == run or e.key.startswith(f"{run}~"))
    return any(e.read(ReleaseIntent).number == release.number for e in own)
