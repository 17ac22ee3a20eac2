"""An anchor: the head of the ledger's chain, kept in a second place, by which a rewritten or cut
ledger is seen.

A hash chain shows that an entry was touched. Whoever rewrites the entry, all that follow and the
head, or cuts the newest entries off together with the head, leaves a chain that is whole. It then
no longer holds the entry that the anchor remembers.

An anchor is written after each decision and never stops one: where it is away, the next decision
brings it up to date. It only goes forward along its own chain, so that a decision after the deed
does not wipe out what shows it.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

from pydantic import ValidationError

from pipelines.errors import Corrupted, PerennialError, RequestError, StorageFull, Unreachable
from pipelines.full_disk import is_full
from pipelines.ledger import Head
from pipelines.private_files import make_folder
from pipelines.refs import Value, canonical
from pipelines.settings import without_password
from pipelines.store.sealing import seal, unseal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from pipelines.ledger import Champion, Entry, Ledger
    from pipelines.ledger.decision import Decision
    from pipelines.ledger.entries import Crown, Kind
    from pipelines.ledger.port import Note
    from pipelines.settings import Settings

TIMEOUT_SECONDS = 5.0
LARGEST = 65_536
"""Bytes that an anchor may answer with."""
NOTE = "ledger-head"
"""The name under which MLflow keeps it."""

_log = logging.getLogger("perennial")


class Anchor(Protocol):
    """A second place for the head. `name` is what messages call it; it shows no password."""

    name: str

    def read(self) -> Head | None:
        """Return what is kept; None where nothing is yet.

        Raises Unreachable, or Corrupted for what is no head.
        """
        ...

    def write(self, head: Head) -> None:
        """Keep this head from now on. Raises Unreachable or StorageFull."""
        ...


class Standing(Value):
    """How a ledger stands to its anchor.

    `count` entries, of which the anchor remembers the one numbered `anchored` (None: nothing).
    """

    count: int
    anchored: int | None

    @property
    def behind(self) -> int:
        """How many of the newest entries the anchor does not cover."""
        return self.count - (self.anchored or 0)


def anchor_for(settings: Settings, notes: Callable[[], Notes]) -> Anchor | None:
    """Return the anchor that the settings name, or None.

    `notes` gives the MLflow that keeps it, where that is meant.
    """
    text = settings.ledger_anchor
    if text is None:
        return None
    if text == "mlflow":
        return MlflowAnchor(notes(), f"MLflow at {without_password(settings.mlflow_uri)}")
    parts = urlsplit(text)
    if parts.scheme == "file" and parts.netloc in {"", "localhost"} and parts.path.startswith("/"):
        return FileAnchor(Path(unquote(parts.path)))
    if parts.scheme in {"http", "https"} and parts.netloc:
        return HttpAnchor(text)
    raise RequestError(
        f"PERENNIAL_LEDGER_ANCHOR={without_password(text)!r} is no anchor.",
        remedy="name file:///absolute/path, mlflow, or an http(s):// URL (docs/settings.md).",
    )


def advance(ledger: Ledger, anchor: Anchor, head: Head) -> None:
    """Let the anchor remember this head, which is of the ledger, unless it remembers a later one.

    Raises Corrupted, and keeps the anchor as it is, where the ledger does not hold what the anchor
    remembers.
    """
    last = anchor.read()
    if last is not None and last.seq >= head.seq:
        return
    if last is not None:
        _expect(ledger, anchor, last)
    anchor.write(head)


def stand(ledger: Ledger, anchor: Anchor) -> Standing:
    """Check the ledger's chain and that it holds what the anchor remembers.

    Raises Corrupted naming the entry, Unreachable.
    """
    count, last = ledger.verify(), anchor.read()
    if last is not None:
        _expect(ledger, anchor, last)
    return Standing(count=count, anchored=last.seq if last is not None else None)


def _expect(ledger: Ledger, anchor: Anchor, last: Head) -> None:
    """Raise Corrupted unless the ledger holds the entry that the anchor remembers."""
    if last.seq == 0:
        return
    entry = ledger.at(last.seq)
    if entry is not None and entry.hash == last.hash:
        return
    what = (
        f"has no entry {last.seq}: its end was cut off, or it is an older or another system's"
        " ledger"
        if entry is None
        else f"has another entry {last.seq}: it was rewritten, or it is another system's ledger"
    )
    raise Corrupted(
        f"The ledger {what}. {anchor.name} remembers entry {last.seq}.",
        remedy=(
            "restore the ledger from a backup; after a restore that you trust, `perennial verify"
            " --set-anchor`."
        ),
    )


class FileAnchor:
    """The head in a file, best on another disk or machine than the ledger.

    One entry in the store's form, replaced as a whole.
    """

    def __init__(self, path: Path) -> None:
        """Use this file; its folder is made when first needed."""
        self.path = path
        self.name = f"the anchor {path}"

    def read(self) -> Head | None:
        """Return what the file holds."""
        try:
            raw = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unreachable(
                f"{self.name} cannot be read: {error}.",
                remedy="check that its disk is there, then run again.",
            ) from error
        return _head(self.name, unseal(str(self.path), raw))

    def write(self, head: Head) -> None:
        """Replace the file, flushed."""
        try:
            make_folder(self.path.parent)
            handle, name = tempfile.mkstemp(
                prefix=f".{self.path.name}.", suffix=".tmp", dir=self.path.parent
            )
            draft = Path(name)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(seal(canonical(_body(head))))
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(self.path)
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            kind = StorageFull if is_full(error) else Unreachable
            raise kind(
                f"{self.name} cannot be written: {error}.",
                remedy="check that its disk is there and has room.",
            ) from error


class HttpAnchor:
    """The head with a server.

    GET gives `{"head": <hash>, "count": <number>}` (404 before the first), PUT replaces it.
    """

    def __init__(self, url: str) -> None:
        """Use this URL; nothing is asked yet."""
        self._url = url
        self.name = f"the anchor {without_password(url)}"

    def read(self) -> Head | None:
        """Ask the server."""
        answer, content = self._request("GET")
        return None if answer in {204, 404} else _head(self.name, content)

    def write(self, head: Head) -> None:
        """Tell the server."""
        self._request("PUT", json=_body(head))

    def _request(self, method: str, **body: Any) -> tuple[int, bytes]:
        import httpx

        remedy = "check that it runs; the next decision, or `perennial verify`, looks again."
        try:
            with httpx.stream(method, self._url, timeout=TIMEOUT_SECONDS, **body) as answer:
                content = b""
                for part in answer.iter_bytes():
                    content += part
                    if len(content) > LARGEST:
                        raise Corrupted(
                            f"{self.name} answers with more than {LARGEST} bytes: it is no anchor."
                        )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(
                f"{self.name} does not answer: {type(error).__name__}.", remedy=remedy
            ) from error
        is_missing = method == "GET" and answer.status_code == 404  # noqa: PLR2004 -- «not found»
        if not answer.is_success and not is_missing:
            raise Unreachable(
                f"{self.name} answers {answer.status_code} to {method}.", remedy=remedy
            )
        return answer.status_code, content


class Notes(Protocol):
    """Whoever keeps short texts by name: `registry.mlflow.MlflowRegistry` does."""

    def note(self, name: str, text: str) -> None:
        """Keep a text."""
        ...

    def read_note(self, name: str) -> str | None:
        """Return a text, or None."""
        ...


class MlflowAnchor:
    """The head as a tag of an experiment of its own in MLflow."""

    def __init__(self, notes: Notes, where: str) -> None:
        """Use this MLflow; nothing is opened yet."""
        self._notes = notes
        self.name = f"the anchor in {where}"

    def read(self) -> Head | None:
        """Return what the tag holds."""
        text = self._notes.read_note(NOTE)
        return None if text is None else _head(self.name, text.encode())

    def write(self, head: Head) -> None:
        """Set the tag."""
        self._notes.note(NOTE, canonical(_body(head)).decode())


def _body(head: Head) -> dict[str, Any]:
    return {"head": head.hash, "count": head.seq}


def _head(name: str, data: bytes) -> Head:
    try:
        body = json.loads(data)
        return Head.model_validate({"seq": body["count"], "hash": body["head"]}, strict=True)
    except (ValidationError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise Corrupted(
            f"{name} holds no head of a ledger.",
            remedy="`perennial verify --set-anchor`, if you trust the ledger.",
        ) from error


class AnchoredLedger:
    """A ledger whose head an anchor remembers after each decision.

    What the anchor raises is logged and stops nothing.
    """

    def __init__(self, ledger: Ledger, anchor: Anchor) -> None:
        """Write into this ledger, then to this anchor."""
        self._ledger = ledger
        self._anchor = anchor
        self._has_warned = False

    def append(self, model: str, key: str, decision: Decision) -> Entry:
        """Add a decision once."""
        return self._remember(self._ledger.append(model, key, decision))

    def append_many(self, model: str, decisions: Sequence[tuple[str, Decision]]) -> list[Entry]:
        """Add decisions, all of them or none; the anchor remembers the last one."""
        entries = self._ledger.append_many(model, decisions)
        if entries:
            self._remember(max(entries, key=lambda entry: entry.seq))
        return entries

    def crown(self, model: str, *, expected: str | None, champion: Crown, key: str) -> Entry:
        """Make a version the champion if `expected` still is."""
        return self._remember(
            self._ledger.crown(model, expected=expected, champion=champion, key=key)
        )

    def find(self, model: str, kind: Kind, key: str) -> Entry | None:
        """Return the decision with this key, or None."""
        return self._ledger.find(model, kind, key)

    def at(self, seq: int) -> Entry | None:
        """Return the entry with this number, or None."""
        return self._ledger.at(seq)

    def entries(
        self, model: str | None = None, kind: Kind | None = None, limit: int | None = None
    ) -> list[Entry]:
        """Return entries oldest first; with `limit`, the newest of them."""
        return self._ledger.entries(model, kind, limit)

    def newest(self, models: Sequence[str], kinds: Sequence[Kind]) -> list[Entry]:
        """Return the newest entry of each of these models and kinds, oldest first."""
        return self._ledger.newest(models, kinds)

    def since(self, models: Sequence[str], kinds: Sequence[Kind], moment: datetime) -> list[Entry]:
        """Return the entries of these models and kinds from a moment on, oldest first."""
        return self._ledger.since(models, kinds, moment)

    def walk(self, model: str | None = None) -> Iterator[Entry]:
        """Yield entries oldest first."""
        return self._ledger.walk(model)

    def champion(self, model: str) -> Champion | None:
        """Return who serves now."""
        return self._ledger.champion(model)

    def turn(self, what: str) -> AbstractContextManager[bool]:
        """Have the turn `what`, or not."""
        return self._ledger.turn(what)

    def verify(self, after: Head | None = None, note: Note | None = None) -> int:
        """Check the chain and the anchor, as far as that answers, and return the chain's length.

        With `after` what follows that entry.
        """
        count = self._ledger.verify(after, note)
        try:
            last = self._anchor.read()
            if last is not None:
                _expect(self._ledger, self._anchor, last)
        except (Unreachable, StorageFull) as away:
            self._warn(away)
        return count

    def _remember(self, entry: Entry) -> Entry:
        try:
            advance(self._ledger, self._anchor, Head(seq=entry.seq, hash=entry.hash))
        except PerennialError as error:
            self._warn(error)
        return entry

    def _warn(self, error: PerennialError) -> None:
        if not self._has_warned:
            _log.warning(
                "the decision stands, but the ledger's anchor does not follow (`perennial doctor`"
                " says how far): %s",
                error,
            )
        self._has_warned = True
