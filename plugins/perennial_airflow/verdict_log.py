"""What gate, drift and report found, as people read it.

A block in the task's log, an XCom, and the reason of a skip.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from perennial_airflow.task_log import Log

XCOM = "verdict"
"""The key of the XCom that holds the verdict in words, beside the result."""

_BAD = frozenset({"drift", "alarm", "not_enough_data"})


def said(step: str, result: Mapping[str, Any]) -> list[tuple[int, str]]:
    """Return what the step found in words, line by line with the log's level.

    Nothing for a step that judges nothing.
    """
    return _SPEAKERS[step](result) if step in _SPEAKERS else []


def log_verdict(lines: list[tuple[int, str]], log: Log) -> str:
    """Write the lines into the log, and return them as one line, which is how Airflow's UI shows an
    XCom.
    """
    for level, line in lines:
        log.log(level, "%s", line)
    return " | ".join(" ".join(line.split()) for _, line in lines)


def refusal(judged: Mapping[str, Any]) -> str:
    """Return why the challenger does not go on, in one line."""
    reasons = [str(reason) for reason in judged.get("reasons") or []]
    who = f"The challenger {judged['candidate']}" if judged.get("candidate") else "The challenger"
    return f"{who} was not promoted: " + ("; ".join(reasons) or "the gate gave no reason.")


def figure(value: object) -> str:
    """Return a number as people read it; a question mark where there is none."""
    return f"{value:.4g}" if isinstance(value, int | float) else "?"


def _gate(judged: Mapping[str, Any]) -> list[tuple[int, str]]:
    version = f" (version {judged['version']})" if judged.get("version") else ""
    lines = [
        (
            logging.INFO,
            (
                f"Verdict on {judged.get('candidate') or 'the challenger'}{version}:"
                f" {str(judged['verdict']).upper()}"
            ),
        )
    ]
    if judged.get("incident"):
        lines.append((logging.ERROR, f"  INCIDENT: {judged['incident']}"))
    for check in judged.get("checks") or []:
        passed = bool(check.get("passed"))
        level = logging.INFO if passed else logging.WARNING
        lines.append(
            (level, f"  {'ok  ' if passed else 'FAIL'} {check.get('name')}: {check.get('detail')}")
        )
    if judged["verdict"] != "promote":
        lines += _because(judged, logging.WARNING)
    return lines


def _drift(found: Mapping[str, Any]) -> list[tuple[int, str]]:
    level = logging.WARNING if found["verdict"] in _BAD else logging.INFO
    window = found.get("window") or {}
    verdict = str(found["verdict"]).replace("_", " ").upper()
    lines = [
        (
            level,
            f"Verdict on the window from {window.get('start')} to {window.get('end')}: {verdict}",
        )
    ]
    champion = (
        f"champion version {found['champion']}" if found.get("champion") else "no champion yet"
    )
    lines.append(
        (
            logging.INFO,
            (
                f"  {found.get('rows')} rows of {found.get('source')}, {found.get('labelled')}"
                f" labelled; {champion}"
            ),
        )
    )
    if found.get("live") is not None:
        lines.append(
            (
                logging.INFO,
                (
                    f"  {found.get('metric')} {figure(found['live'])} live,"
                    f" {figure(found.get('expected'))} expected"
                ),
            )
        )
    if found.get("columns"):
        drifted = [str(name) for name in found.get("drifted") or []]
        named = f": {', '.join(drifted)}" if drifted else ""
        lines.append(
            (logging.INFO, f"  {len(drifted)} of {found['columns']} inputs drifted{named}")
        )
    return lines + _because(found, level)


def _report(reported: Mapping[str, Any]) -> list[tuple[int, str]]:
    return [
        (
            logging.INFO,
            f"{str(reported['outcome']).replace('_', ' ').upper()}: {reported.get('said')}",
        )
    ]


def _rollback(deployed: Mapping[str, Any]) -> list[tuple[int, str]]:
    before = f"version {deployed['previous']}" if deployed.get("previous") else "nothing"
    return [
        (
            logging.INFO,
            (
                f"ROLLED BACK: version {deployed.get('version')} serves as release"
                f" {deployed.get('release')} (before: {before})"
            ),
        )
    ]


def _because(result: Mapping[str, Any], level: int) -> list[tuple[int, str]]:
    return [(level, f"  because {reason}") for reason in result.get("reasons") or []]


_SPEAKERS: dict[str, Callable[[Mapping[str, Any]], list[tuple[int, str]]]] = {
    "gate": _gate,
    "drift": _drift,
    "report": _report,
    "rollback": _rollback,
}
