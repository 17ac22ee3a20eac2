"""HTML pages of runs: which object of the store shows the validation, the verdict or the drift of a
run.

A step publishes its page under the run's name; a cleared run may publish another one, and the
newest counts. Whoever shows pages (Airflow's plugin) reads them from here and needs to know nothing
of steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from pipelines.errors import Corrupted
from pipelines.refs import Ref, canonical
from pipelines.run_names import safe_id
from pipelines.store.sealing import read_entry

if TYPE_CHECKING:
    from pipelines.store.port import Store

PageKind = Literal["validation", "verdict", "drift", "evidently"]
KINDS: tuple[PageKind, ...] = get_args(PageKind)


def publish_page(store: Store, *, model: str, kind: PageKind, run: str, page: bytes) -> Ref:
    """Store a page and make it the run's newest of its kind.

    The same page again changes nothing.
    """
    ref = store.put(page, ".html")
    folder = _folder(model, kind, run)
    while True:
        keys = store.keys(folder)
        if keys and _is(store, keys[-1], ref):
            return ref
        number = int(keys[-1].rsplit("/", 1)[-1]) + 1 if keys else 1
        if store.publish(f"{folder}/{number:06d}", canonical(ref)):
            return ref


def find_page(store: Store, *, model: str, kind: PageKind, run: str) -> bytes | None:
    """Return a run's newest page of a kind, verified; None where it has none.

    Raises Corrupted where it was changed.
    """
    keys = store.keys(_folder(model, kind, run))
    entry = read_entry(store, keys[-1], Ref) if keys else None
    return store.get(entry) if entry is not None else None


def _is(store: Store, key: str, ref: Ref) -> bool:
    """Tell whether the entry names this page; a damaged one names none, and the next one counts."""
    try:
        return store.read(key) == canonical(ref)
    except Corrupted:
        return False


def _folder(model: str, kind: PageKind, run: str) -> str:
    return f"pages/{model}/{kind}/{safe_id(run)}"
