"""HTML pages of runs: which object of the store shows the validation, the verdict, the drift or the
data (the profile) of a run, its candidates (the comparison), its version by itself (the card) or
beside the champion, how the champion came out when it was built again (the proof), or how the past
would have been under several policies (the replay).

A step publishes its page under the run's name; a cleared run may publish another one, and the
newest counts. Whoever shows pages (Airflow's plugin) reads them from here and needs to know nothing
of steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from pipelines.refs import canonical
from pipelines.run_names import safe_id
from pipelines.store.numbered import newest_numbered, publish_next
from pipelines.store.page_parts import PageRef, get_page
from pipelines.store.sealing import read_entry

if TYPE_CHECKING:
    from pipelines.refs import Ref
    from pipelines.store.port import Store

PageKind = Literal[
    "validation",
    "verdict",
    "drift",
    "evidently",
    "profile",
    "comparison",
    "versions",
    "proof",
    "replay",
    "card",
]
NEWEST = "newest"
"""The run under whose name the newest page of a kind stands that needs no run: the profile's."""

KINDS: tuple[PageKind, ...] = get_args(PageKind)


def publish_page(store: Store, *, model: str, kind: PageKind, run: str, page: bytes) -> Ref:
    """Store a page and make it the run's newest of its kind.

    The same page again changes nothing.
    """
    ref = store.put(page, ".html")
    publish_next(store, _stem(model, kind, run), canonical(ref))
    return ref


def publish_kept(store: Store, *, model: str, kind: PageKind, run: str, page: PageRef) -> None:
    """Make a page that `put_page` has stored the run's newest of its kind."""
    publish_next(store, _stem(model, kind, run), canonical(page.entry()))


def find_page(store: Store, *, model: str, kind: PageKind, run: str) -> bytes | None:
    """Return a run's newest page of a kind, verified; None where it has none.

    Raises Corrupted where it was changed.
    """
    newest = newest_numbered(store, _stem(model, kind, run))
    ref = read_entry(store, newest.key, PageRef) if newest is not None else None
    return get_page(store, ref) if ref is not None else None


def has_page(store: Store, *, model: str, kind: PageKind, run: str) -> bool:
    """Tell whether a run has a page of a kind; it is not read."""
    return newest_numbered(store, _stem(model, kind, run)) is not None


def _stem(model: str, kind: PageKind, run: str) -> str:
    return f"pages/{model}/{kind}/{safe_id(run)}/"
