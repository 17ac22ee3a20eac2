"""The `http` source: one download with a known SHA-256, kept in a cache under that hash."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from pipelines.errors import BadData, SpecError, StorageFull, Unreachable
from pipelines.full_disk import is_full
from pipelines.private_files import make_folder
from pipelines.refs import sha256
from pipelines.sources.archives import member_of, name_within, too_large, unpack
from pipelines.sources.event_times import pick_rows, require_times, with_times
from pipelines.sources.formats import format_of
from pipelines.sources.memory_limit import most_bytes
from pipelines.sources.parsing import parse, reading_of
from pipelines.sources.port import Raw
from pipelines.sources.urls import display_url, without_secrets
from pipelines.tables import problem_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from pipelines.intervals import Interval
    from pipelines.spec.schema import Column
    from pipelines.spec.sources import HttpSource


class Http:
    """Reads one download; with a cached copy no network is needed."""

    def __init__(
        self,
        source: HttpSource,
        event_time: str | None,
        cache: Path,
        *,
        attempts: int = 4,
        most: int | None = None,
        schema: Mapping[str, Column] | None = None,
    ) -> None:
        """Remember where to read, the bytes that it may have, and the schema.

        Nothing is asked for yet.
        """
        self._source = source
        self._event_time = event_time
        self._cache = cache
        self._attempts = attempts
        self._most = most or most_bytes()
        self._reading = reading_of(source, schema, self._most)
        self._whole = lru_cache(maxsize=1)(self._parse)

    def read(self, interval: Interval) -> Raw:
        """Return the interval's rows of the download."""
        try:
            table = self._whole()
        except BadData as error:
            return Raw(problem=problem_of(error))
        return Raw({self._source.main: pick_rows(table, self._event_time, interval)})

    def _parse(self) -> pa.Table:
        name = self._source.member or display_url(self._source.url).rsplit("/", 1)[-1]
        content = self._content()
        kind = format_of(name_within(content, name), self._source.format)
        data = content if self._source.member else unpack(content, name, self._most)
        table = parse(data, kind, name, self._reading)
        table = with_times(table, self._event_time, name, self._source.timezone)
        require_times(table, self._event_time, name)
        return table

    def _content(self) -> bytes:
        source = self._source
        if source.member and source.member_sha256:
            copy = self._read_cache(source.member_sha256)
            if copy is not None:
                return copy
        download = self._read_cache(source.sha256)
        if download is None:
            download = self._download()
            self._keep(download)
        if not source.member:
            return download
        member = member_of(download, source.member, display_url(source.url), self._most)
        if source.member_sha256 and sha256(member) != source.member_sha256:
            raise BadData(
                f"Member {source.member!r} has SHA-256 {sha256(member)}, not {source.member_sha256}"
                " as the spec says."
            )
        return member

    def _read_cache(self, digest: str) -> bytes | None:
        path = self._cache / digest
        if not path.is_file():
            return None
        data = path.read_bytes()
        return data if sha256(data) == digest else None

    def _keep(self, data: bytes) -> None:
        temporary: Path | None = None
        try:
            make_folder(self._cache)
            with tempfile.NamedTemporaryFile(dir=self._cache, delete=False) as file:
                temporary = Path(file.name)
                file.write(data)
            temporary.replace(self._cache / sha256(data))
        except OSError as error:
            if not is_full(error):
                raise
            raise StorageFull(
                f"No space is left in the cache {self._cache}.",
                remedy="free space there, then run again.",
            ) from error
        finally:
            if temporary is not None:
                temporary.unlink(missing_ok=True)

    def _download(self) -> bytes:
        subject = display_url(self._source.url)
        for attempt in Retrying(
            stop=stop_after_attempt(self._attempts),
            wait=wait_exponential_jitter(multiplier=0.2, max=5),
            retry=retry_if_exception_type(Unreachable),
            reraise=True,
        ):
            with attempt:
                data = fetch(self._source.url, subject, self._most)
        if sha256(data) != self._source.sha256:
            raise BadData(
                f"{subject} has SHA-256 {sha256(data)}, not {self._source.sha256} as the spec"
                " says.",
                remedy=(
                    "if the publisher changed the file and you trust it, write the new hash into"
                    " the spec."
                ),
            )
        return data


def fetch(url: str, subject: str, most: int) -> bytes:
    """Return what the URL answers. Raises Unreachable, BadData beyond `most` bytes."""
    # at INFO it logs every URL as it is, password and query with it
    logging.getLogger("httpx").setLevel(logging.WARNING)
    data = bytearray()
    try:
        with contextlib.ExitStack() as stack:
            client = stack.enter_context(httpx.Client(follow_redirects=True, timeout=30))
            answer = stack.enter_context(client.stream("GET", url))
            answer.raise_for_status()
            for chunk in answer.iter_bytes():
                data += chunk
                if len(data) > most:
                    raise too_large(subject, most)
    except httpx.InvalidURL:
        raise SpecError(
            "`source.url` is no readable URL.",
            remedy="mend it; special characters in a password are written as %XX.",
        ) from None
    except httpx.HTTPError as error:
        remedy = (
            "check the network; or put the file by hand into var/cache/http under its SHA-256 as"
            " its name."
        )
        if isinstance(error, httpx.HTTPStatusError):
            why = f"status {error.response.status_code}"
        else:
            why = f"{type(error).__name__}: {without_secrets(str(error), url)}"
        # Without the cause: its message may hold the URL with its password or its signature.
        raise Unreachable(f"{subject} cannot be read: {why}.", remedy=remedy) from None
    return bytes(data)
