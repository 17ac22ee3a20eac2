"""What runs are called in the ledger, in the store and in MLflow."""

from __future__ import annotations

import re

from pipelines.refs import sha256

ROLLBACK = "rollback:"
"""How the keys of rollbacks begin in the ledger."""

PROMOTION = "promote:"
"""How the keys of versions that were promoted by hand begin there."""

OVERRIDE = "override:"
"""How the keys of refused versions begin there that a person promoted all the same."""

BY_HAND = "hand__"
"""How the names of runs begin that a command has made; Airflow knows nothing of them."""

SCHEDULED = "scheduled__"
"""How the names of runs begin that Airflow's scheduler has made. Airflow gives no other run such a
name, and no command does."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_.+:-]")


def safe_id(text: str) -> str:
    """Return `text` as an identifier for keys and file names.

    What had to be changed is told apart by a hash.
    """
    clean = _UNSAFE.sub("_", text)[:120]
    return (
        clean
        if clean == text and not clean.startswith(".")
        else f"id-{clean.lstrip('.')[:100]}-{sha256(text.encode())[:8]}"
    )


def is_by_hand(run: str) -> bool:
    """Tell whether a command has made the run, so that Airflow has no page of it."""
    name = run.removeprefix(ROLLBACK).removeprefix(PROMOTION).removeprefix(OVERRIDE)
    return name.startswith(BY_HAND)


def is_scheduled(run: str) -> bool:
    """Tell whether a schedule has made the run."""
    return run.startswith(SCHEDULED)


def watch_run(run: str) -> str:
    """Return the name under which a drift run keeps what a retrain run of the same name keeps too.

    Its validation, its MLflow run.
    """
    return f"drift:{run}"


def rollback_run(run: str) -> str:
    """Return the key under which a rollback is written down.

    Airflow tells runs apart by DAG, the ledger by key alone.
    """
    return f"{ROLLBACK}{run}"


def pair_name(before: str, after: str) -> str:
    """Return the name under which the page of two versions beside each other stands."""
    return f"{before}..{after}"


def versions_of(pair: str) -> tuple[str, ...]:
    """Return the versions of which `pair_name` made this name."""
    return tuple(pair.split(".."))
