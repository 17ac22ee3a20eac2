"""What a step does and what its task makes of it, the same in each place: containers and pods."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

TWO_STREAMS = """
    say("INFO begins")
    print("noise")
    record({"n": 1})
    say("x" * 70_000)
    record({"n": 9}, step="gate")
    sys.stdout.write('half a line ')
    sys.stdout.flush()
    say("between")
    print("and its end")
    record({"n": 2})
    print("good-bye")
"""
"""A program that answers {"n": 2} among logs of both streams."""

HOSTILE = {
    "name": "x; touch /state/owned",
    "as_of": "{{ 7 * 7 }}",
    "reason": "$(id) `id` 'a' \"b\" \n --privileged",
    "deep": [{"a": None}],
}
HOSTILE_RUN = 'by hand "; touch /state/owned; $(id) {{ 7 * 7 }} ../../x\n,perennial.kind=release'

ENDINGS = [
    pytest.param(
        "say('ERROR column a is gone'); sys.exit(65)",
        AirflowFailException,
        "gave up: column a",
        id="give up",
    ),
    pytest.param(
        "say('ERROR MLflow is away'); sys.exit(75)",
        AirflowException,
        "tried again: MLflow is away",
        id="try again",
    ),
    pytest.param(
        "raise ValueError('oops')",
        AirflowException,
        r"crashed \(exit 1\): ValueError: oops",
        id="a crash",
    ),
    pytest.param(
        "os.kill(os.getpid(), signal.SIGSEGV)",
        AirflowException,
        r"killed \(-11\): a crash in native",
        id="native crash",
    ),
    pytest.param(
        "os.kill(os.getpid(), signal.SIGKILL)",
        AirflowException,
        r"killed \(-9\)",
        id="killed by hand",
    ),
    pytest.param("print('no record')", AirflowException, "without a result record", id="no record"),
    pytest.param(
        "record({'a': 'x' * 9000})",
        AirflowFailException,
        "more than 8192",
        id="too large for XCom",
    ),
]
"""Code, the exception of its task, and words in it."""
