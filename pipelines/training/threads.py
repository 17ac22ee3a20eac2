"""How many threads learning may use.

One unless the settings say more (spinning threads cost minutes where cores are shared).
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAMES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def announce_threads(threads: int) -> None:
    """Hold native thread pools that are not loaded yet to `threads`, in this process and its own.

    Threads that wait do not spin.
    """
    for name in _NAMES:
        os.environ[name] = str(threads)
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


@contextlib.contextmanager
def limit_threads(threads: int) -> Iterator[None]:
    """Hold native thread pools to `threads`.

    Those not loaded yet through the environment, the loaded ones through threadpoolctl.
    """
    announce_threads(threads)
    import sklearn  # noqa: F401 -- loads the pools that the next line holds down
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(limits=threads):
        yield
