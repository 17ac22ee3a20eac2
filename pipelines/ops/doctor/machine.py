"""Checks of the machine: Python, packages, ports, disk, clock, keys, locks."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from email.utils import parsedate_to_datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipelines.errors import Busy, Unreachable
from pipelines.ops.backup.parts import roots, unfinished_mark
from pipelines.ops.backup.scratch import find_abandoned
from pipelines.ops.findings import Finding, ok, problem, warning
from pipelines.ops.lock import hold_state
from pipelines.settings import is_web, without_password

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Protocol

    from pipelines.settings import Settings

    class Room(Protocol):
        """Bytes of a disk, as `shutil.disk_usage` returns them."""

        @property
        def total(self) -> int:
            """Of the disk in all."""

        @property
        def free(self) -> int:
            """Of it, as many as may still be written."""


HOST = "127.0.0.1"
ASK_SECONDS = 3.0
GIGABYTE = 1e9
LEAST_FREE = 1e9
"""Bytes below which the disk counts as full."""
LITTLE_FREE, ENOUGH_FREE = 0.05, 50e9
"""A smaller share of the disk is worth a look, but not where so many bytes are free."""
SKEW_SECONDS, BAD_SKEW_SECONDS = 5.0, 60.0
"""Clocks that differ by more are worth a look, and a problem.

Times in the ledger and of drift's windows are compared with each other.
"""
STALE_SECONDS = 3_600
PYTHONS = ((3, 11), (3, 13))


def check_python() -> Iterator[Finding]:
    """The interpreter's version."""
    here = sys.version_info[:2]
    text = ".".join(map(str, sys.version_info[:3]))
    low, high = (".".join(map(str, v)) for v in PYTHONS)
    remedy = f"use Python {low} to {high}: make venv."
    yield (
        ok("Python", text) if PYTHONS[0] <= here <= PYTHONS[1] else problem("Python", text, remedy)
    )


def check_packages(settings: Settings) -> Iterator[Finding]:
    """Installed packages against the lock.

    Outside a checkout, as in our images, only those that are there.
    """
    from packaging.utils import canonicalize_name

    # A checkout has all packages, an image a part of them only
    whole = (settings.home / "docker").is_dir()
    lock = settings.home / "requirements.txt"
    if not lock.is_file():
        yield warning("packages", f"There is no {lock}.", "set PERENNIAL_HOME to the checkout.")
        return
    locked_versions = _locked_versions(lock.read_text())
    installed_versions: dict[str, str] = {
        canonicalize_name(package.metadata["Name"]): package.version
        for package in distributions()
        if package.metadata["Name"]
    }
    remedy = "make venv." if whole else "make images."
    wrong = [
        name
        for name, version in locked_versions.items()
        if name in installed_versions and installed_versions[name] != version
    ]
    absent = [name for name in locked_versions if whole and name not in installed_versions]
    for name in wrong:
        yield problem(
            f"package {name}",
            f"{installed_versions[name]} is installed, {locked_versions[name]} is locked.",
            remedy,
        )
    for name in absent:
        yield problem(
            f"package {name}",
            f"{locked_versions[name]} is locked, but it is not installed.",
            remedy,
        )
    if not wrong and not absent:
        yield ok("packages", f"{len(set(locked_versions) & set(installed_versions))} as locked")


def _locked_versions(lock: str) -> dict[str, str]:
    """Return the versions that a lock names for this Python and this platform, by package."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    lines = (line.rstrip(" \\") for line in lock.splitlines() if line[:1].isalnum())
    return {
        canonicalize_name(each.name): str(each.specifier).removeprefix("==")
        for each in map(Requirement, lines)
        if each.marker is None or each.marker.evaluate()
    }


def check_ports(settings: Settings) -> Iterator[Finding]:
    """Each address of the stack.

    On this machine a port that answers, is free, or is held by somebody else; elsewhere it answers
    or not.
    """
    airflow = f"http://{HOST}:{settings.airflow_port}"
    mlflow = (
        settings.mlflow_uri
        if is_web(settings.mlflow_uri)
        else f"http://{HOST}:{settings.mlflow_port}"
    )
    for url in settings.serving_urls:
        yield _address("server", url, "SERVING", "/health")
    yield _address("MLflow", mlflow, "MLFLOW", "/health")
    if any(map(_is_here, settings.serving_urls)):  # in a container, Airflow is not at this address
        yield _address("Airflow", airflow, "AIRFLOW", "/api/v2/monitor/health")


def _address(name: str, url: str, variable: str, path: str) -> Finding:
    answers = _answers(f"{url.rstrip('/')}{path}")
    if not _is_here(url):
        what = f"{name} at {without_password(url)}"
        return (
            ok(what, "answers")
            if answers
            else problem(what, "It does not answer.", "docker compose up -d --wait.")
        )
    port = urlsplit(url).port or 80
    what, holder = f"port {port} ({name})", None if answers else _holder(port)
    if answers:
        return ok(what, "answers")
    if holder is None:
        return ok(what, "free: nothing is started")
    return problem(
        what,
        f"held by {holder}, which does not answer as {name} does.",
        f"end it, or set PERENNIAL_{variable}_PORT.",
    )


def _is_here(url: str) -> bool:
    return urlsplit(url).hostname in {HOST, "localhost", "::1"}


def _answers(url: str) -> bool:
    import httpx

    try:
        return httpx.get(url, timeout=ASK_SECONDS, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _holder(port: int) -> str | None:
    """Return who listens at the port, as far as that may be known; None where nobody does."""
    import psutil

    try:
        listeners = [
            c
            for c in psutil.net_connections("tcp")
            if c.status == psutil.CONN_LISTEN and c.laddr and c.laddr.port == port
        ]
    except psutil.AccessDenied:
        return None
    if not listeners:
        return None
    try:
        return (
            f"process {listeners[0].pid} ({psutil.Process(listeners[0].pid).name()})"
            if listeners[0].pid
            else "another user's process"
        )
    except psutil.Error:
        return "a process that has just ended"


def check_disks(
    settings: Settings, room: Callable[[Path], Room] = shutil.disk_usage
) -> Iterator[Finding]:
    """Free space where the state is; `room` returns the room of a folder's disk."""
    folders = {"state": settings.state}
    if "store" in (copied := roots(settings)):
        folders["store"] = copied["store"]
    for name, folder in folders.items():
        there = next(p for p in (folder, *folder.parents) if p.exists())
        usage = room(there)
        text = f"{usage.free / GIGABYTE:,.1f} GB of {usage.total / GIGABYTE:,.1f} GB are free"
        remedy = (
            "free space (`perennial prune` says what can go), or move the state to a larger disk."
        )
        if usage.free < LEAST_FREE:
            yield problem(f"disk of the {name}", f"{text}.", remedy)
        elif usage.free < min(LITTLE_FREE * usage.total, ENOUGH_FREE):
            yield warning(f"disk of the {name}", f"{text}.", remedy)
        else:
            yield ok(f"disk of the {name}", text)


