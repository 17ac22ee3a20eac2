"""Whom the server lets ask: programs that know its name, and its own page.

No web page of another origin.
"""

from __future__ import annotations

import pytest

from pipelines.settings import load_settings
from serving.callers import Callers
from serving.problems import Problem
from tests.serving.bundles import put_release
from tests.serving.conftest import ROW
from tests.serving.logged import records

PREDICT = "/models/flights/predict"


def asked(headers, *, method="POST", version="1.1", **settings):
    """Return the status that a request with these headers is refused with, or 200."""
    given = {f"PERENNIAL_{name.upper()}": value for name, value in settings.items()}
    scope = {
        "method": method,
        "http_version": version,
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
    }
    try:
        Callers(load_settings(given)).refuse_strangers(scope)
    except Problem as problem:
        return problem.status
    return 200


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8000",
        "127.0.0.1",
        "127.9.9.9:1",
        "localhost",
        "LOCALHOST:8000",
        "localhost.",
        "[::1]:8000",
        "model.localhost:8000",
    ],
)
def test_loopback_is_known_by_each_of_its_names_and_by_any_port(host):
    assert asked([("Host", host)]) == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "notlocalhost",
        "10.0.0.7",
        "0.0.0.0",
        "[::2]",
    ],
)
def test_other_names_are_refused(host):
    assert asked([("Host", host)]) == 403


@pytest.mark.parametrize(
    "host",
    [
        "",
        "localhost@evil.example",
        "localhost/",
        "localhost, evil.example",
        "localhost:99999999",
        "local host",
        "[::1",
        "ü",
        "localhost#",
    ],
)
def test_what_is_no_host_is_a_bad_request(host):
    assert asked([("Host", host)]) == 400


def test_the_host_is_there_exactly_once_except_in_http_1_0():
    assert asked([]) == 400
    assert asked([], version="1.0") == 200
    assert asked([("Host", "localhost"), ("Host", "localhost")]) == 400


def test_the_settings_name_the_server():
    names = {"serving_hosts": "models.example.org, Other.example"}
    assert asked([("Host", "models.example.org:8000")], **names) == 200
    assert asked([("Host", "OTHER.example")], **names) == 200
    assert asked([("Host", "www.models.example.org")], **names) == 403


def test_in_a_container_the_gateway_looks_at_names():
    assert asked([("Host", "models.example.org")], serving_host="0.0.0.0") == 200
    assert asked([("Host", "models example")], serving_host="0.0.0.0") == 400
    assert (
        asked(
            [("Host", "models.example.org"), ("Origin", "http://evil.example")],
            serving_host="0.0.0.0",
        )
        == 403
    )


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:8000", 200),
        ("HTTP://LOCALHOST:8000", 200),
        ("http://localhost:3000", 403),
        ("http://localhost", 403),
        ("http://evil.example", 403),
        ("http://evil.example@localhost:8000", 403),
        ("http://localhost:8000.evil.example", 403),
        ("https://models.example.org", 200),
        ("https://models.example.org:3000", 403),
        ("null", 403),
        ("", 403),
        ("file://", 403),
    ],
)
def test_a_page_may_ask_where_it_came_from(origin, status):
    assert (
        asked([("Host", "localhost:8000"), ("Origin", origin)], serving_hosts="models.example.org")
        == status
    )


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost", "http://localhost:80"),
        ("localhost:443", "https://localhost"),
        ("x.localhost", "http://x.localhost"),
    ],
)
def test_ports_that_go_without_saying_are_the_same(host, origin):
    assert asked([("Host", host), ("Origin", origin)]) == 200


@pytest.mark.parametrize(
    ("method", "site", "mode", "status"),
    [
        ("POST", "same-origin", "cors", 200),
        ("GET", "none", "navigate", 200),
        ("POST", "cross-site", "no-cors", 403),
        ("POST", "same-site", "no-cors", 403),
        ("POST", "cross-site", "navigate", 403),
        ("GET", "cross-site", "no-cors", 403),
        ("GET", "cross-site", "navigate", 200),
    ],
)
def test_what_a_browser_says_of_the_page_counts(method, site, mode, status):
    headers = [("Host", "localhost"), ("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", mode)]
    assert asked(headers, method=method) == status


@pytest.fixture
def client(store, bundles, serve):
    put_release(store, 1, bundles["1"])
    return serve()


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Host": "evil.example"}, 403, "unknown_host"),
        ({"Origin": "http://evil.example"}, 403, "foreign_origin"),
        ({"Sec-Fetch-Site": "cross-site"}, 403, "foreign_origin"),
        ({"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415, "unsupported_media_type"),
        ({"Content-Type": ""}, 415, "unsupported_media_type"),
    ],
)
@pytest.mark.parametrize("route", ["predict", "feedback"])
def test_what_a_foreign_page_can_send_writes_nothing(client, store, headers, status, code, route):
    request = client.post(PREDICT, json={"row": ROW}).json()["request_id"]
    body = {"row": ROW} if route == "predict" else {"request_id": request, "label": 1}
    answer = client.post(f"/models/flights/{route}", json=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert len(records(store)) == 1
    assert records(store, kind="labels") == []


def test_the_servers_own_page_may_ask(client):
    page = {
        "Origin": "http://127.0.0.1:8000",
        "Sec-Fetch-Site": "same-origin",
        "Sec-Fetch-Mode": "cors",
    }
    assert client.post(PREDICT, json={"row": ROW}, headers=page).status_code == 200
    assert (
        client.post(
            PREDICT,
            json={"row": ROW},
            headers=page | {"Content-Type": "Application/JSON; charset=utf-8"},
        ).status_code
        == 200
    )
