"""The demo's state: it begins clean, and it never removes anything but an earlier demo's."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from pipelines.errors import RequestError
from stack import control

if TYPE_CHECKING:
    from collections.abc import Callable

    from stack.layout import Layout

MARKER = "demo.txt"
KEPT = {"cache"}
"""Downloads are named by their hash: they cannot be stale.

(The marker stays too, so that an interrupted removal can go on.)
"""


def begin_clean(layout: Layout, say: Callable[[str], None]) -> None:
    """Stop what an earlier demo left running and remove its state.

    Raises RequestError where the state is no demo's.
    """
    state = layout.state
    others = [p for p in state.iterdir() if p.name not in {*KEPT, MARKER}] if state.is_dir() else []
    if others and not (state / MARKER).is_file():
        raise RequestError(
            f"{state} holds a state that is no demo's; the demo begins clean and will not"
            " touch it.",
            remedy=(
                "run the demo beside it: `PERENNIAL_STATE=var-demo make demo` (after `make down`,"
                " or with other ports)."
            ),
        )
    if others:
        control.down(layout, say=say)
        for path in others:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    state.mkdir(parents=True, exist_ok=True)
    (state / MARKER).write_text(
        "`make demo` made this folder and removes it when it is run again.\n"
    )
