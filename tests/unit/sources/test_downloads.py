"""The source of a URL: what was downloaded is verified and kept, and no secret is told."""

import functools
import http.server
import threading
from hashlib import sha256

import pytest

from pipelines.errors import SpecError, StorageFull, Unreachable
from pipelines.sources.http import Http
from pipelines.sources.urls import without_secrets
from pipelines.spec.sources import HttpSource
from tests.contracts.processes import small_disk
from tests.unit.sources.days import CSV, DAY, FIRST, PASSWORD, SIGNED, assert_no_secret, files


class _Handler(http.server.BaseHTTPRequestHandler):
    def __init__(self, answers, asked, *args):
        self.answers, self.asked = answers, asked
        super().__init__(*args)

    def do_GET(self):
        self.asked.append(self.path)
        status, body = self.answers[min(len(self.asked), len(self.answers)) - 1]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def serve():
    servers = []

    def start(*answers):
        asked: list[str] = []
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(_Handler, list(answers), asked)
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/rows.csv", asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def http_source(url, cache, digest, **more):
    return Http(
        HttpSource(kind="http", url=url, sha256=digest, first=FIRST, **more),
        "at",
        cache,
        attempts=2,
    )


def test_a_download_is_verified_and_kept(tmp_path, serve):
    url, asked = serve((200, CSV))
    source = functools.partial(http_source, url, tmp_path, sha256(CSV).hexdigest())
    assert source().read(DAY).tables["events"].num_rows == 2
    assert source().read(DAY).tables["events"].num_rows == 2
    assert asked == ["/rows.csv"]


def test_a_damaged_cache_is_not_believed(tmp_path, serve):
    url, asked = serve((200, CSV))
    (tmp_path / sha256(CSV).hexdigest()).write_bytes(b"at,x\n2024-01-01T05:00:00Z,666\n")
    assert (
        http_source(url, tmp_path, sha256(CSV).hexdigest()).read(DAY).tables["events"].num_rows == 2
    )
    assert len(asked) == 1


def test_another_file_than_the_spec_says_is_a_problem(tmp_path, serve):
    url, _ = serve((200, b"at,x\n"))
    raw = http_source(url, tmp_path, "0" * 64).read(DAY)
    assert "as the spec says" in raw.problem


def test_a_server_that_stumbles_is_asked_again_and_one_that_is_away_is_named(tmp_path, serve):
    url, asked = serve((503, b""), (200, CSV))
    assert http_source(url, tmp_path, sha256(CSV).hexdigest()).read(DAY).problem is None
    assert len(asked) == 2
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1"):
        http_source("http://127.0.0.1:1/x.csv", tmp_path, "0" * 64).read(DAY)


@pytest.mark.parametrize("status", [404, None])
def test_no_password_and_no_query_of_a_url_is_told(tmp_path, serve, caplog, status):
    caplog.set_level("DEBUG", "httpx")
    url, _ = serve((status or 200, b""))
    place = url.removeprefix("http://") if status else "127.0.0.1:1/rows.csv"
    secret = f"http://ann:{PASSWORD}@{place}?sig={SIGNED}"
    with pytest.raises(
        Unreachable,
        match=r"rows\.csv cannot be read: " + ("status 404" if status else "ConnectError"),
    ) as caught:
        http_source(secret, tmp_path, "0" * 64).read(DAY)
    assert_no_secret(caught.value, caplog)
    with pytest.raises(Unreachable, match=r"rows\.csv") as caught:
        files(tmp_path, secret).read(DAY)
    assert_no_secret(caught.value, caplog)


def test_no_secret_is_told_of_what_is_no_url_and_of_what_cannot_be_parsed(tmp_path, serve, caplog):
    with pytest.raises(SpecError, match="no readable URL") as caught:
        http_source(
            f"http://ann:{PASSWORD}/@127.0.0.1/x.csv?sig={SIGNED}", tmp_path, "0" * 64
        ).read(DAY)
    assert_no_secret(caught.value, caplog)
    with pytest.raises(Unreachable, match=r"magic://host/x\.csv") as caught:
        files(tmp_path, f"magic://ann:{PASSWORD}@host/x.csv?sig={SIGNED}").read(DAY)
    assert_no_secret(caught.value, caplog)
    url, _ = serve((200, b""))
    assert (
        files(tmp_path, f"{url}?sig=s1gned")
        .read(DAY)
        .problem.startswith("rows.csv is empty: not even a header")
    )
    assert (
        http_source(f"{url}?sig=s1gned", tmp_path, sha256(b"").hexdigest())
        .read(DAY)
        .problem.startswith("rows.csv is empty: not even a header")
    )


def test_secrets_in_any_form_are_left_out():
    url = "s3://ann:p%40ss@host/x.csv?sig=abc%2Fdef"
    assert without_secrets(f"no {url} here", url) == "no s3://host/x.csv here"
    assert (
        without_secrets("went to https://bob:pw@other/y?token=t on the way", url)
        == "went to https://other/y on the way"
    )
    for text in ("user ann, p@ss", "asked for abc/def", "asked for ?sig=abc%2Fdef"):
        assert "left out" in without_secrets(text, url)


def test_a_full_disk_is_named_and_nothing_half_written_stays(tmp_path, serve):
    body = b"at,x\n" + b"2024-01-01T05:00:00Z,1\n" * 30_000
    url, _ = serve((200, body))
    with small_disk(tmp_path / "disk", "256k") as disk:
        with pytest.raises(StorageFull, match=str(disk)):
            http_source(url, disk / "http", sha256(body).hexdigest()).read(DAY)
        assert list((disk / "http").iterdir()) == []


def test_a_cached_member_needs_no_network(tmp_path):
    digest = sha256(CSV).hexdigest()
    (tmp_path / digest).write_bytes(CSV)
    source = http_source(
        "http://127.0.0.1:1/x.zip", tmp_path, "0" * 64, member="x.csv", member_sha256=digest
    )
    assert source.read(DAY).tables["events"].num_rows == 2
