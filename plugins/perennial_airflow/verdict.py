"""The gate's verdict as people read it: a block in the task's log, and the reason of a skip."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perennial_airflow.output import Log


def refusal(judged: Mapping[str, Any]) -> str:
    """Return why the challenger does not go on, in one line."""
    reasons = [str(reason) for reason in judged.get("reasons") or []]
    who = f"The challenger {judged['candidate']}" if judged.get("candidate") else "The challenger"
    return f"{who} was not promoted: " + ("; ".join(reasons) or "the gate gave no reason.")


def log_verdict(judged: Mapping[str, Any], log: Log) -> None:
    """Write the verdict, each check and each reason into the log, one line each."""
    promoted = judged.get("verdict") == "promote"
    version = f" (version {judged['version']})" if judged.get("version") else ""
    log.log(logging.INFO, "%s", f"Verdict on {judged.get('candidate', 'the challenger')}{version}: {str(judged['verdict']).upper()}")
    for check in judged.get("checks") or []:
        passed = bool(check.get("passed"))
        log.log(
            logging.INFO if passed else logging.WARNING,
            "%s",
            f"  {'ok  ' if passed else 'FAIL'} {check.get('name')}: {check.get('detail')}",
        )
    if not promoted:
        for reason in judged.get("reasons") or []:
            log.log(logging.WARNING, "%s", f"  because {reason}")
