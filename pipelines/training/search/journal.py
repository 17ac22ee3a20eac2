"""What a search has found so far, in a file, so that a killed one goes on where it was.

Every method proposes the same settings again in the same order, and asks the journal first: what
one fold gave is never computed twice. The search that goes on therefore ends as the undisturbed one
would have ended.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.refs import digest

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class FoldRun:
    """What one fit on one fold gave.

    Failures are not written down: one that goes on meets them again.
    """

    score: float
    seconds: float


class Journal:
    """Fold runs by setting, share of the rows and fold; in memory alone where there is no file."""

    def __init__(self, path: Path | None) -> None:
        """Read what an earlier process left; a line that was cut off is as if it were not there."""
        self._runs: dict[tuple[str, int], FoldRun] = {}
        self._path = path
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_bytes() if path.exists() else b""
        for line in text.splitlines():
            self._read(line)
        if text and not text.endswith(b"\n"):
            with path.open("ab") as file:
                file.write(b"\n")

    @property
    def seconds(self) -> float:
        """How long all of its fits took."""
        return sum(run.seconds for run in self._runs.values())

    def find(self, setting: dict[str, Any], share: float, fold: int) -> FoldRun | None:
        """Return what is known of a fold; None where nothing is."""
        return self._runs.get((_key(setting, share), fold))

    def add(self, setting: dict[str, Any], share: float, fold: int, run: FoldRun) -> None:
        """Keep it, at once."""
        key = _key(setting, share)
        self._runs[key, fold] = run
        if self._path is None:
            return
        found = {"key": key, "fold": fold, "score": run.score, "seconds": run.seconds}
        line = json.dumps(found) + "\n"
        with self._path.open("ab") as file:
            file.write(line.encode())

    def _read(self, line: bytes) -> None:
        try:
            found = json.loads(line)
            run = FoldRun(float(found["score"]), float(found["seconds"]))
            self._runs[str(found["key"]), int(found["fold"])] = run
        except (ValueError, KeyError, TypeError):
            return


def _key(setting: dict[str, Any], share: float) -> str:
    return digest(sorted(setting.items()), share)
