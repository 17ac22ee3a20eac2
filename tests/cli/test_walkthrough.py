"""docs/add-a-model.md from a file to a watched model: its commands run, and print what it shows."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from pipelines.settings import Settings
from pipelines.store.local import LocalStore
from tests.conftest import ROOT
from tests.serving.conftest import launched

SECTION = r"## From a file to a watched model\n(.*?)\n## "
BLOCK = r"```sh\n(.*?)```\n(?:\n```\n(.*?)```\n)?"
SERVER = "http://127.0.0.1:8000"

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path, real_data):
    """Return a home with the CSV of the page, and the command where the page has it."""
    home = tmp_path / "home"
    for folder in ("models", "expectations", "data", ".venv/bin"):
        (home / folder).mkdir(parents=True)
    shutil.copy(ROOT / "requirements.txt", home)
    source = real_data / "metro_traffic" / "Metro_Interstate_Traffic_Volume.csv"
    shutil.copy(source, home / "data" / "traffic.csv")
    command = home / ".venv" / "bin" / "perennial"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pipelines "$@"\n')
    command.chmod(0o755)
    return home


def blocks():
    """Return the commands of the section, each with the output that it shows."""
    section = re.search(SECTION, (ROOT / "docs" / "add-a-model.md").read_text(), re.DOTALL)
    return re.findall(BLOCK, section[1], re.DOTALL)


def missing_lines(shown, printed):
    """Return the lines of the page that the command did not print; `…` stands for anything."""
    return [
        line
        for line in filter(None, map(str.strip, shown.splitlines()))
        if not re.search(re.escape(line).replace("…", ".*"), printed)
    ]


def test_the_page_leads_from_a_file_to_a_watched_model(home):
    state = Settings(home=home)
    state.state.mkdir()
    commands = blocks()
    assert len(commands) == 6
    with launched(state.state, LocalStore(state.state / "store")) as server:
        environ = os.environ | {
            "PERENNIAL_HOME": str(home),
            "PERENNIAL_SERVING_URL": server.url,
            "PERENNIAL_COMPARISON_SECONDS": "1",
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "80",
        }
        for command, shown in commands:
            done = subprocess.run(
                ["bash", "-e", "-c", command.replace(SERVER, server.url)],
                cwd=home,
                env=environ,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            assert missing_lines(shown, done.stdout + done.stderr) == [], command
