"""The server's word over real HTTP.

What it says is understood, and what makes no sense is no answer.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pipelines.deployment.serving_client import Refusal, Serves, ServingClient
from pipelines.errors import Unreachable


@pytest.fixture
def answering():
    """A server that gives one answer, and its client."""
    given = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            given["path"] = self.path
            body = (
                given["body"]
                if isinstance(given["body"], bytes)
                else json.dumps(given["body"]).encode()
            )
            self.send_response(given["status"])
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()

    def client(status, body):
        given.update(status=status, body=body)
        return ServingClient(f"http://127.0.0.1:{server.server_port}/")

    client.given = given
    yield client
    server.shutdown()
    thread.join()
    server.server_close()


REFUSED = {"release": 4, "reason": "it differs", "more": 1}


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        pytest.param(
            200,
            {"release": 3, "version": "7", "refused": None, "since": "now"},
            Serves(release=3, version="7"),
            id="it serves",
        ),
        pytest.param(
            200,
            {"release": 3, "version": "7", "refused": REFUSED},
            Serves(release=3, version="7", refused=Refusal(release=4, reason="it differs")),
            id="it refused a newer one",
        ),
        pytest.param(404, {"error": {"code": "unknown_model"}}, Serves(), id="nothing yet"),
        pytest.param(
            503,
            {"error": {"code": "model_not_loaded"}, "refused": REFUSED},
            Serves(refused=Refusal(release=4, reason="it differs")),
            id="nothing could be loaded",
        ),
    ],
)
def test_what_the_server_says_is_understood(answering, status, body, says):
    assert answering(status, body).serves("visits") == says
    assert answering.given["path"] == "/models/visits"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(200, b"<html>", id="no JSON"),
        pytest.param(200, [1], id="no object"),
        pytest.param(200, {"release": "many"}, id="no number"),
        pytest.param(200, {"error": {"code": "x"}}, id="an error in a 200"),
        pytest.param(404, {"error": {"code": "not_found"}}, id="another 404: a wrong base URL"),
        pytest.param(503, {"error": {"code": "overloaded"}}, id="overloaded"),
        pytest.param(500, {"error": {"code": "internal"}}, id="broken"),
        pytest.param(200, {"refused": {"release": None}}, id="a refusal of nothing"),
    ],
)
def test_what_makes_no_sense_is_no_answer(answering, status, body):
    with pytest.raises(Unreachable):
        answering(status, body).serves("visits")


def test_nobody_there_is_unreachable_with_a_remedy():
    with pytest.raises(Unreachable, match=r"does not answer.*Remedy: start the server"):
        ServingClient("http://127.0.0.1:9").serves("visits")
