"""Python's garbage collector, kept from looking again and again through what stays.

After each 700 new objects it looks through the young ones, and now and then through all there are.
While thousands of modules are loaded there is no garbage: such looks took a fifth of a step's work.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

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
