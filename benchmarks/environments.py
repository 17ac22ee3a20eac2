"""What the packages of `requires:` cost: the first use, and every other one.

`python -m benchmarks.environments` from the checkout. The package index that the environment
names is asked. A use is what a step does: the record is read from the store, the overlay is found
whole; `import` is a process that has it behind its base.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.report import Measure, is_tiny, show, write
from pipelines.environments.lock import base_lock
from pipelines.environments.ready import paths
from pipelines.environments.resolution import resolve
from pipelines.settings import Settings
from pipelines.store.opening import open_store

if TYPE_CHECKING:
    from pipelines.store.port import Store

REQUIRES = ["catboost==1.2.10"]
ASKED = "< 1 s"
USES = 5


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where a second use takes longer than asked."""
    tiny = is_tiny(__doc__, argv)
    requires = [f"packaging=={base_lock()[1]['packaging']}"] if tiny else REQUIRES
    module = requires[0].split("==")[0]
    rows: list[Measure] = []
    with tempfile.TemporaryDirectory(prefix="perennial-bench-") as name:
        settings = Settings(home=Path(name), state=Path(name) / "state")
        store = open_store(settings.store, settings)
        first = _use(requires, settings, store)
        site = paths(resolve(requires, store), settings, store)
        files = [path for folder in site for path in Path(folder).rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files) / 1e6
        later = sorted(_use(requires, settings, store) for _ in range(USES))
        rows.append(_row(f"{requires[0]}: first use (resolved, downloaded, installed)", first, ""))
        rows.append(_row("second use, slowest of 5", later[-1], ASKED))
        rows.append(_row("second use, median of 5", later[USES // 2], ASKED))
        rows.append(_row("import in a new process", _import(module, site), ""))
        rows.append({"measure": "the overlay", "value": round(size), "unit": "MB", "asked": ""})
        rows.append({"measure": "its files", "value": len(files), "unit": "files", "asked": ""})
    show("Packages of a model", rows)
    if tiny:
        return 0
    write("environments", rows)
    return int(later[-1] >= 1)


def _row(measure: str, seconds: float, asked: str) -> Measure:
    return {"measure": measure, "value": round(seconds, 3), "unit": "s", "asked": asked}


def _use(requires: list[str], settings: Settings, store: Store) -> float:
    begin = time.perf_counter()
    paths(resolve(requires, store), settings, store)
    return time.perf_counter() - begin


def _import(module: str, site: list[str]) -> float:
    begin = time.perf_counter()
    program = f"import sys; sys.path.extend({site!r}); import {module}"
    subprocess.run([sys.executable, "-c", program], check=True)
    return time.perf_counter() - begin


if __name__ == "__main__":
    sys.exit(main())
