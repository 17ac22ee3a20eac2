"""The command `perennial`, called as people call it."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pipelines.cli import main
from tests.worlds import FOR_NOBODY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.worlds import World


def settings_of(world: World) -> dict[str, str]:
    """Return the settings by which a command works in a world; no server answers there."""
    return {
        "PERENNIAL_HOME": str(world.home),
        "PERENNIAL_STATE": str(world.home / "var"),
        "PERENNIAL_SERVING_PORT": "1",
        **FOR_NOBODY,
    }


def run_process(world: World, arguments: tuple[str, ...], **more: str) -> Completed:
    """Run the command in a process of its own."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PERENNIAL_")}
    return subprocess.run(
        [sys.executable, "-m", "pipelines", *arguments],
        cwd=world.home,
        env={**environ, **settings_of(world), **more},
        capture_output=True,
        text=True,
        check=False,
    )


def run_here(world: World, arguments: tuple[str, ...], **more: str) -> Completed:
    """Run the command in this process, which has loaded its libraries already."""
    # As those of a process: texts and bytes can be written to them.
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with (
        _process_state(),
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        for name, value in {**settings_of(world), **more}.items():
            patch.setenv(name, value)
        patch.chdir(world.home)
        code = exit_code(list(arguments))
    printed, complained = (stream.buffer.getvalue().decode() for stream in (out, err))
    return subprocess.CompletedProcess(arguments, code, printed, complained)


def exit_code(arguments: list[str]) -> int:
    """Run the command and return the code with which its process would end."""
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert isinstance(end.value.code, int)
    return end.value.code


@contextlib.contextmanager
def _process_state() -> Iterator[None]:
    """Leave the logging and the umask of this process as they were."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    ours = logging.getLogger("perennial")
    our_level, mask = ours.level, os.umask(0)
    os.umask(mask)
    try:
        yield
    finally:
        os.umask(mask)
        root.handlers[:] = handlers
        root.setLevel(level)
        ours.setLevel(our_level)


Completed = subprocess.CompletedProcess[str]
