"""`--help` shows each command's summary whole, in a terminal of 80 columns."""

from __future__ import annotations

import inspect
import re

import pytest
import typer
from typer.testing import CliRunner

import stack.cli
from pipelines.cli.app import app as perennial


@pytest.mark.parametrize("app", [perennial, stack.cli.app], ids=["perennial", "stack"])
def test_each_command_has_its_whole_summary_on_one_line(app):
    narrow = {"COLUMNS": "80", "TERMINAL_WIDTH": "80"}
    output = CliRunner().invoke(app, ["--help"], env=narrow, terminal_width=80).output
    commands = typer.main.get_command(app).commands
    summaries = {
        name: inspect.cleandoc(command.help).split("\n\n")[0] for name, command in commands.items()
    }
    assert len(summaries) > 4
    assert [
        (name, summary)
        for name, summary in summaries.items()
        if not re.search(rf"^\W*{name} +{re.escape(summary)}\W*$", output, re.MULTILINE)
        or not summary.endswith(".")
    ] == []
