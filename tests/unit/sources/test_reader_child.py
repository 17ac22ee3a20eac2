"""The pipe of the process that reads a source: its limits hold however the bytes come."""

from __future__ import annotations

import os
import threading
from types import SimpleNamespace

import pyarrow as pa
import pytest

from pipelines.sources.reader_child import Large, Late, Pipe, ProcessEnded

MIB = 2**20


@pytest.fixture
def ends():
    """The ends of a pipe: where it is read, and where it is written."""
    reads, writes = os.pipe()
    with os.fdopen(writes, "wb", buffering=0) as file:
        yield reads, file
    os.close(reads)


@pytest.fixture
def clock():
    return SimpleNamespace(now=100.0)


@pytest.fixture
def process():
    """A process that notes, when somebody waits for its end, how much Arrow holds by then."""
    held = []
    before = pa.total_allocated_bytes()

    def wait():
        held.append(pa.total_allocated_bytes() - before)
        return 1

    return SimpleNamespace(wait=wait, held=held)


@pytest.fixture
def pipe(ends, clock, process):
    return Pipe(ends[0], process, lambda: clock.now)


@pytest.mark.parametrize("how", ["read", "read_buffer", "readline"])
def test_who_sends_steadily_is_late_all_the_same(pipe, ends, clock, how):
    pipe.until(105.0, lambda: False, MIB)
    ask = getattr(pipe, how)
    with pytest.raises(Late):  # noqa: PT012 -- it is late at one of the lines, whichever
        for _ in range(20):
            ends[1].write(b"one byte after another is sent\n")
            clock.now += 1
            ask(*[] if how == "readline" else [31])
    assert 105 < clock.now < 108


def test_what_is_done_with_a_part_counts_for_nobody(pipe, ends, clock):
    pipe.until(105.0, lambda: False, 10)
    for _ in range(20):
        ends[1].write(b"0123456789")
        assert pipe.read(10) == b"0123456789"
        with pipe.pause(10):
            clock.now += 60


def test_who_sends_steadily_is_looked_at(pipe, ends):
    pipe.until(105.0, lambda: True, MIB)
    ends[1].write(b"0123456789")
    with pytest.raises(Large):
        pipe.read(10)


@pytest.mark.parametrize("size", [MIB + 1, 2**40, -1])
@pytest.mark.parametrize("how", ["read", "read_buffer"])
def test_more_than_may_come_is_refused_before_room_is_made(pipe, how, size):
    pipe.until(105.0, lambda: False, MIB)
    with pytest.raises(Large):
        getattr(pipe, how)(size)


def test_all_parts_of_an_answer_count_together(pipe, ends):
    pipe.until(105.0, lambda: False, 25)
    ends[1].write(b"0123456789" * 3)
    assert pipe.read(10) == pipe.read_buffer(10).to_pybytes()
    with pytest.raises(Large):
        pipe.read_buffer(10)


def test_a_line_without_an_end_is_refused(pipe, ends):
    pipe.until(105.0, lambda: False, 1000)
    for _ in range(3):
        ends[1].write(b"0" * 500)
    with pytest.raises(Large):
        pipe.readline()


def test_room_is_made_for_what_has_come_not_for_what_is_said_to_come(pipe, ends, process):
    pipe.until(105.0, lambda: False, 4096 * MIB)
    ends[1].write(b"0123456789")
    ends[1].close()
    with pytest.raises(ProcessEnded):
        pipe.read_buffer(2048 * MIB)
    assert process.held[0] <= 16 * MIB


def test_what_needs_more_room_arrives_whole(pipe, ends):
    size = 40 * MIB
    whole = os.urandom(MIB) * 40
    pipe.until(105.0, lambda: False, size)

    def send():
        with ends[1] as file:
            left = memoryview(whole)
            while left:
                left = left[file.write(left) :]

    sender = threading.Thread(target=send)
    sender.start()
    assert pipe.read_buffer(size).to_pybytes() == whole
    sender.join()
