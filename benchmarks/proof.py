"""The flights' champion built again: are its answers identical, bit for bit, and what does it cost?

`python -m benchmarks.proof` from the checkout.

One retraining as of August 2013 makes a champion: six months to learn from, one to judge on, three
candidates. Then `perennial rebuild` builds it again from what the ledger says, each time in a
process of its own: with one thread, as it was made, and with four.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.report import Measure, is_tiny, show, write
from pipelines.cli.running import context_for, run_step
from pipelines.ledger import Crown
from pipelines.refs import Ref
from pipelines.settings import load_settings, quiet

if TYPE_CHECKING:
    from pipelines.context import Context

ROOT = Path(__file__).resolve().parents[1]
MODEL, AS_OF, TINY_AS_OF = "flight_delays", "2013-08-01T00:00:00Z", "2013-03-01T00:00:00Z"
THREADS = {"one thread, as before": "1", "four threads": "4"}
"""By name: what PERENNIAL_THREADS is set to."""

RUN = "benchmark"


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where anything came out otherwise."""
    tiny = is_tiny(__doc__, argv)
    quiet()
    with tempfile.TemporaryDirectory(prefix="perennial-benchmark-") as folder:
        environ = {**os.environ, "PERENNIAL_STATE": folder, "PERENNIAL_COMPARISON_SECONDS": "0"}
        context = context_for(MODEL, load_settings({**environ, "PERENNIAL_THREADS": "1"}))
        begin = time.monotonic()
        version = _make_champion(context, ["linear"] if tiny else None)
        first = time.monotonic() - begin
        ways = dict(list(THREADS.items())[:1]) if tiny else THREADS
        found = {way: _rebuild(version, environ, threads) for way, threads in ways.items()}
    rows = _measures(first, found)
    show(f"{MODEL}, version {version}, built again", rows)
    if not tiny:
        write("proof", rows)
    return int(any(body["differences"] for body in found.values()))


def _make_champion(context: Context, only: list[str] | None) -> str:
    """Run the steps up to the bundle, crown it, and return the version.

    With `only` few batches and these candidates; a version that is refused has no bundle.
    """

    def run(step: str, **body: Any) -> Any:
        return run_step(context, step, {"run": RUN, **body}).model_dump(mode="json")

    conf = {"as_of": TINY_AS_OF if only else AS_OF}
    ingest = run("ingest", now="2026-01-01T00:00:00Z", conf=conf)
    validate = run("validate", ingest=ingest)
    features = run("features", ingest=ingest, validate=validate)
    names = only or [candidate.name for candidate in context.spec.candidates]
    train = [run("train", candidate=name, features=features) for name in names]
    gate = run("gate", features=features, train=train)
    if gate["verdict"] == "promote":
        packaged = run("package", features=features, train=train, gate=gate)
        bundle = Ref.model_validate(packaged["bundle"])
        champion = Crown(version=gate["version"], bundle=bundle, release=1)
        context.ports.ledger.crown(MODEL, expected=None, champion=champion, key=RUN)
    return str(gate["version"])


def _rebuild(version: str, environ: dict[str, str], threads: str) -> dict[str, Any]:
    """Return what `perennial rebuild` prints as JSON, and the seconds of the whole command."""
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", "rebuild", MODEL, version, "--json"],
        cwd=ROOT,
        env={**environ, "PERENNIAL_THREADS": threads},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    body: dict[str, Any] = json.loads(done.stdout)
    return {**body, "whole": time.monotonic() - begin}


def _measures(first: float, found: dict[str, dict[str, Any]]) -> list[Measure]:
    rows: list[Measure] = []
    for way, body in found.items():
        equal = sum(check["equal"] for check in body["checks"])
        asked, compared = f"{body['rows']:,}", f"{len(body['checks'])}"
        rows += [
            _row(f"{way}: identical answers", body["identical"], "rows", f"all {asked}"),
            _row(f"{way}: equal things", equal, "things", f"all {compared}"),
            _row(f"{way}: the whole command", round(body["whole"], 1), "s"),
        ]
        rows += [
            _row(f"{way}: {part}", round(seconds, 1), "s")
            for part, seconds in body["seconds"].items()
        ]
    return [*rows, _row("the retraining that made it, all candidates", round(first, 1), "s")]


def _row(measure: str, value: float, unit: str, asked: str = "") -> Measure:
    return {"measure": measure, "value": value, "unit": unit, "asked": asked}


if __name__ == "__main__":
    sys.exit(main())