def check_clocks(settings: Settings) -> Iterator[Finding]:
    """This clock against the file system's, the ledger's database's and MLflow's."""
    if settings.state.is_dir():
        with tempfile.NamedTemporaryFile(
            dir=settings.state, prefix=".clock-", suffix=".tmp"
        ) as file:
            yield _compare_clock("the file system", Path(file.name).stat().st_mtime - time.time())
    if settings.ledger_url.startswith("postgresql"):
        yield _compare_clock(
            "the ledger's database", _database_time(settings.ledger_url) - time.time()
        )
    if is_web(settings.mlflow_uri):
        yield _compare_clock("MLflow", _http_time(settings.mlflow_uri) - time.time())


def _compare_clock(whose: str, skew: float) -> Finding:
    text = f"differs by {abs(skew):.1f} s from this one"
    remedy = "synchronise the clocks (chrony, systemd-timesyncd)."
    if abs(skew) > BAD_SKEW_SECONDS:
        return problem(f"clock of {whose}", f"It {text}.", remedy)
    return (
        warning(f"clock of {whose}", f"It {text}.", remedy)
        if abs(skew) > SKEW_SECONDS
        else ok(f"clock of {whose}", text)
    )


def _database_time(url: str) -> float:
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import NullPool

    try:
        with create_engine(
            url, poolclass=NullPool, connect_args={"connect_timeout": 10}
        ).connect() as connection:
            return float(
                connection.execute(
                    text("SELECT extract(epoch FROM clock_timestamp())")
                ).scalar_one()
            )
    except DBAPIError as error:
        raise Unreachable(
            f"The ledger's database does not answer: {error.orig}.",
            remedy="check that the database runs.",
        ) from error


def _http_time(url: str) -> float:
    import httpx

    try:
        answer = httpx.get(f"{url.rstrip('/')}/health", timeout=ASK_SECONDS, trust_env=False)
        return parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (httpx.HTTPError, KeyError, ValueError) as error:
        words = f"MLflow does not tell the time at {without_password(url)}: {type(error).__name__}."
        raise Unreachable(words, remedy="start it: make up, or docker compose up -d.") from error


def check_restore(settings: Settings) -> Iterator[Finding]:
    """A restore that did not end: a state of which nobody may rely on a part."""
    mark = unfinished_mark(settings)
    if mark.is_file():
        text = f"The restore of {mark.read_text().strip()} did not end: the state is not whole."
        yield problem(
            "restore",
            text,
            "stop the stack and restore again, which says what must be cleared first.",
        )


def check_scratch(settings: Settings) -> Iterator[Finding]:
    """Folders with copies of databases and keys that a killed backup or restore left."""
    if not find_abandoned(settings):
        return
    try:
        with hold_state(settings):
            folders = find_abandoned(settings)
    except Busy:
        return  # one is at work: what there is is its own
    for folder in folders:
        yield warning(
            "killed backup",
            f"{folder} was left, with copies of databases and keys in it.",
            "`perennial prune --yes`.",
        )


def check_keys(settings: Settings) -> Iterator[Finding]:
    """Files with keys: their owner's alone."""
    folder = settings.state / "secrets"
    files = sorted(p for p in folder.iterdir() if p.is_file()) if folder.is_dir() else []
    open_to_others = [p for p in files if p.stat().st_mode & 0o077]
    for path in open_to_others:
        yield problem(
            f"key {path.name}", f"{path} may be read by others than its owner.", f"chmod 600 {path}"
        )
    if not open_to_others:
        yield ok("keys", f"{len(files)} files, their owner's alone")


def check_locks(settings: Settings) -> Iterator[Finding]:
    """Locks that writers of features left when they were killed.

    Locks of our own are the kernel's and never outlive a process.
    """
    repository = settings.versions / "repo"
    read_lock = repository / ".dvc" / "tmp" / "rwlock"
    lock_files = [p for p in (repository / ".git").glob("*.lock") if p.is_file()]
    lock_files += (
        [read_lock]
        if read_lock.is_file() and read_lock.read_bytes().strip() not in {b"", b"{}"}
        else []
    )
    stale = [p for p in lock_files if time.time() - p.stat().st_mtime > STALE_SECONDS]
    for path in stale:
        yield warning(
            f"lock {path.name}",
            f"{path} is more than an hour old.",
            "nothing: the next step `features` removes it.",
        )
    if not stale:
        yield ok("locks", "none is stale")
