"""`make demo` as a newcomer runs it, cold and warm: `python -m benchmarks.demo [--tiny] [FOLDER]`.

A fresh clone, an empty HOME, and only the README's command. With a FOLDER the clone and the running
stack are left there. Tiny, it stops before the demo: the clone and the installation only.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import Measure, show, write

ROOT = Path(__file__).resolve().parents[1]
WARM = 480
PASSED_ON = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "PIP_CERT",
    "PIP_INDEX_URL",
    "PIP_CONFIG_FILE",
    "SSL_CERT_FILE",
    "UV_INDEX_URL",
    "UV_DEFAULT_INDEX",
)


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where it takes longer than asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--tiny",
        action="store_true",
        help="clone and install, to see that it begins; judges and writes nothing",
    )
    parser.add_argument("folder", nargs="?", help="where the clone and the running stack are left")
    options = parser.parse_args(argv)
    if options.tiny:
        with tempfile.TemporaryDirectory(prefix="pd-") as temporary:
            return _install(Path(temporary))
    if options.folder is not None:
        return _measure(Path(options.folder))
    with tempfile.TemporaryDirectory(prefix="pd-") as temporary:
        try:
            return _measure(Path(temporary))
        finally:
            subprocess.run(
                ["make", "down"],
                cwd=Path(temporary) / "perennial",
                env=_environment(Path(temporary)),
                check=False,
            )


def _install(folder: Path) -> int:
    clone = folder / "perennial"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    return subprocess.run(
        ["make", "venv"], cwd=clone, env=_environment(folder), check=False
    ).returncode


def _measure(folder: Path) -> int:
    clone, environ = folder / "perennial", _environment(folder)
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    seconds = []
    for _ in ("cold", "warm"):
        begin = time.monotonic()
        subprocess.run(["make", "demo"], cwd=clone, env=environ, check=True)
        seconds.append(time.monotonic() - begin)
    rows: list[Measure] = [
        {
            "measure": "make demo (4 months), cold (installation included)",
            "value": round(seconds[0], 1),
            "unit": "s",
            "asked": "",
        },
        {
            "measure": "make demo (4 months), warm",
            "value": round(seconds[1], 1),
            "unit": "s",
            "asked": f"<= {WARM}",
        },
    ]
    write("demo", rows)
    show("The demo", rows)
    return 0 if seconds[1] <= WARM else 1


def _environment(folder: Path) -> dict[str, str]:
    """A newcomer's environment: an empty home, and no setting of ours."""
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    return {
        **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
        "HOME": str(home),
    }


if __name__ == "__main__":
    sys.exit(main())
