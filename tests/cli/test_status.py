"""`perennial status`: of many models, and where the server is silent."""

from __future__ import annotations

import json
import shutil
import socketserver
import subprocess
import sys
import threading
from contextlib import contextmanager

from tests.conftest import ROOT

MODELS = 8


@contextmanager
def silent_server():
    """A server that takes each connection, ends it without a word, and counts."""
    seen: list[int] = []

    class Silent(socketserver.BaseRequestHandler):
        def handle(self):
            seen.append(1)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Silent) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", seen
        finally:
            server.shutdown()
            thread.join()


def test_a_server_that_says_nothing_is_asked_no_more_after_a_few_models(command, world):
    for number in range(MODELS - 1):
        folder = world.home / "models" / f"sales_{number}"
        shutil.copytree(world.home / "models" / "sales", folder)
        spec = folder / "model.yaml"
        spec.write_text(spec.read_text().replace("name: sales", f"name: sales_{number}"))
    with silent_server() as (url, seen):
        done = command("status", "--json", PERENNIAL_SERVING_URL=url)
    rows = json.loads(done.stdout)
    assert len(rows) == MODELS
    assert all("does not answer" in row["serving"] for row in rows)
    assert len(seen) == 3


def test_the_command_starts_without_libraries_for_numbers():
    code = (
        "import sys, pipelines.cli.app; heavy = {'numpy', 'pyarrow', 'pandas', 'duckdb', 'mlflow'}"
        " & set(sys.modules); print(sorted(heavy)); sys.exit(bool(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
