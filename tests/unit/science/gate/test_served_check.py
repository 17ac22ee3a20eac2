"""What is too large, too slow or answers otherwise is refused, and so is what is not known."""

from __future__ import annotations

import pytest

from pipelines.science.gate.served_check import (
    GoldenAnswer,
    LatencyFacts,
    MemoryFacts,
    ServedFacts,
    ServerFacts,
    check_served,
)
from pipelines.spec import Gate
from tests.unit.science.gate.facts import GATE

ROW = {"row": {"a": 1}, "answer": 0.5, "within": 0.1}
ASKED = Gate.model_validate(
    {
        **GATE.model_dump(exclude={"approval_within"}),
        "size": {"bundle": "1m"},
        "latency": {"milliseconds": 5, "quantile": 0.95},
        "memory": {"at_most": "100m"},
        "golden": [ROW],
    }
)
RIGHT = GoldenAnswer(0, 0.5, 0.55, 0.1, right=True)
LITTLE = MemoryFacts(30 * 2**20, without=70 * 2**20)
QUICK = LatencyFacts(0.2, 300)
FACTS = ServedFacts(500_000, compiled=True, server=ServerFacts(QUICK, LITTLE, (RIGHT,)))


def checks(facts):
    return {c.name: c for c in check_served(facts, ASKED)}


def test_what_is_small_fast_and_right_passes():
    found = checks(FACTS)
    assert all(c.passed for c in found.values())
    assert (found["size"].value, found["size"].limit) == (500_000, 2**20)
    assert (found["latency"].value, found["latency"].limit) == (0.2, 5)
    assert (found["memory"].value, found["memory"].limit) == (30 * 2**20, 100 * 2**20)
    assert "95 % of requests for one row within 0.2 ms over HTTP" in found["latency"].detail
    assert "takes 30 MiB more with it (100 MiB in all)" in found["memory"].detail


def test_what_is_large_slow_or_wrong_says_what_would_pass():
    wrong = GoldenAnswer(0, 0.5, 0.75, 0.1, right=False)
    found = checks(
        ServedFacts(
            3 * 2**20,
            why_native="no converter",
            server=ServerFacts(LatencyFacts(9, 20), MemoryFacts(160 * 2**20), (wrong,)),
        )
    )
    assert not any(c.passed for c in found.values())
    assert "2 MiB less" in found["size"].would_pass
    assert "no converter" in found["size"].detail
    assert "4 ms faster" in found["latency"].would_pass
    assert found["memory"].would_pass.startswith("60 MiB less")
    assert "gate.golden.0: 0.75 instead of 0.5" in found["golden"].detail
    assert found["golden"].would_pass.startswith("`within: 0.25`")


@pytest.mark.parametrize("facts", [None, ServedFacts(error="it cannot be loaded")])
def test_what_could_not_be_asked_is_refused(facts):
    assert [c.passed for c in checks(facts).values()] == [False] * 4


def test_what_was_not_measured_is_refused():
    found = checks(ServedFacts(10))
    assert found["size"].passed
    assert not found["latency"].passed
    assert not found["memory"].passed
    assert not found["golden"].passed
    server = ServerFacts(QUICK, MemoryFacts(error="no Linux"), (RIGHT,))
    found = checks(ServedFacts(10, server=server))
    assert (found["memory"].passed, found["memory"].value) == (False, None)
    assert "could not be measured: no Linux" in found["memory"].detail
    assert found["latency"].passed
    assert found["golden"].passed


def test_a_server_that_fails_refuses_all_that_asks_for_it():
    found = checks(ServedFacts(10, server=ServerFacts(error="The server ended.")))
    assert found.pop("size").passed
    for name, check in found.items():
        assert not check.passed
        assert check.detail.endswith(": The server ended.")
        assert check.would_pass == f"mend that, or take gate.{name} out"


def test_nothing_is_checked_that_the_spec_does_not_ask_for():
    assert check_served(None, GATE) == []


def test_a_request_that_cannot_be_answered_is_a_matter_of_its_own():
    unanswered = GoldenAnswer(0, 0.5, None, 0.0, right=False, problem="city: no text")
    server = ServerFacts(QUICK, LITTLE, golden=(unanswered,))
    found = checks(ServedFacts(500_000, compiled=True, server=server))
    assert (found["size"].passed, found["latency"].passed) == (True, True)
    assert not found["golden"].passed
    assert "gate.golden.0 cannot be answered: city: no text" in found["golden"].detail
    assert found["golden"].would_pass == "a value of its type for each input"
