"""The environment of a stack with a broker and workers, for benchmarks of many small models."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from benchmarks.step_seconds import free_port

if TYPE_CHECKING:
    from pathlib import Path


def celery_environ(folder: Path, home: Path, **more: str) -> dict[str, str]:
    """Return the environment of a stack on this home, with free ports and its state in `folder`."""
    ports = {
        f"PERENNIAL_{name}_PORT": str(free_port()) for name in ("AIRFLOW", "MLFLOW", "SERVING")
    }
    return {
        **os.environ,
        **ports,
        "PERENNIAL_HOME": str(home),
        "PERENNIAL_STATE": str(folder / "v"),
        "PERENNIAL_EXECUTOR": "celery",
        "PERENNIAL_COMPARISON_SECONDS": "0",
        **more,
    }
