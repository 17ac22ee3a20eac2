"""The ports of the stack: which are refused, and why."""

from __future__ import annotations

import os
import socket

import pytest

from pipelines.errors import RequestError
from stack.ports import port_holder, port_is_taken, refuse_ports
from stack.programs import Program


def program(port: int, setting: str = "PERENNIAL_MLFLOW_PORT") -> Program:
    return Program("mlflow", ("true",), "servers", port=port, port_setting=setting)


@pytest.fixture
def listener():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_a_taken_port_is_refused_with_its_setting_and_its_holder(listener):
    assert port_is_taken(listener)
    with pytest.raises(RequestError) as caught:
        refuse_ports([program(listener)])
    assert f"Port {listener} for mlflow is taken by process {os.getpid()}" in str(caught.value)
    assert "PERENNIAL_MLFLOW_PORT" in str(caught.value)
    assert str(os.getpid()) in port_holder(listener)


def test_a_port_wanted_twice_is_refused():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(
        RequestError, match="PERENNIAL_SERVING_PORT and PERENNIAL_MLFLOW_PORT both say"
    ):
        refuse_ports([program(port), program(port, "PERENNIAL_SERVING_PORT")])


def test_a_free_port_is_not_refused():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    refuse_ports([program(port), Program("scheduler", ("true",), "workers")])
