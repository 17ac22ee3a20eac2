"""What has moved in a column, in a sentence with its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipelines.science.causes.cells import MISSING

if TYPE_CHECKING:
    from pipelines.science.causes.view import View


def describe_shift(view: View, name: str) -> str:
    """Return what a column's window has more or less of than its reference."""
    shift, cells = view.shifts[name], view.cells[name]
    # Where no cell moves by more than days do, the one that differs most
    at = int(np.argmax(np.abs(shift.z if shift.z.any() else shift.window - shift.reference)))
    now, before = shift.window[at], shift.reference[at]
    shares = f"{now:.1%} of the rows ({before:.1%} in training)"
    if at == MISSING:
        return f"{name}: the value is missing in {shares}"
    if cells.edges is None:
        if at == cells.unseen:
            return f"{name}: values that training has not have {shares}"
        what = cells.names[at - 1] if at <= len(cells.names) else "rare values"
        return f"{name}: {what} has {shares}"
    own, past = view.window.columns[name], view.reference.columns[name]
    middle = f"its median is {np.nanmedian(own):.4g} ({np.nanmedian(past):.4g} in training)"
    if at == 1:
        return f"{name}: {shares} lie below all of training's; {middle}"
    if at == cells.count - 1:
        return f"{name}: {shares} lie above all of training's; {middle}"
    low, high = cells.edges[at - 2], cells.edges[at - 1]
    return f"{name}: {shares} lie between {low:.4g} and {high:.4g}; {middle}"
