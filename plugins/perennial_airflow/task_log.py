"""What is needed of a task's logger."""

from __future__ import annotations

from typing import Protocol


class Log(Protocol):
    """The part of a logger that is used here (Airflow's task logger is one)."""

    def log(self, level: int, message: str, /, *arguments: object) -> None:
        """Write one line."""
        ...
