"""HTML pages of runs: which object of the store shows the validation, the verdict or the drift of a run.

A step publishes its page under the run's name; a cleared run may publish another one, and the newest counts. Whoever shows
pages (Airflow's plugin) reads them from here and needs to know nothing of steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from pipelines.refs import Ref, canonical, safe_id

if TYPE_CHECKING:
    from pipelines.store import Store

PageKind = Literal["validation", "verdict", "drift", "evidently"]
KINDS: tuple[PageKind, ...] = get_args(PageKind)


def publish_page(store: Store, *, model: str, kind: PageKind, run: str, page: bytes) -> Ref:
    """Store a page and make it the run's newest of its kind; the same page again changes nothing."""
    ref = store.put(page, ".html")
    folder = _folder(model, kind, run)
    while True:
        keys = store.keys(folder)
        if keys and store.read(keys[-1]) == canonical(ref):
            return ref
        number = int(keys[-1].rsplit("/", 1)[-1]) + 1 if keys else 1
        if store.publish(f"{folder}/{number:06d}", canonical(ref)):
            return ref


def find_page(store: Store, *, model: str, kind: PageKind, run: str) -> bytes | None:
    """Return a run's newest page of a kind, verified; None where it has none. Raises Corrupted where it was changed."""
    keys = store.keys(_folder(model, kind, run))
    entry = store.read(keys[-1]) if keys else None
    return store.get(Ref.model_validate_json(entry)) if entry is not None else None


def _folder(model: str, kind: PageKind, run: str) -> str:
    return f"pages/{model}/{kind}/{safe_id(run)}"
