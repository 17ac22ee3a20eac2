"""What a check found: one line each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pipelines.errors import PerennialError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    How it is, what it is, what was seen, and what to do about it.
    """

    state: State
    what: str
    said: str
    remedy: str = ""


def ok(what: str, text: str) -> Finding:
    """Return that all is well."""
    return Finding("ok", what, text)


def warning(what: str, text: str, remedy: str) -> Finding:
    """Return something that works, but should be looked at."""
    return Finding("warning", what, text, remedy)


def problem(what: str, text: str, remedy: str) -> Finding:
    """Return something that does not work, or that will not."""
    return Finding("problem", what, text, remedy)


def run_check(what: str, check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """Return a check's findings.

    One that fails, at the file system or by a setting, is itself a finding.
    """
    findings: list[Finding] = []
    try:
        findings.extend(check())
    except PerennialError as error:
        findings.append(problem(what, error.message, error.remedy or "see docs/operate.md."))
    except (OSError, ValueError) as error:
        findings.append(
            problem(
                what,
                f"{type(error).__name__}: {error}",
                "check permissions, the disk, and the settings that it names (docs/settings.md).",
            )
        )
    return findings
