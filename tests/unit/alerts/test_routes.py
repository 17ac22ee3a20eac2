"""The file of the routes: its form, its mode, and that no address of it is ever shown."""

from __future__ import annotations

import os

import pytest

from pipelines.alerts.routes import read_routes, show_address
from pipelines.errors import RequestError
from tests.unit.alerts.worlds import SECRET

GOOD = f"""
airflow: https://airflow.example.org/base
routes:
  on_call:
    to: slack://T1/{SECRET}/C3
    owners: [shop]
    tell: [failed, late]
  everybody: {{to: "mailtos://me:{SECRET}@mail.example.org"}}
"""


@pytest.fixture
def file(tmp_path):
    def write(text: str, mode: int = 0o600):
        path = tmp_path / "alerts.yaml"
        path.write_text(text)
        path.chmod(mode)
        return path

    return write


def test_a_route_names_its_models_its_owners_and_what_it_tells_of(file):
    routes = read_routes(file(GOOD)).routes
    assert routes["on_call"].tell == ("failed", "late")
    assert routes["on_call"].tells_of("sales", "shop")
    assert not routes["on_call"].tells_of("sales", "flights")
    assert routes["everybody"].tells_of("anything", "")
    assert len(routes["everybody"].tell) == 5


def test_an_address_is_shown_without_its_secrets(file):
    routes = read_routes(file(GOOD))
    assert SECRET not in repr(routes)
    assert SECRET not in routes.model_dump_json()
    assert routes.routes["on_call"].shown == "slack://…"
    assert routes.routes["everybody"].shown == "mailtos://mail.example.org/…"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (f"json://{SECRET}@127.0.0.1:8080/{SECRET}?x={SECRET}", "json://127.0.0.1:8080/…"),
        (f"json://me:{SECRET}@x@h/", "json://h/…"),
        (f"tgram://{SECRET}/1", "tgram://…"),
        (f"json://[{SECRET}", "json://…"),
    ],
)
def test_only_a_server_that_is_no_secret_is_shown(address, shown):
    assert show_address(address) == shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must be keys and values"),
        ("routes: {}", "at least 1"),
        (f"routes: {{a: {{to: 'slack://{SECRET}', colour: red}}}}", "unknown key"),
        (f"routes: {{a: 'slack://{SECRET}'}}", "must be keys and values"),
        (f"routes: {{a: {{to: '{SECRET}'}}}}", "is no address of one service"),
        (f"routes: {{a: {{to: 'json://a/{SECRET}, json://b'}}}}", "is no address of one service"),
        (f"routes: {{a: {{to: ['json://{SECRET}']}}}}", "must be a text"),
        (f"routes: {{'slack://{SECRET}': {{to: 'json://h'}}}}", "lower-case"),
        (f"'slack://{SECRET}': 1\nroutes: {{a: {{to: 'json://h'}}}}", "unknown key"),
        (f"routes: {{a: {{to: 'json://{SECRET}', tell: [gossip]}}}}", "must be 'failed'"),
        (f"routes: {{a: {{to: 'json://{SECRET}', tell: []}}}}", "at least 1"),
        (f"routes: {{a: {{to: 'json://{SECRET}', models: [Sales]}}}}", "lower-case"),
        (
            f"airflow: mailto://{SECRET}\nroutes: {{a: {{to: 'json://h'}}}}",
            "begins with http:// or https://",
        ),
        (f"routes: {{a: {{to: json://{SECRET}", "alerts.yaml:"),
        (f"routes: &x {{a: {{to: 'json://{SECRET}'}}}}\nb: *x", "alias"),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_shows_no_address(file, text, said):
    with pytest.raises(RequestError) as refused:
        read_routes(file(text))
    assert said in refused.value.message
    assert "alerts.yaml:" in refused.value.message
    assert "docs/alerts.md" in refused.value.remedy
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o666])
def test_a_file_that_others_may_read_is_refused(file, mode):
    with pytest.raises(RequestError, match="may be read by others") as refused:
        read_routes(file(GOOD, mode))
    assert "chmod 600" in refused.value.remedy


def test_what_is_no_file_is_refused_at_once(tmp_path):
    with pytest.raises(RequestError, match="cannot be read"):
        read_routes(tmp_path / "absent.yaml")
    with pytest.raises(RequestError, match="cannot be read: Is a directory"):
        read_routes(tmp_path)
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(RequestError, match="no file"):
        read_routes(tmp_path / "pipe")
