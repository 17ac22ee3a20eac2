"""The command, in the process of the test."""

import pytest

from tests.cli.commands import run_here


@pytest.fixture
def command(world):
    """The command in this process: for what a process of its own would not show better."""
    return lambda *arguments, **more: run_here(world, arguments, **more)
