"""`doctor`: servers that are away or serve something else, ports that somebody holds."""

from __future__ import annotations

import os
import socket
from contextlib import closing

import pytest

from pipelines.deployment.serving_client import Serves
from pipelines.ops.doctor import machine
from tests.unit.ops.diagnoses import bad, look, settings_of
from tests.unit.steps.deployments import Away


class Other:
    """A server that serves what nobody crowned."""

    def serves(self, _model):
        return Serves(release=7, version="9")


@pytest.mark.parametrize(
    ("server", "words"), [(Away(), "connection refused"), (Other(), "serves 9")]
)
def test_a_server_that_is_away_or_serves_something_else_is_a_problem(restored_state, server, words):
    assert words in bad(look(restored_state, server=server))["sales: server"].said


def test_a_port_that_somebody_else_holds_is_named_with_its_holder(world):
    with closing(socket.socket()) as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        found = list(machine.check_ports(settings_of(world, airflow_port=port)))
    (wrong,) = bad(found).values()
    assert wrong.what == f"port {port} (Airflow)"
    assert f"held by process {os.getpid()} (" in wrong.said
    assert wrong.remedy == "end it, or set PERENNIAL_AIRFLOW_PORT."


def test_an_address_elsewhere_must_answer(world):
    found = list(
        machine.check_ports(settings_of(world, serving_url="http://me:geheim@gateway.invalid:8000"))
    )
    (wrong,) = bad(found).values()
    assert (wrong.what, wrong.said) == (
        "server at http://gateway.invalid:8000",
        "It does not answer.",
    )


def test_a_database_that_is_away_is_a_finding(world):
    found = bad(look(world, ledger_url="postgresql+psycopg2://me:geheim@127.0.0.1:1/ledger"))
    assert {"clock", "ledger", "champions"} <= set(found)
    assert "geheim" not in "".join(f"{finding}" for finding in found.values())
