"""The child: loads a file of a model's folder and calls a function of it.

It answers with the function's tables, or with an error.

Its arguments are REQUESTS ANSWERS [MEMORY] (two file descriptors, bytes). What the user's code
prints goes to stderr, wherever it prints it; whatever it raises is an answer. A file is loaded once
for as long as it stays as it is. With so many bytes of MEMORY the code may take no more of it, and
reach no network.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.building.files import build_file
from pipelines.building.question import BuildQuestion
from pipelines.building.rows import run_build
from pipelines.collector import paused_collection
from pipelines.errors import BadData, PerennialError, SpecError, Unreachable
from pipelines.fence.answering import answer_requests, keep_from_children
from pipelines.fence.frames import PROBLEM
from pipelines.fence.guard import NetworkForbidden, limit_memory, refuse_network
from pipelines.refs import sha256
from pipelines.tables import problem_of, storable_tables, user_function
from pipelines.user_code.metric_call import call_function

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

LONGEST_WORDS = 2_000


class Functions:
    """The functions of the user's files, loaded once for each content."""

    def __init__(self) -> None:
        """Know none yet."""
        self._loaded: dict[tuple[str, str, str], Any] = {}

    def find(self, request: Mapping[str, Any]) -> Any:
        """Return the function that a request names. Raises SpecError where it is not there."""
        path = Path(request["path"])
        content = sha256(path.read_bytes()) if path.is_file() else ""
        name = (request["path"], content, request["function"])
        if name not in self._loaded:
            with paused_collection():  # it loads the engine
                self._loaded[name] = user_function(path, request["function"], request["purpose"])
        return self._loaded[name]


def main(arguments: list[str]) -> None:
    """Answer requests until there are no more."""
    requests, answers, *limits = map(int, arguments)
    keep_from_children(requests, answers)
    if limits:
        refuse_network()
        limit_memory(limits[0])
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    functions = Functions()
    answer_requests(requests, answers, lambda request, tables: _answer(functions, request, tables))


def _answer(
    functions: Functions, request: Mapping[str, Any], tables: dict[str, pa.Table]
) -> tuple[dict[str, Any], dict[str, pa.Table]]:
    subject = request["subject"]
    try:
        _be_as(request)
        function = functions.find(request)
        return _run(function, request, tables)
    except PerennialError as error:
        return (
            _error(
                type(error).__name__,
                error.message + _line(error.__cause__, request["path"]),
                _remedy(error.__cause__, error.remedy),
            )
            | {"at": list(error.at)},
            {},
        )
    except SystemExit as error:
        message = f"{subject} ended Python by sys.exit({error.code!r})."
        return (
            _error(
                SpecError.__name__,
                message + _line(error, request["path"]),
                "return, or raise an error.",
            ),
            {},
        )
    # Whatever the user's code raises is an answer, or its process would end in silence.
    except BaseException as error:  # noqa: BLE001
        return (
            _error(
                SpecError.__name__,
                f"{subject}: {_words(error)}." + _line(error, request["path"]),
                _remedy(error, "mend the function."),
            ),
            {},
        )


def _run(
    function: Any, request: Mapping[str, Any], tables: dict[str, pa.Table]
) -> tuple[dict[str, Any], dict[str, pa.Table]]:
    """Run what is asked for: nothing where the function shall only be loaded."""
    subject = request["subject"]
    if request["what"] == "build":
        return {}, {"built": run_build(function, tables, subject, request["derived"])}
    if request["what"] == "build_file":
        question = BuildQuestion.model_validate_json(request["question"])
        return {"built": build_file(function, question, subject).model_dump()}, {}
    if request["what"] == "build_for_spark":
        from pipelines.building.spark_judgement import judge_for_spark

        return {"notes": judge_for_spark(function, tables, subject, request["path"])}, {}
    if request["what"] == "read":
        return _read(function, request)
    if request["what"] == "metric":
        return {}, call_function(function, tables, subject)
    return {}, {}


def _be_as(request: Mapping[str, Any]) -> None:
    """Look for modules and settings where the parent does at this call."""
    sys.path[:] = request["sys_path"]
    if dict(os.environ) != request["environ"]:
        os.environ.clear()
        os.environ.update(request["environ"])


def _read(function: Any, request: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, pa.Table]]:
    """Call a source's function.

    What pandas or Arrow cannot parse is a problem of the batch; OSError means unreachable.
    """
    import pandas as pd
    from pyarrow import ArrowInvalid

    subject, names = request["subject"], request["expected"]
    try:
        tables = function(*map(datetime.fromisoformat, request["ends"]))
        by_name = tables if isinstance(tables, dict) else {names[0]: tables}
        if set(by_name) != set(names):
            raise SpecError(
                f"{subject} returned the tables {sorted(map(str, by_name))}, the spec names"
                f" {sorted(names)}.",
                remedy="name them in `source.main` and `source.side`.",
            )
        odd = next(
            (name for name, table in by_name.items() if not hasattr(table, "__arrow_c_stream__")),
            None,
        )
        if odd is not None:
            kind = type(by_name[odd]).__name__
            raise SpecError(
                f"{subject}: the table {odd!r} is a {kind}.",
                remedy="return a pandas frame or an Arrow table.",
            )
        return {}, storable_tables(by_name, subject, request["most"])
    except BadData as error:
        return {PROBLEM: problem_of(error)}, {}
    except (
        pd.errors.ParserError,
        pd.errors.EmptyDataError,
        ArrowInvalid,
        UnicodeDecodeError,
    ) as error:
        return {PROBLEM: f"{subject}: {_words(error)}"}, {}
    except OSError as error:
        raise Unreachable(
            f"{subject}: {_words(error)}.", remedy="check what the function reads from."
        ) from error


def _error(kind: str, message: str, remedy: str) -> dict[str, Any]:
    return {"error": kind, "message": message[:LONGEST_WORDS], "remedy": remedy[:LONGEST_WORDS]}


def _words(error: BaseException) -> str:
    """Return an error's type and text; its text may be code of the user, too."""
    try:
        text = str(error)
    # An error whose text cannot be made is shown without it.
    except Exception as broken:  # noqa: BLE001
        text = f"(its text cannot be shown: {type(broken).__name__})"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _remedy(error: BaseException | None, otherwise: str) -> str:
    """Return what helps against an error of the user's code."""
    if isinstance(error, NetworkForbidden):
        return "read it in source.py, and build an input of it in features.py."
    if isinstance(error, MemoryError):
        return (
            "let it take less memory, or give it more: `resources.memory` in model.yaml, of which"
            " it may use half, or a machine with more memory free."
        )
    if not isinstance(error, ModuleNotFoundError):
        return otherwise
    return (
        "name the package that has it, with a version, under `requires` in model.yaml"
        " (docs/add-a-model.md); or mend the import."
    )


def _line(error: BaseException | None, path: str) -> str:
    """Return where in the user's file an error came from, or nothing."""
    lines = (
        [
            frame.lineno
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename == path
        ]
        if error
        else []
    )
    return f" See line {lines[-1]} of {Path(path).name}." if lines else ""
