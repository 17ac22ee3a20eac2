"""The gateway's image against its contract.

Routes, switches under load, the candidates' way, what a caller sees when a release is away.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import stat
import tempfile
import threading
import time
import uuid
from pathlib import Path

import httpx
import pytest

from tests.docker.ports import free_port

pytestmark = [pytest.mark.engine, pytest.mark.slow]

MAP = "/gateway/routes.map"
RELEASE = """
import http.server, json, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = sorted(k.lower() for k in self.headers)
        facts = {"release": sys.argv[1], "path": self.path, "headers": headers}
        body = json.dumps(facts).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST = answer
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"""


class Gateway:
    """A gateway in a container, with the folder that it shares."""

    def __init__(self, engine, container, folder):
        self.engine, self.container, self.folder = engine, container, folder

    @property
    def url(self):
        return f"http://127.0.0.1:{self.engine.port(self.container, 8000)[0]['HostPort']}"

    def tell(self, command):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as admin:
            admin.settimeout(5)
            admin.connect(str(self.folder / "admin.sock"))
            admin.sendall(f"{command}\n".encode())
            return b"".join(iter(lambda: admin.recv(65_536), b"")).decode()

    def candidate(self, container, path="/ready"):
        with httpx.Client(
            transport=httpx.HTTPTransport(uds=str(self.folder / "candidates.sock")),
            base_url="http://gateway",
        ) as client:
            return client.get(
                path, headers={"x-perennial-container": container, "x-perennial-proof": "token"}
            )

    def wait(self):
        until(lambda: httpx.get(f"{self.url}/health").status_code == 200)


def until(answered):
    """Wait until `answered` says yes; connections that fail are a no."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with contextlib.suppress(httpx.TransportError):
            if answered():
                return
        time.sleep(0.05)
    pytest.fail("it never answered")


@pytest.fixture(scope="module")
def world(engine):
    """A network with a gateway and two releases of `my_model`, which is led to the first.

    Yields the gateway and the releases' names.
    """
    mark = uuid.uuid4().hex[:8]
    network = engine.create_network(f"perennial-test-{mark}", driver="bridge")["Id"]
    folder = Path(tempfile.mkdtemp(prefix="gateway-"))
    folder.chmod(0o770)
    made = []

    def start(image, name, **options):
        joined = engine.create_networking_config(
            {f"perennial-test-{mark}": engine.create_endpoint_config()}
        )
        made.append(
            engine.create_container(image, name=name, networking_config=joined, **options)["Id"]
        )
        engine.start(made[-1])
        return made[-1]

    try:
        names = [f"perennial-release-my_model{mark}-{number}" for number in (1, 2)]
        for name in names:
            start(
                "perennial/serving:latest",
                name,
                entrypoint=["python", "-c", RELEASE, name],
                host_config=engine.create_host_config(init=True),
            )
        limits = engine.create_host_config(
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            init=True,
            binds=[f"{folder}:/gateway"],
            port_bindings={8000: ("127.0.0.1", free_port())},
        )
        user = f"{os.getuid()}:{os.getgid()}"  # the folder's owner
        gateway = Gateway(
            engine,
            start(
                "perennial/gateway:latest",
                f"perennial-test-gateway-{mark}",
                user=user,
                ports=[8000],
                host_config=limits,
            ),
            folder,
        )
        gateway.wait()
        for name in names:
            until(lambda name=name: gateway.candidate(name).status_code == 200)
        assert gateway.tell(f"add map {MAP} my_model {names[0]}").strip() == ""
        yield gateway, names
    finally:
        for container in made:
            engine.remove_container(container, force=True, v=True)
        engine.remove_network(network)
        shutil.rmtree(folder)


def test_a_request_goes_to_the_release_of_its_model_without_the_headers_of_deploy(world):
    gateway, names = world
    headers = {"X-Perennial-Proof": "guess", "X-Perennial-Container": names[1]}
    answer = httpx.post(
        f"{gateway.url}/models/my_model/predict?a=b", json={}, headers=headers
    ).json()
    assert (answer["release"], answer["path"]) == (names[0], "/models/my_model/predict?a=b")
    assert not [name for name in answer["headers"] if name.startswith("x-perennial")]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/models/other/predict", "unknown_model"),
        ("/models/UPPER", "not_found"),
        ("/", "not_found"),
        ("/metrics", "not_found"),
    ],
)
def test_what_leads_nowhere_is_404_in_the_servers_own_form(world, path, code):
    answer = httpx.get(world[0].url + path)
    assert (answer.status_code, answer.headers["content-type"], answer.json()["error"]["code"]) == (
        404,
        "application/json",
        code,
    )


def test_no_path_climbs_out_of_the_models(world):
    gateway, _ = world
    with socket.create_connection(
        ("127.0.0.1", int(gateway.url.rsplit(":", 1)[1])), timeout=10
    ) as raw:
        raw.sendall(
            b"GET /models/my_model/../../ready HTTP/1.1\r\nHost: localhost\r\nConnection:"
            b" close\r\n\r\n"
        )
        assert raw.recv(100).startswith(b"HTTP/1.1 404 ")


def test_twenty_switches_under_load_lose_nothing(world):
    gateway, names = world
    ended = threading.Event()
    answers = []

    def ask():
        with httpx.Client() as client:
            while not ended.is_set():
                try:
                    answer = client.post(f"{gateway.url}/models/my_model/predict", json={})
                    answers.append(
                        answer.json()["release"]
                        if answer.status_code == 200
                        else answer.status_code
                    )
                except httpx.HTTPError as error:
                    answers.append(repr(error))

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    for number in range(1, 21):
        gateway.tell(f"set map {MAP} my_model {names[number % 2]}")
        switched = httpx.get(f"{gateway.url}/models/my_model").json()["release"]
        assert switched == names[number % 2]
    ended.set()
    for asker in askers:
        asker.join()
    assert set(answers) == set(names)


def test_the_candidates_way_reaches_any_release_with_its_proof_and_nothing_else(world):
    gateway, names = world
    answer = gateway.candidate(names[1]).json()
    assert (answer["release"], answer["path"]) == (names[1], "/ready")
    assert "x-perennial-proof" in answer["headers"]
    assert "x-perennial-container" not in answer["headers"]
    for other in ("localhost", "perennial-release-a-1.evil.example", "perennial-release-A-1", ""):
        assert gateway.candidate(other).status_code == 404
    assert {
        stat.S_IMODE((gateway.folder / name).stat().st_mode)
        for name in ("admin.sock", "candidates.sock")
    } == {0o660}


def test_a_release_that_is_away_is_503_and_when_to_come_back(world):
    gateway, names = world
    gateway.tell(f"add map {MAP} gone perennial-release-gone-1")
    answer = httpx.get(f"{gateway.url}/models/gone", timeout=20)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["error"]["code"] == "model_not_loaded"
    gateway.engine.kill(names[1])
    until(lambda: gateway.candidate(names[1]).status_code == 503)
    gateway.engine.start(names[1])
    until(lambda: gateway.candidate(names[1]).status_code == 200)


def test_a_killed_gateway_comes_back_with_the_routes_of_the_file(world):
    gateway, names = world
    (gateway.folder / "routes.map").write_text(f"my_model {names[1]}\n")
    gateway.engine.kill(gateway.container)
    gateway.engine.start(gateway.container)
    gateway.wait()
    assert httpx.get(f"{gateway.url}/models/my_model").json()["release"] == names[1]
    assert gateway.candidate(names[0]).json()["release"] == names[0]
    assert f"my_model {names[1]}" in gateway.tell(f"show map {MAP}")
