"""A stored model of own code that answers in a process of its own.

A model that hangs, dies or takes too much memory ends that process and nothing else; the next
question starts another one.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import TYPE_CHECKING

import numpy as np

from pipelines import errors
from pipelines.bundle.model_process import NUMBERS
from pipelines.bundle.predictor import Predictor
from pipelines.errors import BadData, ModelFailed, PerennialError
from pipelines.fence.frames import Torn
from pipelines.fence.guard import bare_environment
from pipelines.fence.process import Child
from pipelines.fence.program import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    import pyarrow as pa

    from pipelines.bundle.predictor import Answers
    from pipelines.bundle.rows import Feed
    from pipelines.bundle.schema import InputSchema
    from pipelines.fence.own_code import OwnCode

OPEN_SECONDS = 120.0
"""How long a process may take to start and to load its model."""


class ProcessPredictor(Predictor):
    """Asks a child process, one question at a time; calls are safe among threads."""

    def __init__(
        self,
        schema: InputSchema,
        model: bytes,
        code: OwnCode,
        *,
        memory: int,
        seconds: float,
        paths: Sequence[str] = (),
    ) -> None:
        """Start the process and load the model.

        `memory`: bytes that it may take; `seconds`: how long one answer may take; `paths`: folders
        of the packages that the model requires. Raises Refused, BadData, SpecError or ModelFailed.
        """
        self.schema = schema
        self.restarts = 0
        self._model, self._code, self.seconds = model, code, seconds
        self._limits = Limits(memory=memory, paths=tuple(paths))
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._end: weakref.finalize[Any, Any] | None = None
        self._open()

    @property
    def pid(self) -> int | None:
        """The process that answers now."""
        return self._child.pid if self._child is not None and self._child.fit else None

    def predict_feed(self, feed: Feed) -> Answers:
        """Answer a whole feed.

        Raises ModelFailed where the process hangs, dies or answers nonsense, ValueError where the
        model refuses the numbers, and what its code raises as SpecError.
        """
        from pipelines.bundle.feed_tables import array_of_table, table_of_feed

        rows = len(next(iter(feed.values())))
        with self._lock:
            if self._child is None or not self._child.fit:
                self.restarts += 1
                self._open()
            header, tables = self._ask({"what": "predict"}, {"feed": table_of_feed(feed)})
        if header.get("error") == NUMBERS:
            raise ValueError(str(header["message"]))
        self._raise(header)
        answers = np.asarray(array_of_table(tables["answers"]), dtype=np.float64)
        if len(answers) != rows:
            raise ModelFailed(f"{self._code.model}: {rows} rows got {len(answers)} answers.")
        return answers

    def close(self) -> None:
        """End the process."""
        if self._end is not None:
            self._end()

    def _open(self) -> None:
        from pipelines.bundle.feed_tables import table_of_bytes

        self.close()
        limits = self._limits.model_dump_json()
        self._child = Child(
            "pipelines.bundle.model_process",
            (str(os.getpid()), limits),
            folder="/",
            environment=bare_environment(),
            network=False,
        )
        self._end = weakref.finalize(self, _end_child, self._child)
        request = {
            "what": "open",
            "code": self._code.model_dump(mode="json"),
            "schema": self.schema.model_dump(mode="json"),
        }
        began = time.monotonic()
        header, _ = self._ask(request, {"model": table_of_bytes(self._model)}, OPEN_SECONDS)
        if header.get("error"):
            self.close()
        self._raise(header, f" ({time.monotonic() - began:.0f} s after its start)")

    def _ask(
        self,
        request: Mapping[str, Any],
        tables: Mapping[str, pa.Table],
        seconds: float | None = None,
    ) -> tuple[dict[str, Any], dict[str, pa.Table]]:
        child = self._child
        assert child is not None  # noqa: S101 -- whoever asks has opened it
        limit = self.seconds if seconds is None else seconds
        try:
            return child.ask(request, tables, limit)
        except TimeoutError as error:
            raise ModelFailed(
                f"{self._code.model}: its own code did not answer within {limit:g} s and was"
                f" ended.{child.last_words()}"
            ) from error
        except Torn as error:
            raise ModelFailed(
                f"{self._code.model}: the process of its own code {child.end_in_words()} before"
                f" there was an answer.{child.last_words()}"
            ) from error

    def _raise(self, header: Mapping[str, Any], when: str = "") -> None:
        """Raise the error that an answer names, if it names one."""
        kind = str(header.get("error", ""))
        if not kind:
            return
        error_class = getattr(errors, kind, BadData)
        if not issubclass(error_class, PerennialError):
            error_class = BadData
        subject = f"{self._code.model}: " if error_class is not BadData else ""
        raise error_class(f"{subject}{header['message']}{when}", remedy=str(header["remedy"]))


def _end_child(child: Child) -> None:
    if not child.has_ended and child.owner == os.getpid():
        # a fork of this process must not end what is not its own
        child.end()
