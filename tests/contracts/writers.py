"""Three hosts that publish the same twenty entries at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.contracts.processes import finish, start

if TYPE_CHECKING:
    from pathlib import Path

_PROGRAM = """
import sys
from pipelines.settings import load_settings
from pipelines.store.opening import open_store

store = open_store(load_settings().store)
name = sys.argv[1].encode()
won = [store.publish(f"results/{i:02d}", name) for i in range(20)]
read = [store.read(f"results/{i:02d}") == name for i in range(20)]
assert won == read, (won, read)
print(sum(won))
"""


def count_won(environ: dict[str, str], folder: Path) -> int:
    """Return how often a host was told that it was the first, of all hosts."""
    hosts = [
        start(_PROGRAM, name, **environ, PERENNIAL_STATE=str(folder / name))
        for name in ("one", "two", "three")
    ]
    return sum(int(won) for won in finish(*hosts))
