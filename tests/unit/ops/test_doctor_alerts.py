"""`doctor` looks at who is told of what: addresses, their file and the ledger; nothing is sent."""

from __future__ import annotations

import pytest

from pipelines.ledger.sql import SqlLedger
from pipelines.ops.doctor.alerts import check_alerts
from pipelines.ops.findings import run_check
from tests.decisions import gate_verdict
from tests.unit.alerts.receivers import webhook
from tests.unit.alerts.worlds import SECRET


@pytest.fixture
def settings(world):
    SqlLedger(world.settings.ledger_url).append("sales", "run", gate_verdict())
    return world.settings.replace(alerts=world.home / "alerts.yaml")


def write(settings, mode=0o600, **addresses):
    lines = [f"  {name}:\n    to: {address}\n" for name, address in addresses.items()]
    settings.alerts.write_text("routes:\n" + "".join(lines))
    settings.alerts.chmod(mode)


def look(settings):
    return {f.what: f for f in run_check("alerts", lambda: check_alerts(settings))}


def test_without_routes_it_says_that_nobody_is_told(world):
    [finding] = look(world.settings).values()
    assert finding.state == "ok"
    assert "nobody is told" in finding.said


@pytest.mark.slow
def test_each_route_is_looked_at_and_nothing_is_sent(settings):
    with webhook() as received:
        write(
            settings,
            ops=f"json://me:{SECRET}@127.0.0.1:{received.port}/hook",
            unknown=f"nosuch://{SECRET}@host",
            tokenless="discord://123",
        )
        found = look(settings)
    assert received.bodies == []
    assert {what: f.state for what, f in found.items()} == {
        "alerts: ops": "ok",
        "alerts: unknown": "problem",
        "alerts: tokenless": "problem",
        "alerts: outbox": "ok",
    }
    assert "mend `to` of the route unknown in" in found["alerts: unknown"].remedy
    assert not any(SECRET in f"{f.said} {f.remedy}" for f in found.values())


def test_an_address_without_anything_behind_its_scheme_is_named_by_its_line(settings):
    write(settings, ops="slack://")
    [finding] = look(settings).values()
    assert finding.state == "problem"
    assert "alerts.yaml:3: routes.ops.to" in finding.said


def test_a_file_that_others_may_read_is_a_problem_with_its_remedy(settings):
    write(settings, mode=0o644, ops="json://host")
    [finding] = look(settings).values()
    assert finding.state == "problem"
    assert "chmod 600" in finding.remedy


@pytest.mark.slow
def test_a_ledger_that_takes_no_entry_is_a_problem_because_nothing_is_sent_then(settings):
    write(settings, ops="json://host")
    file = settings.state / "ledger" / "ledger.db"
    content = bytearray(file.read_bytes())
    content[18] = 3  # a version of writing that SQLite only reads
    file.write_bytes(content)
    found = look(settings)["alerts: outbox"]
    assert found.state == "problem"
    assert "readonly" in found.said
    assert "let the program write" in found.remedy
