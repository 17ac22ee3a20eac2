"""Many things of a store, one after another: of a far one several are asked for at once."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pipelines.store.port import Store

AT_ONCE: Final = 16
"""Small things that a bucket is asked for at the same time: most of a request is waiting."""

Name = TypeVar("Name")
Found = TypeVar("Found")


def read_each(
    store: Store,
    read: Callable[[Name], Found],
    names: Iterable[Name],
    *,
    at_once: int = AT_ONCE,
) -> Iterator[Found]:
    """Yield what `read` returns for each name, in their order.

    `read` asks the store, and of a far one it is called in threads: no more than `at_once` results
    are there before they are taken. What it raises is raised in its turn; what comes behind is
    then not asked for any more.
    """
    if not store.is_far:
        yield from map(read, names)
        return
    with ThreadPoolExecutor(at_once, thread_name_prefix="read") as pool:
        waiting: deque[Future[Found]] = deque()
        try:
            for name in names:
                waiting.append(pool.submit(read, name))
                if len(waiting) == at_once:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
