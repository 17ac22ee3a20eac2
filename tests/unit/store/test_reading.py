"""Many things of a store: in their order, and of a far one several at once."""

import threading
from types import SimpleNamespace

import pytest

from pipelines.store.reading import read_each

NEAR, FAR = SimpleNamespace(is_far=False), SimpleNamespace(is_far=True)


@pytest.mark.parametrize("store", [NEAR, FAR])
@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 100])
def test_what_is_read_comes_in_the_order_of_the_names(store, count):
    assert list(read_each(store, lambda n: n * 2, range(count))) == [n * 2 for n in range(count)]


def test_of_a_far_store_as_many_are_asked_for_at_once_as_was_said():
    # each waits until three are asked for together: one at a time would never end
    meeting = threading.Barrier(3, timeout=30)
    lock, running, most = threading.Lock(), 0, 0

    def read(name):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        meeting.wait()
        with lock:
            running -= 1
        return name

    assert list(read_each(FAR, read, range(9), at_once=3)) == list(range(9))
    assert most == 3


def test_a_near_store_is_asked_by_this_thread_alone():
    threads = set(read_each(NEAR, lambda _: threading.get_ident(), range(20)))
    assert threads == {threading.get_ident()}


@pytest.mark.parametrize("store", [NEAR, FAR])
def test_an_error_is_raised_in_its_turn_and_what_comes_behind_is_not_asked_for(store):
    asked = []

    def read(name):
        asked.append(name)
        if name == 3:
            raise OSError("away")
        return name

    found = read_each(store, read, range(1_000), at_once=4)
    assert [next(found) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="away"):
        next(found)
    assert max(asked) < 10


def test_who_stops_early_asks_for_no_more():
    asked = []
    found = read_each(FAR, asked.append, range(1_000), at_once=4)
    next(found)
    found.close()
    assert len(asked) <= 5
