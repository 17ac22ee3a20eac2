"""`make bench`: every benchmark, one after the other.

Each prints a table and writes benchmarks/results/.

`python -m benchmarks --tiny` only shows that they run.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NO_BENCHMARKS = {
    "__main__",
    "celery_stack",
    "parity_pipelines",
    "plain_script",
    "report",
    "step_seconds",
}
BENCHMARKS = sorted(
    path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in NO_BENCHMARKS
)


def main(argv: list[str] | None = None) -> int:
    """Run each in a process of its own, with the same arguments.

    1 where one failed or reached less than was asked.
    """
    options = sys.argv[1:] if argv is None else argv
    failures = []
    for name in BENCHMARKS:
        print(f"== {name}", flush=True)
        if subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}", *options], cwd=ROOT, check=False
        ).returncode:
            failures.append(name)
    if failures:
        print(f"Failed, or reached less than was asked: {', '.join(failures)}.")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
