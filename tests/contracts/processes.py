"""Processes for the contract tests.

Several Python programs at once, and a small disk that fills up.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stack.patience import Patience
from stack.processes import cpu_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

HOME = Path(__file__).resolve().parents[2]


def start(
    program: str, *arguments: object, stdin: int | None = None, **environ: str
) -> subprocess.Popen[str]:
    """Start a program in a Python of its own."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HOME), **environ}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(
        command,
        env=environment,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def await_end(process: subprocess.Popen[str], *beside: subprocess.Popen[str]) -> tuple[str, str]:
    """Wait for a program, as long as it or one beside it, for which it may wait, computes.

    Return what it printed and complained.
    """
    patience = Patience(120, lambda: cpu_seconds(each.pid for each in (process, *beside)))
    while True:
        try:
            return process.communicate(timeout=1)
        except subprocess.TimeoutExpired:
            assert not patience.is_over, (
                f"{process.args} has not ended after {patience.seconds:.0f} s"
            )


def finish(*running: subprocess.Popen[str]) -> list[str]:
    """Wait for programs that must succeed; return what they printed."""
    printed = [await_end(process, *running) for process in running]
    for process, (_, complaint) in zip(running, printed, strict=True):
        assert process.returncode == 0, complaint
    return [out for out, _ in printed]


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a small file system in memory at the folder.

    Skip the test where that is not allowed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("a full disk needs a tmpfs mount, which only root may make")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def flip(file: Path, at: int = -1) -> None:
    """Change one byte of a file in place, as a failing disk does; its mode stays as it is."""
    mode = file.stat().st_mode
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.chmod(0o644)
    with file.open("r+b") as handle:
        handle.write(data)
    file.chmod(mode)
