"""The declarations of the tasks: what each learns, answers and needs."""

from typing import get_args

import pytest

from pipelines.bundle.schema import Column, InputSchema
from pipelines.tasks import TASKS, Task, classifies, is_wide, learns_named_classes

COLUMN = Column(name="x", kind="number", nullable=False)


def test_each_task_is_declared_under_its_own_name():
    assert [t.name for t in TASKS.values()] == list(TASKS)
    assert set(TASKS) == set(get_args(Task))


def test_what_learns_from_no_target_needs_none():
    assert {n for n, t in TASKS.items() if t.learns == "nothing"} == {"anomaly", "cluster"}
    assert all((t.target == "needed") == (t.learns != "nothing") for t in TASKS.values())


def test_groups_have_names_that_no_target_gives():
    assert is_wide("cluster")
    assert not classifies("cluster")
    assert not learns_named_classes("cluster")
    assert learns_named_classes("multiclass")


@pytest.mark.parametrize(
    ("task", "fields", "width"),
    [
        ("binary", {}, 1),
        ("regression", {}, 1),
        ("forecast", {}, 1),
        ("anomaly", {}, 1),
        ("multiclass", {"classes": ["a", "b", "c"]}, 3),
        ("cluster", {"classes": ["0", "1"]}, 2),
        ("quantiles", {"levels": [0.05, 0.5]}, 2),
    ],
)
def test_a_schema_says_how_many_numbers_an_answer_has(task, fields, width):
    schema = InputSchema(task=task, columns=[COLUMN], **fields)
    assert schema.width == width
    assert schema.answer_names == [
        *fields.get("classes", []),
        *(f"{level}" for level in fields.get("levels", [])),
    ]
