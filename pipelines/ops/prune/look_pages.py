"""Evidently's pages of looks that are older than the settings keep them.

They are the one thing that goes although the ledger names it: the check with its verdict, its page
and its figures stay, and the ledger says that Evidently's page was removed
(docs/decisions/0122-evidentlys-page-is-kept-once-and-for-a-time.md).
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple

from pipelines.incidents import all_incidents
from pipelines.intervals import iso
from pipelines.ledger import Alert, DriftCheck, PageRemoval, RetrainRequest
from pipelines.ops.prune.leftover import Leftover
from pipelines.plurals import how_many
from pipelines.refs import canonical, sha256
from pipelines.run_names import safe_id
from pipelines.store.page_parts import PAGE, PageRef
from pipelines.store.sealing import read_entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from pipelines.ledger import Ledger
    from pipelines.ports import ConfiguredPorts
    from pipelines.settings import Settings
    from pipelines.store.port import Store, StoredItem

NEWEST = 12
"""So many of a model's newest pages stay whatever their age: those that its own page lists."""
_DAY = 86_400
_PARTS = 5
"""Parts of a page's key: pages/<model>/<kind>/<run>/<number>."""
_TOGETHER = 200
"""Looks that one entry of the ledger names."""


class LookPage(NamedTuple):
    """Evidently's page of one look: its run, its entries in the store, and its objects there."""

    run: str
    keys: list[str]
    objects: set[str]


def old_look_pages(settings: Settings, ports: ConfiguredPorts, now: datetime) -> Iterator[Leftover]:
    """Yield, for each model, Evidently's pages that are too old, together.

    Those stay that an incident which is not over, an alert or a retraining leads to.
    """
    if not settings.evidently_days:
        return
    limit = now.timestamp() - settings.evidently_days * _DAY
    stored = _StoredPages(ports.store)
    for model, folders in stored.by_model.items():
        old = _old(folders, limit)
        pages = _known(ports.ledger, stored, model, old, now) if old else []
        if pages:
            size = sum(stored.sizes.get(uri, 0) for page in pages for uri in page.objects)
            name = f"{model}: {how_many(len(pages), 'look')}, the last one {pages[-1].run}"
            remove = partial(
                _remove, ports, model, pages, limit=limit, days=settings.evidently_days, now=now
            )
            yield Leftover("Evidently's pages", name, size, remove)


class _StoredPages:
    """What the store has of Evidently's pages."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @cached_property
    def by_model(self) -> dict[str, dict[str, list[StoredItem]]]:
        """The entries of all pages, by model and by the folder of the run."""
        found: dict[str, dict[str, list[StoredItem]]] = {}
        for item in self.store.contents("entries", "pages"):
            parts = item.name.split("/")
            if parts[2:3] == ["evidently"] and len(parts) == _PARTS:
                found.setdefault(parts[1], {}).setdefault(parts[3], []).append(item)
        return found

    @cached_property
    def refs(self) -> dict[str, PageRef]:
        """What each of these entries names. Raises Corrupted where one was changed."""
        keys = (
            item.name
            for folders in self.by_model.values()
            for items in folders.values()
            for item in items
        )
        found = {key: read_entry(self.store, key, PageRef) for key in keys}
        return {key: ref for key, ref in found.items() if ref is not None}

    @cached_property
    def sizes(self) -> dict[str, int]:
        """The bytes of each object of the store."""
        return {item.name: item.size for item in self.store.contents("objects")}

    def named_by_others(self, keys: Iterable[str]) -> set[str]:
        """Return the objects that pages of other entries than these name."""
        own = set(keys)
        return {ref.uri for key, ref in self.refs.items() if key not in own}


def _old(folders: dict[str, list[StoredItem]], limit: float) -> dict[str, list[StoredItem]]:
    """Return the pages that nobody has written since the limit, oldest first, but the newest."""
    ages = {folder: max(item.used_at for item in items) for folder, items in folders.items()}
    by_age = sorted(folders, key=lambda folder: (ages[folder], folder))
    return {folder: folders[folder] for folder in by_age[:-NEWEST] if ages[folder] < limit}


def _known(
    ledger: Ledger,
    stored: _StoredPages,
    model: str,
    old: dict[str, list[StoredItem]],
    now: datetime,
) -> list[LookPage]:
    """Return those of the old pages that may go: of looks in the ledger, to which nothing leads."""
    runs: dict[str, str] = {}
    named: dict[str, set[str]] = {}
    for entry in ledger.entries(model, "drift"):
        runs[safe_id(entry.run)] = entry.run
        if isinstance(check := entry.decision, DriftCheck) and check.evidently is not None:
            named.setdefault(entry.run, set()).add(check.evidently.uri)
    linked = _runs_with_links(ledger, model, now)
    going = {
        runs[folder]: [item.name for item in items]
        for folder, items in old.items()
        if folder in runs and runs[folder] not in linked
    }
    kept = stored.named_by_others(key for keys in going.values() for key in keys)
    pages = []
    for run, keys in going.items():
        # The word that stands where a page was erased is of others, too
        own = {stored.refs[key].uri for key in keys if key in stored.refs}
        own = {uri for uri in own if uri.endswith(PAGE)} | named.get(run, set())
        pages.append(LookPage(run, keys, own - kept))
    return pages


def _runs_with_links(ledger: Ledger, model: str, now: datetime) -> set[str]:
    """Return the runs of looks that an open incident, an alert or a retraining leads to."""
    told = {
        entry.decision.incident
        for entry in ledger.entries(model, "alert")
        if isinstance(entry.decision, Alert)
    }
    firsts = {
        incident.first
        for incident in all_incidents(ledger, model, now)
        if not incident.is_over or f"incident/{incident.number}" in told
    }
    entries = [entry for seq in firsts if (entry := ledger.at(seq)) is not None]
    asked = (entry.decision for entry in ledger.entries(model, "retrain_request"))
    return {entry.run for entry in entries} | {
        request.asked_by for request in asked if isinstance(request, RetrainRequest)
    }


def _remove(
    ports: ConfiguredPorts,
    model: str,
    pages: Sequence[LookPage],
    *,
    limit: float,
    days: int,
    now: datetime,
) -> bool:
    """Write down that these pages go, then remove them: what was killed in between goes next time.

    What somebody has made again since stays.
    """
    for start in range(0, len(pages), _TOGETHER):
        part = pages[start : start + _TOGETHER]
        removal = PageRemoval(runs=[page.run for page in part], days=days)
        key = f"{iso(now)}:{sha256(canonical(removal.runs))[:16]}"
        ports.ledger.append(model, key, removal)
        for page in part:
            for uri in sorted(page.objects):
                ports.store.remove("objects", uri, unused_since=limit)
            for name in page.keys:
                ports.store.remove("entries", name, unused_since=limit)
    return True
