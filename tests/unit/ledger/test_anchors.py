"""The ledger's anchor: what a chain alone cannot show is seen, and an anchor that is away stops no
decision."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipelines.errors import Corrupted, RequestError, Unreachable
from pipelines.ledger import GENESIS, Head, MemoryLedger
from pipelines.ledger.anchors import (
    AnchoredLedger,
    FileAnchor,
    HttpAnchor,
    MlflowAnchor,
    anchor_for,
    stand,
)
from pipelines.ledger.sql import SqlLedger
from pipelines.settings import Settings
from tests.decisions import crown, raw


class Kept(BaseHTTPRequestHandler):
    """A server that keeps one JSON document by path; `/broken` answers 500."""

    kept: dict[str, bytes]

    def do_GET(self):
        found = self.kept.get(self.path)
        self.answer(500 if self.path == "/broken" else 404 if found is None else 200, found or b"")

    def do_PUT(self):
        self.kept[self.path] = self.rfile.read(int(self.headers["content-length"]))
        self.answer(500 if self.path == "/broken" else 204)

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    kept = type("Handler", (Kept,), {"kept": {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), kept) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", kept.kept
        running.shutdown()


class Notes(dict):
    """Notes in memory, as MLflow keeps them."""

    def note(self, name, text):
        self[name] = text

    def read_note(self, name):
        return self.get(name)


@pytest.fixture(params=["file", "http", "mlflow"])
def anchor(request, tmp_path, server):
    if request.param == "file":
        return FileAnchor(tmp_path / "else where" / "anchor")
    return (
        HttpAnchor(f"{server[0]}/ledger")
        if request.param == "http"
        else MlflowAnchor(Notes(), "MLflow")
    )


def url(folder):
    return f"sqlite:///{folder}/ledger.db"


def decide(ledger, count, first=0):
    for n in range(first, first + count):
        ledger.append("m", f"k{n}", raw("verdict", {"n": n}))


def rewritten(folder, count, keep):
    """Make a ledger whose chain is whole, but whose entries from number `keep` on say something
    else."""
    other = SqlLedger(url(folder))
    decide(other, keep)
    for n in range(keep, count):
        other.append("m", f"k{n}", raw("verdict", {"n": -n}))
    return other


def test_of_many_decisions_at_once_it_remembers_the_last(anchor):
    ledger = AnchoredLedger(MemoryLedger(), anchor)
    found = ledger.append_many("m", [(f"k{n}", raw("verdict", {"n": n})) for n in range(3)])
    assert anchor.read() == Head(seq=3, hash=found[-1].hash)
    assert ledger.append_many("m", []) == []
    assert list(ledger.walk("m")) == found


def test_it_follows_every_decision(anchor):
    ledger = AnchoredLedger(MemoryLedger(), anchor)
    assert stand(ledger, anchor).anchored is None
    decide(ledger, 3)
    crowned = ledger.crown(
        "m",
        expected=None,
        champion=crown("1"),
        key="k",
    )
    assert anchor.read() == Head(seq=4, hash=crowned.hash)
    decide(ledger, 1)  # known already
    assert anchor.read().seq == 4
    assert (stand(ledger, anchor).behind, ledger.verify()) == (0, 4)


def test_a_cut_end_is_seen_also_after_new_decisions(anchor):
    decide(AnchoredLedger(MemoryLedger(), anchor), 6)
    cut_ledger = AnchoredLedger(MemoryLedger(), anchor)
    decide(cut_ledger, 4)
    with pytest.raises(Corrupted, match="has no entry 6: its end was cut off"):
        cut_ledger.verify()
    decide(cut_ledger, 5, first=10)
    with pytest.raises(Corrupted, match="has another entry 6: it was rewritten"):
        cut_ledger.verify()
    assert anchor.read().seq == 6


def test_a_chain_that_was_rewritten_as_a_whole_is_seen_also_after_new_decisions(anchor, tmp_path):
    decide(AnchoredLedger(SqlLedger(url(tmp_path / "a")), anchor), 6)
    forged = rewritten(tmp_path / "b", 6, keep=2)
    assert forged.verify() == 6  # by its own chain it is whole
    ledger = AnchoredLedger(forged, anchor)
    decide(ledger, 2, first=20)
    with pytest.raises(Corrupted, match="has another entry 6"):
        ledger.verify()


def test_a_cut_end_with_its_head_is_what_the_chain_alone_does_not_show(tmp_path):
    anchor, ledger = FileAnchor(tmp_path / "anchor"), SqlLedger(url(tmp_path))
    decide(AnchoredLedger(ledger, anchor), 6)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as database:
        for (name,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute("DELETE FROM entries WHERE seq > 4")
        database.execute("UPDATE head SET seq = 4, hash = (SELECT hash FROM entries WHERE seq = 4)")
        database.commit()
    assert ledger.verify() == 4
    with pytest.raises(Corrupted, match="has no entry 6"):
        stand(ledger, anchor)


def test_an_anchor_that_is_away_stops_nothing_and_catches_up(server, caplog):
    address, kept = server
    inner = MemoryLedger()
    away = HttpAnchor("http://me:geheim@127.0.0.1:1/ledger")
    ledger = AnchoredLedger(inner, away)
    decide(ledger, 3)
    assert ledger.verify() == 3
    (message,) = [record.getMessage() for record in caplog.records]
    assert "does not follow" in message
    assert "geheim" not in message
    with pytest.raises(Unreachable, match="does not answer"):
        stand(inner, away)
    there = HttpAnchor(f"{address}/ledger")
    decide(AnchoredLedger(inner, there), 1, first=3)
    assert stand(inner, there).behind == 0
    decide(inner, 2, first=10)
    assert stand(inner, there).behind == 2
    assert json.loads(kept["/ledger"]) == {"head": inner.at(4).hash, "count": 4}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"{}",
        b'{"head": "x", "count": 1}',
        b'{"count": "1", "head": "%s"}' % (b"a" * 64),
        b"[" * 9_999,
    ],
)
def test_what_is_no_head_is_named_and_not_overwritten(server, body):
    address, kept = server
    kept["/ledger"] = body
    anchor = HttpAnchor(f"{address}/ledger")
    decide(AnchoredLedger(MemoryLedger(), anchor), 1)
    assert kept["/ledger"] == body
    with pytest.raises(Corrupted, match="holds no head"):
        anchor.read()


def test_an_answer_that_is_too_long_or_an_error_is_named(server):
    address, kept = server
    kept["/long"] = b" " * 100_000
    with pytest.raises(Corrupted, match="more than"):
        HttpAnchor(f"{address}/long").read()
    with pytest.raises(Unreachable, match="answers 500"):
        HttpAnchor(f"{address}/broken").read()
    with pytest.raises(Unreachable, match="answers 500"):
        HttpAnchor(f"{address}/broken").write(Head())


def test_every_flipped_byte_of_the_file_is_seen(tmp_path):
    anchor = FileAnchor(tmp_path / "anchor")
    anchor.write(Head(seq=7, hash="ab" * 32))
    whole = anchor.path.read_bytes()
    for at in range(len(whole)):
        anchor.path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(Corrupted):
            anchor.read()
    assert anchor.path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_written_is_away(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Unreachable, match="cannot be"):
        FileAnchor(tmp_path / "file" / "anchor").write(Head())


def test_the_setting_names_the_anchor(tmp_path):
    def named(text):
        return anchor_for(Settings(ledger_anchor=text), Notes)

    assert named(None) is None
    assert named(f"file://{tmp_path}/a%20b").path == tmp_path / "a b"
    assert isinstance(named("mlflow"), MlflowAnchor)
    assert isinstance(named("https://host/ledger"), HttpAnchor)
    for wrong in ("", "ledger", "file:relative", "file://host/path", "ftp://host/x", "https:///x"):
        with pytest.raises(RequestError, match="PERENNIAL_LEDGER_ANCHOR"):
            named(wrong)
    with pytest.raises(RequestError) as refused:
        named("ftp://me:geheim@host/x")
    assert "geheim" not in str(refused.value)


def test_the_number_of_an_entry_finds_it(tmp_path):
    for ledger in (MemoryLedger(), SqlLedger(url(tmp_path))):
        decide(ledger, 3)
        assert [ledger.at(n).seq for n in (1, 3)] == [1, 3]
        assert [ledger.at(n) for n in (-1, 0, 4)] == [None, None, None]
        assert ledger.at(1).previous == GENESIS
