"""Doctor's look at a broker of one's own."""

from __future__ import annotations

import pytest

from pipelines.ops.doctor.broker import check_broker
from pipelines.ops.findings import run_check
from pipelines.settings import load_settings
from tests.authorities import Authority
from tests.redis_server import needs_redis, redis_server


def look(state, *clients, **settings):
    variables = {f"PERENNIAL_{name.upper()}": value for name, value in settings.items()}
    found = load_settings({"PERENNIAL_STATE": str(state), **variables})
    return run_check("broker", lambda: check_broker(found, *clients))


@pytest.mark.parametrize(
    "settings", [{}, {"executor": "celery"}, {"broker_url": "amqp://me:hunter2@h/"}]
)
def test_where_there_is_none_of_one_s_own_nothing_is_said(tmp_path, settings):
    assert look(tmp_path, **settings) == []


@needs_redis
def test_the_one_that_the_stack_runs_with_is_asked_and_its_certificate_is_checked(tmp_path):
    """Its password is in the stack's file alone: the record of a running stack has none."""
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    certificate = ours.certify("127.0.0.1")
    with redis_server(tmp_path / "redis", certificate=certificate) as server:
        (tmp_path / "secrets").mkdir()
        (tmp_path / "secrets" / "broker_url").write_text(server.url)
        shown = f"rediss://127.0.0.1:{server.port}/0"
        told = {"executor": "celery", "broker_url": shown}
        (well,) = look(tmp_path, **told, broker_ca=str(ours.file))
        (ill,) = look(tmp_path, **told, broker_ca=str(theirs.file))
    assert (well.state, well.said) == ("ok", f"{shown} takes us, and its certificate holds")
    assert ill.state == "problem"
    assert "shows a certificate that does not hold" in ill.said
    assert "PERENNIAL_BROKER_CA" in ill.remedy


@needs_redis
@pytest.mark.parametrize(
    ("host", "states"), [("127.0.0.1", ["ok"]), ("127.0.0.2", ["ok", "warning"])]
)
def test_one_elsewhere_that_is_reached_without_tls_is_warned_of(tmp_path, host, states):
    with redis_server(tmp_path, host=host) as server:
        found = look(tmp_path, executor="celery", broker_url=server.url)
    assert [each.state for each in found] == states
    assert server.password not in str(found)
    assert all("without encryption" in each.said for each in found[1:])


@pytest.mark.parametrize(
    ("url", "states"),
    [("rediss://:hunter2@h/0", ["ok"]), ("redis://:hunter2@h/0", ["ok", "warning"])],
)
def test_without_a_client_of_redis_what_the_address_itself_says_is_looked_at(tmp_path, url, states):
    """As in the image of the composed stack's commands."""
    told = {"executor": "celery", "broker_url": url}
    found = look(tmp_path, lambda _: False, **told)
    assert [each.state for each in found] == states
    assert "is asked when the stack starts" in found[0].said
    (ill,) = look(tmp_path, lambda _: False, **told, broker_ca=str(tmp_path / "missing.pem"))
    assert ill.state == "problem"
    assert "PERENNIAL_BROKER_CA" in ill.said
