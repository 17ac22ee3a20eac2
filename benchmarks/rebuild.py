"""Rebuilding images after a change of one line.

`python -m benchmarks.rebuild` (needs an engine and the base of `make images`).

A copy of the checkout is built once, so that all layers are warm; then one line of its code is
changed and it is built again. `BASE` in the environment names another base image, as for `make
images`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import Measure, is_tiny, show, write

ROOT = Path(__file__).resolve().parents[1]
CHANGED = Path("pipelines/refs.py")
"""A file that every part imports."""

IMAGES = ("steps", "serving")
TAG = "rebuild-benchmark"
ASKED = 15.0


def main(argv: list[str] | None = None) -> int:
    """Measure both images; without an engine or its base nothing is measured."""
    tiny = is_tiny(__doc__, argv)
    images = IMAGES[-1:] if tiny else IMAGES
    rows: list[Measure] = []
    with tempfile.TemporaryDirectory(prefix="perennial-rebuild-") as folder:
        checkout = Path(folder)
        _copy(checkout)
        try:
            for image in images:
                if _build(checkout, image) is None:
                    print("rebuild: no engine, or no base image; nothing was measured")
                    return 0
                with (checkout / CHANGED).open("a", encoding="utf-8") as file:
                    file.write(f"\n# changed for {image}\n")
                seconds = _build(checkout, image)
                assert seconds is not None
                rows.append(
                    {
                        "measure": f"rebuild of {image} after a change of one line",
                        "value": round(seconds, 1),
                        "unit": "s",
                        "asked": f"< {ASKED:g}",
                    }
                )
        finally:
            for image in images:
                subprocess.run(
                    ["docker", "rmi", f"perennial/{image}:{TAG}"], capture_output=True, check=False
                )
    show("Rebuilding images", rows)
    if tiny:
        return 0
    write("rebuild", rows)
    return int(any(row["value"] >= ASKED for row in rows))


def _copy(target: Path) -> None:
    """Copy what git knows of the checkout.

    The times of files do not matter to the engine's cache.
    """
    names = (
        subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
        .stdout.decode()
        .split("\0")
    )
    for name in filter(None, names):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name)


def _build(checkout: Path, image: str) -> float | None:
    """Build the image; return after how many seconds, None where it could not be."""
    began = time.monotonic()
    environ = {**os.environ, "TAG": TAG, "IMAGES": image}
    process = subprocess.run(
        [sys.executable, "tools/images.py"],
        cwd=checkout,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        print(process.stderr[-2000:], file=sys.stderr)
        return None
    return time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
