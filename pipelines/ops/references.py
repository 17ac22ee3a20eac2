"""Which objects of the store somebody refers to.

Marked from the ledger, the store's entries and runs by hand, through every JSON object.

A reference is any {"uri", "sha256"} pair, wherever it stands: a new kind of manifest is understood
without a word here.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pipelines.errors import Corrupted
from pipelines.refs import Ref
from pipelines.store.port import KEYS
from pipelines.store.sealing import unsealed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from pipelines.ports import EmbeddedPorts
    from pipelines.settings import Settings
    from pipelines.store.port import Store


def references(value: Any) -> Iterator[Ref]:
    """Yield every reference within a JSON value, also one that has more beside its two names."""
    if isinstance(value, dict):
        if "uri" in value and "sha256" in value:
            with contextlib.suppress(
                ValidationError
            ):  # the user's own data may stand under the same two names
                yield Ref(uri=value["uri"], sha256=value["sha256"])
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from references(inner)


def reached(store: Store, first: Iterable[Ref]) -> set[str]:
    """Return the URIs of all objects that are referred to from these on.

    Raises Corrupted where a JSON object on the way is.

    What a damaged object refers to is not known, so nothing may be taken away then.
    """
    found: set[str] = set()
    waiting = list(first)
    while waiting:
        ref = waiting.pop()
        if ref.uri in found:
            continue
        found.add(ref.uri)
        if ref.uri.endswith(".json"):
            waiting += references(_body(store, ref))
    return found


def _body(store: Store, ref: Ref) -> Any:
    try:
        return json.loads(store.get(ref))
    except ValueError:
        return None
    except Corrupted as error:
        raise Corrupted(
            f"{error.message} What it refers to is not known, so nothing was removed.",
            remedy=error.remedy,
        ) from error


def marked(settings: Settings, ports: EmbeddedPorts, going: Collection[Path]) -> set[str]:
    """Return the URIs of all objects that must stay, although the entries in the files `going` are
    removed.
    """
    keys = settings.store_dir / KEYS
    entries = (entry_of(path, keys) for path in files(keys) if path not in going)
    by_hand = (json_of(path) for path in files(settings.state_dir / "hand"))
    bodies = [entry.body for entry in ports.ledger.entries()]
    texts = (text for found in (entries, by_hand) for text in found)
    return reached(ports.store, (ref for body in (*bodies, *texts) for ref in references(body)))


def files(folder: Path) -> Iterator[Path]:
    """Yield all finished files below a folder, none where it is not there."""
    if folder.is_dir():
        yield from (
            path
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.name.startswith(".")
        )


def json_of(path: Path) -> Any:
    """Return a file's JSON; None where it is gone meanwhile or holds none."""
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError, RecursionError):
        return None


def entry_of(path: Path, keys: Path) -> Any:
    """Return the JSON of one of the store's entries; None where it is gone meanwhile or holds none.

    Raises Corrupted where it was changed: what it refers to is not known.
    """
    try:
        return json.loads(unsealed(path.relative_to(keys).as_posix(), path.read_bytes()))
    except (FileNotFoundError, ValueError, RecursionError):
        return None
