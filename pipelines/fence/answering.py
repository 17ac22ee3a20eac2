"""What every child does: it answers the frames of its parent, one after the other."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any

from pipelines.fence.frames import LAST, Torn, receive, send

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa

    Answer = Callable[
        [Mapping[str, Any], dict[str, pa.Table]], tuple[dict[str, Any], dict[str, pa.Table]]
    ]


def keep_from_children(*descriptors: int) -> None:
    """Let no process that the code starts have these file descriptors."""
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)  # noqa: FBT003 -- the library's signature


def answer_requests(requests: int, answers: int, answer: Answer) -> None:
    """Answer the frames of one file descriptor through the other until there are no more.

    `answer` takes a request with its tables, and returns a header with tables.
    """
    process = os.getpid()
    with os.fdopen(requests, "rb") as request_pipe, os.fdopen(answers, "wb") as answer_pipe:
        while True:
            try:
                request, tables = receive(request_pipe)
            except Torn:
                return
            header, values = answer(request, tables)
            if os.getpid() != process:
                # the code has forked, and this is not the process that was asked
                os._exit(0)
            with contextlib.suppress(OSError, ValueError):
                # a stream that the code has closed
                sys.stdout.flush()
            # the next call's code shall find them open
            last = sys.stdout.closed or sys.stderr.closed
            send(answer_pipe, {**header, "call": request["call"], LAST: last}, values)
            if last:
                return
