"""The command `perennial`, in a process of its own and in this one."""

import pytest

from tests.cli.commands import run_here, run_process


@pytest.fixture
def perennial(world):
    """The command in a process of its own."""
    return lambda *arguments, **more: run_process(world, arguments, **more)


@pytest.fixture
def command(world):
    """The command in this process: for what a process of its own would not show better."""
    return lambda *arguments, **more: run_here(world, arguments, **more)
