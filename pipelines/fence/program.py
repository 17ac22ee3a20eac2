"""The side of the fence where a model's own code runs: answers questions until there are no more.

What the code prints goes to stderr, wherever it prints it. Whatever it raises is an answer that
names the line; so is an attempt to end the process or to reach the network.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
from typing import TYPE_CHECKING, Any, Protocol

from pipelines.die_with_parent import die_with_parent
from pipelines.errors import PerennialError, SpecError
from pipelines.fence.answering import answer_requests, keep_from_children
from pipelines.fence.guard import NetworkForbidden, limit_memory, refuse_network
from pipelines.refs import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from pipelines.fence.own_code import OwnCode

    Reply = tuple[dict[str, Any], dict[str, pa.Table]]

LONGEST_WORDS = 2_000


class Limits(Value):
    """What the process may take, and where it looks for modules besides."""

    memory: int
    """Bytes."""
    paths: tuple[str, ...] = ()
    """Folders of packages that the model requires, behind all others on `sys.path`."""


class Program(Protocol):
    """What is asked."""

    code: OwnCode | None

    def answer(self, request: Mapping[str, Any], tables: dict[str, pa.Table]) -> Reply:
        """Answer one question. May raise anything."""
        ...


def run(program: Program, arguments: list[str]) -> None:
    """Set the limits, then answer requests until there are no more.

    Arguments: the file descriptors of requests and answers, the parent's process id, the limits.
    """
    requests, answers, parent, text = int(arguments[0]), int(arguments[1]), *arguments[2:]
    limits = Limits.model_validate_json(text)
    keep_from_children(requests, answers)
    refuse_network()
    limit_memory(limits.memory)
    die_with_parent(signal.SIGKILL, int(parent))
    sys.path.extend(path for path in limits.paths if path not in sys.path)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    answer_requests(
        requests, answers, lambda request, tables: _answer(program, request, tables, limits)
    )


def _answer(
    program: Program, request: Mapping[str, Any], tables: dict[str, pa.Table], limits: Limits
) -> Reply:
    try:
        return program.answer(request, tables)
    except PerennialError as error:
        words = error.message + _line(program, error.__cause__)
        return _error(type(error).__name__, words, error.remedy, list(error.at)), {}
    # Whatever the code raises is an answer, or its process would end in silence.
    except BaseException as error:  # noqa: BLE001
        words, remedy = _of_error(error, limits)
        message = words + _line(program, error)
        return _error(SpecError.__name__, message, remedy, []), {}


def _of_error(error: BaseException, limits: Limits) -> tuple[str, str]:
    """Return what went wrong in the code, and the remedy, in words."""
    if isinstance(error, SystemExit):
        return f"the code ended Python by sys.exit({error.code!r}).", "return, or raise an error."
    if isinstance(error, MemoryError):
        return f"it needs more than the {limits.memory / 2**30:.1f} GiB that it may use.", (
            "let it take less, or give it more: `resources.memory` in model.yaml, of which it may"
            " use half, or a machine with more memory free."
        )
    if isinstance(error, ModuleNotFoundError):
        return f"ModuleNotFoundError: {error}.", (
            "name its package in `requires`, or put the file beside model.py."
        )
    if isinstance(error, NetworkForbidden):
        return f"{error}.", "read it in source.py."
    return f"{_words(error)}.", "mend the code."


def _error(kind: str, message: str, remedy: str, at: list[Any]) -> dict[str, Any]:
    return {
        "error": kind,
        "message": message[:LONGEST_WORDS],
        "remedy": remedy[:LONGEST_WORDS],
        "at": json.loads(json.dumps(at, default=str)),
    }


def _line(program: Program, error: BaseException | None) -> str:
    return program.code.line_of(error) if program.code else ""


def _words(error: BaseException) -> str:
    """Return an error's type and text; its text may be code of the user, too."""
    try:
        text = str(error)
    # An error whose text cannot be made is shown without it.
    except Exception as broken:  # noqa: BLE001
        text = f"(its text cannot be shown: {type(broken).__name__})"
    return f"{type(error).__name__}: {text}".rstrip(".") if text else type(error).__name__
