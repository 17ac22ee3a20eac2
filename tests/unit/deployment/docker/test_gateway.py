"""The routes: in the file and in the running gateway, whose runtime commands are played by a small
one here."""

from __future__ import annotations

import contextlib
import socketserver
import tempfile
import threading
from pathlib import Path

import pytest

from pipelines.deployment.docker.gateway import ADMIN, MAP, ROUTES, Gateway
from pipelines.errors import Unreachable


class Running:
    """HAProxy's answers to the commands that change a map, as version 2.6 gives them."""

    def __init__(self):
        self.routes, self.commands, self.deaf = {}, [], False

    def answer(self, command):
        self.commands.append(command)
        verb, what, path, *rest = command.split()
        assert (what, path) == ("map", MAP)
        if verb == "show":
            return (
                "".join(
                    f"0x55d{i:x} {model} {name}\n"
                    for i, (model, name) in enumerate(self.routes.items())
                )
                + "\n"
            )
        if self.deaf:
            return "\n"
        if verb == "del":
            del self.routes[rest[0]]
        else:
            assert (verb == "set") == (rest[0] in self.routes)
            self.routes[rest[0]] = rest[1]
        return "\n"


@contextlib.contextmanager
def running(folder):
    known = Running()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(known.answer(self.rfile.readline().decode().strip()).encode())

    server = socketserver.ThreadingUnixStreamServer(str(folder / ADMIN), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield known
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def folder():
    """A folder with a name short enough for a socket's address."""
    with tempfile.TemporaryDirectory(prefix="gw-") as name:
        yield Path(name)


def test_a_route_is_set_changed_and_removed_in_both_places(folder):
    gateway = Gateway(folder)
    with running(folder) as known:
        for container in ("perennial-release-m-1", "perennial-release-m-2", None):
            gateway.lead("m", container)
            assert gateway.leads("m") == gateway.written_route("m") == container
        gateway.lead("m", None)
        gateway.lead("other", "perennial-release-other-1")
        gateway.lead("m", "perennial-release-m-3")
    assert known.routes == {"other": "perennial-release-other-1", "m": "perennial-release-m-3"}
    assert (
        folder / ROUTES
    ).read_text() == "m perennial-release-m-3\nother perennial-release-other-1\n"
    assert sorted(p.name for p in folder.iterdir() if p.name.startswith(".routes-")) == []


def test_a_gateway_that_is_away_leaves_the_file_alone(folder):
    (folder / ROUTES).write_text("m perennial-release-m-1\n")
    with pytest.raises(Unreachable, match="start the gateway"):
        Gateway(folder).lead("m", "perennial-release-m-2")
    assert (folder / ROUTES).read_text() == "m perennial-release-m-1\n"


def test_a_folder_that_is_not_there_is_a_gateway_that_is_away(folder):
    with pytest.raises(Unreachable, match="start the gateway"):
        Gateway(folder / "nothing").lead("m", "perennial-release-m-2")
    assert Gateway(folder / "nothing").written_route("m") is None


def test_a_gateway_that_keeps_its_route_is_found_out(folder):
    with running(folder) as known:
        known.deaf = True
        with pytest.raises(Unreachable, match="kept the old one"):
            Gateway(folder).lead("m", "perennial-release-m-2")


def test_what_is_routed_already_is_not_told_again(folder):
    with running(folder) as known:
        known.routes["m"] = "perennial-release-m-1"
        Gateway(folder).lead("m", "perennial-release-m-1")
        assert [c for c in known.commands if not c.startswith("show")] == []
    assert Gateway(folder).written_route("m") == "perennial-release-m-1", "but the file is mended"
