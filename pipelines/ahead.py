"""Work that is done before it is asked for, in another thread."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")


def iterate_ahead(items: Iterator[T], count: int = 2) -> Iterator[T]:
    """Yield the items, of which so many are made before they are asked for; none of them is None.

    They are made one after another. What makes them raises where its item would come.
    """
    with ThreadPoolExecutor(1) as other:
        coming = deque(other.submit(next, items, None) for _ in range(count))
        while (item := coming.popleft().result()) is not None:
            coming.append(other.submit(next, items, None))
            yield item
