"""What is read out of a step's output."""

from __future__ import annotations

import json
import logging

import pytest
from perennial_airflow.places.output import Output


def record(result: object, step: str = "train") -> str:
    return json.dumps({"perennial_record": 1, "step": step, "result": result})


def test_the_last_record_of_this_step_is_the_result_whatever_stands_around_it(lines):
    output = Output("train", lines)
    noise = [
        "",
        "progress 10 %",
        '{"a": 1}',
        "perennial_record is a word",
        record({"n": 9}, step="gate"),
        '{"perennial_record": 1, "step": "train"',
    ]
    for line in [record({"n": 1}), *noise, record({"n": 2}), "at exit: a library says good-bye"]:
        output.take_line("stdout", line)
    assert output.result == {"n": 2}
    assert "good-bye" in lines.text
    assert '"n"' not in lines.text


def test_a_record_on_stderr_is_no_result(lines):
    output = Output("train", lines)
    output.take_line("stderr", record({"n": 1}))
    assert output.result is None


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("INFO read 3 batches", logging.INFO),
        ("WARNING late rows", logging.WARNING),
        ("2026-11-21 08:00:00,123 ERROR perennial: no", logging.ERROR),
        ("DEBUG tiny", logging.DEBUG),
        ("no level at all", logging.INFO),
        (
            "a long sentence, in which the word that would be a level comes late: ERROR",
            logging.INFO,
        ),
    ],
)
def test_a_line_keeps_the_level_that_it_names(lines, line, level):
    Output("train", lines).take_line("stderr", line)
    assert lines.lines == [(level, line)]


def test_a_traceback_is_an_error_to_its_end(lines):
    output = Output("train", lines)
    for line in [
        "Traceback (most recent call last):",
        '  File "x.py", line 1',
        "ValueError: no such column: late",
    ]:
        output.take_line("stderr", line)
    assert {level for level, _ in lines.lines} == {logging.ERROR}
    assert output.last_words == "ValueError: no such column: late"


def test_the_last_error_is_remembered_without_its_level_even_if_more_is_said_after_it(lines):
    output = Output("train", lines)
    for line in ["ERROR models/demo/model.yaml: target: missing. Remedy: add it", "INFO closing"]:
        output.take_line("stderr", line)
    assert output.last_words == "models/demo/model.yaml: target: missing. Remedy: add it"


def test_percent_signs_and_braces_in_a_line_are_text(lines):
    Output("train", lines).take_line("stderr", "INFO 100 %s {x} {{ y }}")
    assert lines.text == "INFO 100 %s {x} {{ y }}"
