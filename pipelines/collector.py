"""Python's garbage collector, kept from looking again and again through what stays.

After each 700 new objects it looks through the young ones, and now and then through all there are.
While thousands of modules are loaded there is no garbage: such looks took a fifth of a step's work.
At a process's end it would look through all of them once more, and take them apart.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType


@atexit.register
def _show_all() -> None:
    """Let a process that ends look through all once more, where DuckDB is loaded: it would name
    what is left a leak, in many lines.
    """
    if "duckdb" in sys.modules:
        gc.unfreeze()


@contextmanager
def paused_collection(*, for_good: bool = False) -> Iterator[None]:
    """Look for no garbage while libraries are loaded, or what else stays is made.

    `for_good`: never look through it either, nor through what there was before. That is for a
    process's beginning: garbage that there is by then stays for as long as the process.

    Where nobody looks for garbage anyway, nothing is changed.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            if for_good:
                gc.freeze()
            gc.enable()


def load_for_good(name: str) -> ModuleType:
    """Return a module, loaded without looking for garbage; the first time, what was loaded is never
    looked through. That is for what a process begins with.
    """
    with paused_collection(for_good=name not in sys.modules):
        return importlib.import_module(name)


def end_process(code: int) -> NoReturn:
    """End this process without taking apart what it has loaded: that is a tenth of a step's work.

    As `multiprocessing` ends its own: when the other threads have ended, what was asked for the end
    is done, and the output is written. Where it cannot be written, Python ends the process, and
    says so.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 -- as multiprocessing does
    atexit._run_exitfuncs()  # noqa: SLF001 -- likewise
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except (OSError, ValueError):
        sys.exit(code)
    os._exit(code)
