"""Which commit a checkout is at."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

GIT_SECONDS = 10


def commit_of(home: Path) -> str | None:
    """Return the git commit of the checkout `home`, None where it is none or git is not there.

    A folder within somebody else's checkout is none.
    """
    if not (home / ".git").exists():
        return None
    try:
        process = subprocess.run(
            ["git", "-C", str(home), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return process.stdout.strip()
