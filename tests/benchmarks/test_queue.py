"""A slot that becomes free is one task's: who waits for the next one is not late for this one."""

from __future__ import annotations

from benchmarks.queue import overheads
from stack.airflow_api import TaskRun


def task(name: str, start: float, end: float) -> TaskRun:
    words = [f"2026-05-04T12:00:{at:05.2f}+00:00" for at in (start, end)]
    return TaskRun(
        task=name, index=-1, label="", state="success", tries=1, seconds=end - start,
        start=words[0], end=words[1],
    )  # fmt: skip


def test_a_task_is_late_by_its_wait_after_those_before_it():
    run = [task("wait", 0, 1), task("ingest", 1.5, 3), task("validate", 4, 5)]
    assert overheads([run], slots=2) == [0.5, 1.0]


def test_a_task_that_waits_for_a_slot_is_late_from_when_its_slot_is_free():
    waits = [task("wait", 0, 1)]
    first, second, third = (
        [*waits, task("ingest", 1, 10)],
        [*waits, task("ingest", 10.5, 20)],
        [*waits, task("ingest", 20.25, 30)],
    )
    assert overheads([first, second, third], slots=1) == [0, 0.5, 0.25]
    assert overheads([first, second, third], slots=2) == [0, 9.5, 10.25]


def test_what_did_not_begin_is_not_late():
    skipped = TaskRun(
        task="ingest", index=-1, label="", state="skipped", tries=0, seconds=None, start=None,
        end=None,
    )  # fmt: skip
    assert overheads([[task("wait", 0, 1), skipped]], slots=1) == []
