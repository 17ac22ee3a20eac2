"""The lock that lets one deployment of a model be at work at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.locks import hold

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pipelines.context import Context


def hold_deployment(context: Context) -> AbstractContextManager[int]:
    """Hold the model's deployment lock, a file in the state folder. Raises Busy."""
    model, seconds = context.spec.name, context.settings.lock_timeout_seconds
    return hold(
        context.settings.state_dir / "deploy" / f"{model}.lock",
        f"Another deployment of {model} has been at work for {seconds:g} s.",
        seconds=seconds,
        remedy="wait for it to end; `perennial status` says what serves.",
    )
