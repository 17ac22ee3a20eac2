"""Write what a benchmark measured.

<name>.json, a list of measures, and beside it the machine and the versions.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypedDict

from rich.console import Console
from rich.table import Table

LOAD_BEFORE = round(os.getloadavg()[0], 2)
"""How busy the machine was when the benchmark began: on a busy one the numbers say little."""

RESULTS = Path(__file__).resolve().parent / "results"
PACKAGES = (
    "apache-airflow",
    "evidently",
    "fastapi",
    "msgspec",
    "numpy",
    "onnxruntime",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "starlette",
    "uvicorn",
    "uvloop",
)


class Measure(TypedDict):
    """One measured number, and what was asked of it in words ("" where nothing was)."""

    measure: str
    value: float
    unit: str
    asked: str


def is_tiny(about: str | None, argv: list[str] | None) -> bool:
    """Return whether a benchmark is asked to show only that it runs (`--tiny`).

    `about` is its help, `argv` what follows its name.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument(
        "--tiny", action="store_true", help="small, to see that it runs; judges and writes nothing"
    )
    return bool(parser.parse_args(argv).tiny)


def asked_worlds(about: str | None, argv: list[str] | None, worlds: int) -> tuple[bool, int]:
    """Return whether a benchmark of simulated worlds is only to show that it runs (`--tiny`), and
    how many worlds are asked in each line (`--worlds`, else `worlds`).
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--tiny", action="store_true", help="small, to see that it runs")
    parser.add_argument("--worlds", type=int, default=worlds, help="worlds in each line")
    options = parser.parse_args(argv)
    return bool(options.tiny), int(options.worlds)


def read(name: str) -> list[Measure]:
    """Return what the last run wrote; nothing where none did."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []


def write(name: str, rows: list[Measure]) -> None:
    """Write results/<name>.json and results/<name>.env.json."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    environment = {"machine": _machine(), "versions": _versions()}
    for file, body in ((f"{name}.json", rows), (f"{name}.env.json", environment)):
        (RESULTS / file).write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")


def _machine() -> dict[str, str | float | None]:
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": _memory_gb(),
        "system": platform.platform(aliased=True),
        "load_before": LOAD_BEFORE,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")),
        platform.machine(),
    )


def _memory_gb() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def show(title: str, rows: list[Measure]) -> None:
    """Print the measures as a table."""
    table = Table("measure", "value", "unit", "asked", title=title)
    for row in rows:
        table.add_row(row["measure"], f"{row['value']:,}", row["unit"], row["asked"])
    Console().print(table)
