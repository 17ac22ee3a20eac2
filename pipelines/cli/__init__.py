"""The command `perennial`, which is also `python -m pipelines`."""

from __future__ import annotations

import os
import select
import sys
from typing import NoReturn

from pipelines.collector import end_process, load_for_good
from pipelines.private_files import keep_private
from pipelines.settings import quiet

WRONG_USAGE = 64
INTERRUPTED = 130
READER_GONE = 141
"""As shells say it of a program whose output nobody reads any more, such as before `head`."""


def program() -> NoReturn:
    """Run the command line of this process, and end it with `main`'s exit code."""
    end_process(_run(None))


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line: these arguments, or those of the process.

    Exit with 0, 65 (a retry cannot help), 75 (try again), 64 (wrong usage) or 70 (a crash).
    """
    sys.exit(_run(arguments))


def _run(arguments: list[str] | None) -> int:
    quiet()
    keep_private()
    try:
        app = load_for_good("pipelines.cli.app").app
        code = app(arguments, standalone_mode=False)
    # The one place where every error becomes an exit code.
    except BaseException as error:  # noqa: BLE001
        return _exit_code(error)
    return code if isinstance(code, int) else 0


def _exit_code(error: BaseException) -> int:
    import typer

    from pipelines.cli.running import CRASH, report

    if _lost_its_reader(error):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for what is still to be written at the end
        return READER_GONE
    if isinstance(
        error, SystemExit
    ):  # ours are `typer.Exit`: this one is of code that we called, and nothing may end green by it
        sys.stderr.write(
            f"ERROR something called sys.exit({error.code!r}) before there was a result\n"
        )
        return CRASH
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return INTERRUPTED
    show = getattr(
        error, "show", None
    )  # the command line library's own errors know how to show themselves
    if callable(show):
        show()
        return WRONG_USAGE
    return report(error)


def _lost_its_reader(error: BaseException) -> bool:
    """Tell whether nobody reads what is printed any more.

    The library that prints tables makes SystemExit of that, and puts another output in its place.
    """
    if isinstance(error, SystemExit):
        return isinstance(error.__context__, BrokenPipeError)
    if not isinstance(error, BrokenPipeError):
        return False
    poll = select.poll()
    poll.register(1, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))
