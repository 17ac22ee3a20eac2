"""The parent's side: one child for each thread that has user code run, and one more for metrics.

A child that takes too long is ended, with all that it started.

A child serves many calls, since it costs a second to start and to import the engine. One that
ended, or that was ended, is replaced at the next call. Sources need the network and passwords;
metrics need neither, so their child has none, and a limit of memory.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from pipelines import errors
from pipelines.building.question import BuildAnswer
from pipelines.errors import PerennialError, SpecError, TryAgain, Unreachable
from pipelines.fence.frames import PROBLEM, Torn
from pipelines.fence.guard import bare_environment
from pipelines.fence.process import Child
from pipelines.intervals import SNAPSHOT
from pipelines.settings import SIGNING_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from pipelines.building.question import BuildQuestion
    from pipelines.intervals import Interval

TIMEOUT = "PERENNIAL_USER_CODE_TIMEOUT_SECONDS"


def call_build(
    path: Path,
    tables: Mapping[str, pa.Table],
    subject: str,
    timeout: float,
    derived: tuple[str, str] | None = None,
    paths: Sequence[str] = (),
) -> pa.Table:
    """Return what a model's `build` makes of the tables.

    `derived` is the name of a further column, and the judged SQL that computes it of the others.
    `paths` are the folders of the model's environment, behind all others on `sys.path`.

    Raises SpecError where the file or the function is missing, fails, ends its process, or takes
    longer than `timeout` seconds.
    """
    request = {
        "what": "build",
        "function": "build",
        "purpose": "`build(tables)` returns the feature table",
        "derived": derived,
    }
    return _call(path, request, subject, timeout, tables, paths=paths)[1]["built"]


def call_build_file(
    path: Path,
    question: BuildQuestion,
    subject: str,
    timeout: float,
    paths: Sequence[str] = (),
) -> BuildAnswer:
    """Have a model's `build` run from files to a file; return what there is to say of its rows.

    Raises as `call_build` does.
    """
    request = {
        "what": "build_file",
        "function": "build",
        "purpose": "`build(tables)` returns the feature table",
        "question": question.model_dump_json(),
    }
    header, _ = _call(path, request, subject, timeout, paths=paths)
    return BuildAnswer.model_validate(header["built"])


def call_judge_for_spark(
    path: Path,
    tables: Mapping[str, pa.Table],
    subject: str,
    timeout: float,
    paths: Sequence[str] = (),
) -> str:
    """Return in words what of a model's `build` may come out otherwise on Spark; "" where nothing.

    Neither Spark nor Java is needed. Raises SpecError naming what Spark cannot, and as `call_build`
    does.
    """
    request = {
        "what": "build_for_spark",
        "function": "build",
        "purpose": "`build(tables)` returns the feature table",
    }
    return str(_call(path, request, subject, timeout, tables, paths=paths)[0]["notes"])


def call_read(
    path: Path,
    function: str,
    interval: Interval,
    expected: list[str],
    timeout: float,
    *,
    most: int | None = None,
    paths: Sequence[str] = (),
) -> tuple[dict[str, pa.Table], str]:
    """Return the tables of a source's function, or in words why what it read is no data.

    It is called with the interval's ends, and without any for the snapshot.

    `expected` names the tables, the main one first; together they may have `most` bytes.

    Raises SpecError as `call_build` does, and Unreachable where it cannot reach its source or takes
    longer than `timeout`.
    """
    ends = [] if interval == SNAPSHOT else [interval.start.isoformat(), interval.end.isoformat()]
    request = {
        "what": "read",
        **_source(function),
        "ends": ends,
        "expected": expected,
        "most": most,
    }
    header, tables = _call(path, request, _show_path(path), timeout, paths=paths)
    return tables, str(header.get(PROBLEM, ""))


def call_metric(
    path: Path,
    function: str,
    tables: Mapping[str, pa.Table],
    timeout: float,
    *,
    memory: int,
    paths: Sequence[str] = (),
) -> pa.Table:
    """Return what each row counts by a metric of the model's own: a column for each prediction.

    The tables are those of `metric_call.call_function`. The function may take so many bytes of
    `memory`; a child that is there already keeps its own limit. Raises SpecError as `call_build`
    does, and where the function does not return one finite number per row, takes more memory, or
    reaches for the network.
    """
    request = {
        "what": "metric",
        "function": function,
        "purpose": f"`{function}(y, prediction, rows)` returns one number per row",
    }
    subject = _show_path(path)
    return _call(path, request, subject, timeout, tables, paths=paths, memory=memory)[1]["values"]


def load(path: Path, function: str, timeout: float, *, paths: Sequence[str] = ()) -> None:
    """Load a source's function, so that a broken file is known before anything is read.

    Raises SpecError.
    """
    _call(path, {"what": "load", **_source(function)}, _show_path(path), timeout, paths=paths)


def _source(function: str) -> dict[str, str]:
    return {
        "function": function,
        "purpose": f"`{function}(start, end)` returns the rows of an interval (`{function}()` all"
        " rows, where the data have no time)",
    }


def _show_path(path: Path) -> str:
    return f"{path.parent.parent.name}/{path.parent.name}/{path.name}"


def _environment() -> dict[str, str]:
    """Return what `features.py` and `source.py` see: all variables, for the passwords of sources
    are among them, but not the key that signs bundles.
    """
    return {name: text for name, text in os.environ.items() if name != SIGNING_KEY}


def _call(
    path: Path,
    request: dict[str, Any],
    subject: str,
    timeout: float,
    tables: Mapping[str, pa.Table] | None = None,
    *,
    paths: Sequence[str] = (),
    memory: int | None = None,
) -> tuple[dict[str, Any], dict[str, pa.Table]]:
    """Return the child's answer. Raises the error that it names, or says how it ended."""
    child = (_own if memory is None else _own_metrics).child(tuple(paths), memory)
    full_request = {
        **request,
        "path": str(path),
        "subject": subject,
        "sys_path": [*sys.path, *(entry for entry in paths if entry not in sys.path)],
        "environ": _environment() if memory is None else bare_environment(),
    }
    try:
        answer = child.ask(full_request, tables or {}, timeout)
    except TimeoutError as error:
        kind = Unreachable if request["what"] == "read" else SpecError
        raise kind(
            f"{subject}: {request['function']} took longer than {timeout:g} s and was"
            f" ended.{child.last_words()}",
            remedy=(
                f"mend it, or give it more time: {TIMEOUT}."
                if request["what"] == "metric"
                else "mend it, or give it more time: `timeout` in model.yaml (of `features` or"
                f" `source`), or {TIMEOUT}."
            ),
        ) from error
    except Torn as error:
        raise _error_of_end(subject, request["function"], child) from error
    header, results = answer
    if "error" in header:
        error_class = getattr(errors, str(header["error"]), SpecError)
        place = tuple(map(str, header.get("at", ())))
        raise error_class(str(header["message"]), remedy=str(header["remedy"]), at=place)
    return header, results


