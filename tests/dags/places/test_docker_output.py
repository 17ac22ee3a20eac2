"""The two streams of a container are told apart, however they were cut on their way."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import contextmanager

import pytest
from perennial_airflow.places.docker_output import follow_output
from perennial_airflow.places.output import LONGEST_LINE


def frame(stream: int, text: str) -> bytes:
    return struct.pack(">BxxxL", stream, len(text.encode())) + text.encode()


@contextmanager
def connection():
    """What the engine writes to, and what docker-py gives to read from."""
    engine, ours = socket.socketpair()
    with engine, ours, ours.makefile("rb", buffering=0) as reader:
        yield engine, reader


def read_all(data: bytes, size: int) -> list[tuple[str, str]]:
    """Return the lines of what comes in pieces of `size` bytes."""
    heard: list[tuple[str, str]] = []
    with connection() as (engine, reader):

        def write():
            for start in range(0, len(data), size):
                engine.sendall(data[start : start + size])
            engine.shutdown(socket.SHUT_WR)

        writer = threading.Thread(target=write)
        writer.start()
        follow_output(reader, lambda stream, line: heard.append((stream, line)), lambda: None)
        writer.join()
    return heard


@pytest.mark.parametrize("size", [1, 3, 7, 8, 9, 100_000])
def test_a_containers_output_is_taken_apart_wherever_it_was_cut(size):
    data = (
        frame(1, "one ")
        + frame(2, "other\nhalf")
        + frame(1, "line\n")
        + frame(1, "")
        + frame(7, "unknown\n")
        + frame(2, " a line")
    )
    assert read_all(data, size) == [
        ("stderr", "other"),
        ("stdout", "one line"),
        ("stderr", "half a line"),
    ]


@pytest.mark.parametrize("cut", [3, 12])
def test_a_connection_that_ends_within_a_frame_ends_the_output(cut):
    assert read_all(frame(1, "whole\n") + frame(2, "half a line")[:cut], 100) == [
        ("stdout", "whole"),
        *([("stderr", "half")] if cut == 12 else []),
    ]


def test_an_endless_line_of_a_container_is_cut():
    data = frame(1, "x" * LONGEST_LINE) * 3 + frame(1, "\nshort\n")
    assert [len(line) for _, line in read_all(data, 1 << 20)] == [LONGEST_LINE, 5]


def test_a_step_that_is_silent_is_looked_after():
    with connection() as (engine, reader):
        looks = 0

        def look():
            nonlocal looks
            looks += 1
            if looks == 2:  # nothing came so far: the step is stopped, and its output ends
                engine.shutdown(socket.SHUT_WR)

        follow_output(reader, lambda *_: None, look)
    assert looks >= 2
