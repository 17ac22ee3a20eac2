"""Settings of a worker whose steps run in containers."""

from __future__ import annotations

from pipelines.settings import load_settings


def settings(**given: str):
    return load_settings(
        {
            "PERENNIAL_HOME": "/home/x",
            **{f"PERENNIAL_{name.upper()}": value for name, value in given.items()},
        }
    )