def _error_of_end(subject: str, function: str, child: Child) -> PerennialError:
    """Return the error for a child that ended without an answer."""
    how = child.end_in_words()
    if child.was_killed:
        return TryAgain(
            f"{subject}: the process of {function} {how}: out of memory, or ended by"
            f" hand.{child.last_words()}",
            remedy="give it more memory, or try again.",
        )
    return SpecError(
        f"{subject}: the process of {function} {how} before there was a"
        f" result.{child.last_words()}",
        remedy=(
            "the code must return its result, and neither end its process nor close what it did not"
            " open."
        ),
    )


class _Own(threading.local):
    """A child of the calling thread's."""

    def __init__(self) -> None:
        self._child: Child | None = None
        self._paths: tuple[str, ...] = ()

    def child(self, paths: tuple[str, ...], memory: int | None) -> Child:
        """Return a child that can be asked; with a limit of `memory` it has no network.

        It has seen no other environment: what it imported from one it would keep.
        """
        if self._child is not None and not (self._child.fit and self._paths == paths):
            _end(self._child)
            self._child = None
        if self._child is None:
            self._child, self._paths = _start(memory), paths
            _children.add(self._child)
        return self._child


def _start(memory: int | None) -> Child:
    if memory is None:
        return Child("pipelines.user_code.child", environment=_environment())
    return Child(
        "pipelines.user_code.child",
        (str(memory),),
        environment=bare_environment(),
        network=False,
    )


_children: set[Child] = set()
_own = _Own()
_own_metrics = _Own()


def _end(child: Child) -> None:
    _children.discard(child)
    if not child.has_ended and child.owner == os.getpid():
        # a fork of this process must not end what is not its own
        child.end()


@atexit.register
def end_children() -> None:
    """End the children of all threads, with what they hold: a driver of Spark holds workers."""
    for child in list(_children):
        _end(child)
