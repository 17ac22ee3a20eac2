"""The keys that are trusted: a folder with one file for each public key, which the server reads.

Stored format, version 1: `<id>.json`, a `TrustedKey`. A retired key stays there, so that a refusal
can say what became of it, and nobody trusts it again by accident.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import re
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, ValidationError

from pipelines.errors import BadData, RequestError
from pipelines.intervals import Moment, iso
from pipelines.private_files import make_folder
from pipelines.refs import Value, canonical, sha256
from pipelines.signing.keys import KEY_BYTES, SHOWN

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.signing.keys import SigningKey

_ID = re.compile(r"[0-9a-f]{64}")
_SOME_DIGITS = re.compile(r"[0-9a-f]{8,64}")

State = Literal["trusted", "expired", "retired"]


def _public(text: str) -> str:
    try:
        size = len(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if size != KEY_BYTES:
        msg = f"is no public key of {KEY_BYTES} bytes in base64"
        raise ValueError(msg)
    return text


class TrustedKey(Value):
    """A public key, and until when signatures by it count."""

    format: Literal[1] = 1
    algorithm: Literal["ed25519"] = "ed25519"
    public: Annotated[str, AfterValidator(_public)]
    """Its 32 bytes in base64."""
    made_at: Moment
    """When it was first trusted here."""
    not_after: Moment | None = None
    """From this moment on its signatures count no more; None: they always do."""
    retired_at: Moment | None = None
    """When somebody retired it; None: it counts."""

    @property
    def public_bytes(self) -> bytes:
        """The key's 32 bytes."""
        return base64.b64decode(self.public)

    @property
    def id(self) -> str:
        """The SHA-256 of the key's bytes, in hex."""
        return sha256(self.public_bytes)

    def state(self, now: datetime) -> State:
        """Return whether its signatures count now."""
        if self.retired_at is not None:
            return "retired"
        return "expired" if self.expires_within(timedelta(0), now) else "trusted"

    def expires_within(self, time: timedelta, now: datetime) -> bool:
        """Tell whether it is expired, or will be within this time."""
        return self.not_after is not None and now + time >= self.not_after

    def why_not(self, now: datetime) -> str:
        """Return in words why its signatures do not count, "" where they do."""
        state = self.state(now)
        if state == "trusted":
            return ""
        since = self.retired_at if state == "retired" else self.not_after
        verb = "was retired" if state == "retired" else "expired"
        return f"the key {self.id[:SHOWN]} {verb} at {iso(since) if since else '?'}"


class Trust:
    """The folder of the trusted keys."""

    def __init__(self, folder: Path) -> None:
        """Remember where it is."""
        self.folder = folder

    def ids(self) -> list[str]:
        """Return the ids of all keys that have a file, sorted; none where there is no folder.

        Raises BadData where the folder cannot be read.
        """
        try:
            stems = [path.stem for path in self.folder.iterdir() if path.suffix == ".json"]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unreadable(self.folder, error) from error
        return sorted(stem for stem in stems if _ID.fullmatch(stem))

    def list_keys(self) -> list[TrustedKey]:
        """Return all keys, the oldest first. Raises BadData naming the file that holds none."""
        found = [key for id_ in self.ids() if (key := self.find(id_)) is not None]
        return sorted(found, key=lambda key: (key.made_at, key.id))

    def find(self, id_: str) -> TrustedKey | None:
        """Return the key of this id, or None.

        Raises BadData where its file holds another thing or cannot be read.
        """
        path = self._path(id_)
        try:
            key = TrustedKey.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(path, error) from error
        except ValidationError as error:
            raise BadData(
                f"{path} holds no public key: {error.error_count()} fields are wrong.",
                remedy="restore the file from a backup, or remove it: the key is unknown then.",
            ) from error
        if key.id != id_:
            raise BadData(
                f"{path} holds the key {key.id[:SHOWN]}, which is not the one of its name.",
                remedy="restore the file from a backup, or remove it.",
            )
        return key

    def choose(self, digits: str) -> TrustedKey:
        """Return the one key whose id begins with these digits, of which there are 8 or more.

        Raises RequestError where there is none, or several.
        """
        matches = [id_ for id_ in self.ids() if id_.startswith(digits)]
        key = self.find(matches[0]) if len(matches) == 1 else None
        if key is None or not _SOME_DIGITS.fullmatch(digits):
            raise RequestError(
                f"{digits[:SHOWN]!r} names {len(matches) or 'none'} of the {len(self.ids())} keys.",
                remedy=f"give the id's first {SHOWN} digits; `perennial keys list` shows them.",
            )
        return key

    def add(self, key: SigningKey, now: datetime, not_after: datetime | None = None) -> TrustedKey:
        """Trust the public half of a key from now on; one that is known stays as it is."""
        known = self.find(key.id)
        if known is not None:
            return known
        trusted = TrustedKey(
            public=base64.b64encode(key.public).decode(),
            made_at=now,
            not_after=not_after,
        )
        self._write(trusted)
        return trusted

    def retire(self, key: TrustedKey, now: datetime) -> TrustedKey:
        """Let no signature of this key count any more; one that is retired stays as it is."""
        if key.retired_at is None:
            key = key.model_copy(update={"retired_at": now})
            self._write(key)
        return key

    def _path(self, id_: str) -> Path:
        return self.folder / f"{id_}.json"

    def _write(self, key: TrustedKey) -> None:
        """Put the file in place in one move, readable by its owner alone."""
        make_folder(self.folder)
        handle, name = tempfile.mkstemp(dir=self.folder, prefix=".", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(canonical(key))
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._path(key.id))
        finally:
            with contextlib.suppress(FileNotFoundError):
                Path(name).unlink()


def _unreadable(path: Path, error: OSError) -> BadData:
    return BadData(
        f"The trusted keys in {path} cannot be read: {error.strerror}.",
        remedy="let the server's user read them, and nobody else write to them.",
    )
