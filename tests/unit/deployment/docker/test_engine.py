"""What the engine says, as one of our errors; spoken to over HTTP, as the real one is."""

from __future__ import annotations

import contextlib
import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipelines.deployment.docker.engine import ReleaseEngine
from pipelines.errors import Conflict, GiveUp, StorageFull, Unreachable

pytestmark = [
    # docker-py leaves closing its pool to the garbage collector.
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"
    ),
]


@contextlib.contextmanager
def engine_that_says(status, body):
    """An engine that answers everything but its version thus: a dict, or lines of a build."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            self.rfile.read(int(self.headers.get("content-length") or 0))
            lines = body if isinstance(body, list) else [body]
            versions = [{"ApiVersion": "1.41", "MinAPIVersion": "1.12", "Version": "20.10"}]
            found = versions if self.path.endswith("/version") else lines
            data = b"\r\n".join(json.dumps(line).encode() for line in found)
            self.send_response(200 if found is versions else status)
            self.send_header("content-type", "application/json")
            self.send_header("transfer-encoding", "chunked")
            self.send_header("connection", "close")
            self.end_headers()
            self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data))

        do_GET = do_POST = do_DELETE = answer  # noqa: N815 -- the server's names

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield ReleaseEngine(f"tcp://127.0.0.1:{server.server_port}", timeout=5)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "message", "error"),
    [
        (500, "write /var/lib/docker/x: no space left on device", StorageFull),
        (409, 'Conflict. The container name "/x" is already in use', Conflict),
        (500, "driver failed", Unreachable),
        (403, "The door does not let this request through.", GiveUp),
        (400, "invalid mount config", GiveUp),
    ],
)
def test_what_the_engine_refuses_has_a_name(status, message, error):
    with (
        engine_that_says(status, {"message": message}) as engine,
        pytest.raises(error, match="create the container x") as caught,
    ):
        engine.create("x", "sha256:1", "net", {}, labels={})
    assert message.split(":", maxsplit=1)[0] in caught.value.message
    assert caught.value.remedy


def test_a_disk_that_fills_up_while_building_can_be_tried_again():
    lines = [
        {"stream": "Step 1/3"},
        {"error": "failed to export image: write /x: no space left on device"},
    ]
    with (
        engine_that_says(200, lines) as engine,
        pytest.raises(StorageFull, match="perennial/release-m:1"),
    ):
        engine.build(io.BytesIO(b"a tar"), "perennial/release-m:1", {})


def test_what_is_not_there_is_none():
    with engine_that_says(404, {"message": "No such thing"}) as engine:
        assert engine.image("perennial/serving:latest") is None
        assert engine.container("x") is None
        assert engine.logs("x", 5) == ""
        engine.stop("x", 1)
        engine.remove("x")
        engine.remove_image("x")


def test_an_image_in_use_stays():
    with engine_that_says(
        409, {"message": "conflict: unable to remove repository reference"}
    ) as engine:
        engine.remove_image("x")


def test_an_engine_that_is_away_is_unreachable():
    with pytest.raises(Unreachable, match=r"tcp://127\.0\.0\.1:9"):
        ReleaseEngine("tcp://127.0.0.1:9", timeout=1).image("x")
