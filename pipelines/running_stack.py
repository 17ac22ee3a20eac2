"""Settings of the stack that is running on a state folder, so that a command in any shell speaks to
that one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

RECORD = "stack/supervisord.json"
"""Below the state folder: the record of what runs, which `stack.record` writes.

Process id, its start, and `settings`.
"""


def settings_of(state: Path, names: Collection[str]) -> dict[str, int | str]:
    """Return the settings by these names of the stack that runs on the state folder.

    Nothing where none runs.
    """
    try:
        record = json.loads((state / RECORD).read_bytes())
    except (OSError, ValueError):
        return {}
    if (
        not isinstance(record, dict)
        or not isinstance(record.get("settings"), dict)
        or not _runs(record)
    ):
        return {}
    return {
        name: value
        for name, value in record["settings"].items()
        if name in names and isinstance(value, int | str)
    }


def _runs(record: dict[str, Any]) -> bool:
    """Tell whether the recorded process is alive, and the same one.

    Its id alone may be somebody else's by now.
    """
    import psutil

    try:
        process = psutil.Process(record["pid"])
        return (
            bool(process.create_time() == record["created"])
            and process.status() != psutil.STATUS_ZOMBIE
        )
    except (psutil.Error, KeyError, TypeError, ValueError):
        return False
