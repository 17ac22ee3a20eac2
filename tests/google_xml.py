"""Google's XML API, which obstore speaks, before Google's own storage-testbench.

The testbench is whole in the JSON API alone: of the XML API it has a get and a put, without the
headers that obstore reads. Here each request becomes one of the JSON API. What decides stays the
testbench's: generations and their conditions, contents, listings, and the faults that it plays.
Uploads in parts, which it has in neither form, are put together here. So are signatures of tokens,
which it does not look at, checked here.

By hand: `python -m tests.google_xml http://127.0.0.1:9000 9001` says the environment of a store.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import re
import secrets
import sys
import threading
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit
from xml.sax.saxutils import escape

from tests.google_account import ServiceAccount

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = 50
"""Names in one answer of a listing: few, so that tests see more than one."""
CODES = {403: "AccessDenied", 412: "PreconditionFailed", 429: "SlowDown", 503: "ServiceUnavailable"}
"""Codes of the XML API, by the status that the JSON API answered."""


class Answer(NamedTuple):
    """What the front answers."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = {}  # noqa: RUF012 -- nobody writes to it


class Refusal(Exception):
    """The testbench refused; `answer` is that in the XML API's form."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"{status} {code}")
        self.answer = Answer(
            status, f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>".encode()
        )


@dataclass
class Front:
    """The XML API before one testbench."""

    upstream: str
    account: ServiceAccount
    url: str = ""
    tokens: set[str] = field(default_factory=set)
    """Tokens that count beside those that the account has signed."""
    retry_test: str = ""
    """The testbench's plan of faults that requests are part of."""
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)

    def fail(self, method: str, *instructions: str) -> None:
        """Let the testbench play faults (its "Retry Test API"), one for each next call."""
        body = json.dumps({"instructions": {method: list(instructions)}}).encode()
        answer = self.ask("POST", "/retry_test", body, {"Content-Type": "application/json"})
        self.retry_test = json.loads(answer.body)["id"]

    def has_failed(self) -> bool:
        """Tell whether all faults of the plan were played."""
        answer = self.ask("GET", f"/retry_test/{self.retry_test}")
        return bool(json.loads(answer.body)["completed"])

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Return the testbench's own answer; OSError or HTTPException where it broke off."""
        connection = http.client.HTTPConnection(self.upstream, timeout=60)
        plan = {"x-retry-test-id": self.retry_test} if self.retry_test else {}
        with contextlib.closing(connection):
            connection.request(method, path, body, {**(headers or {}), **plan})
            answer = connection.getresponse()
            return Answer(answer.status, answer.read(), dict(answer.getheaders()))

    def allowed(self, method: str, path: str, *rest: Any) -> Answer:
        """Return an answer that is none of a refusal, else raise it. A bucket's name is first."""
        answer = self.ask(method, path, *rest)
        if answer.status < 300:
            return answer
        if answer.status == 404:
            is_bucket = b"Bucket" in answer.body or b"bucket" in answer.body
            raise Refusal(404, "NoSuchBucket" if is_bucket else "NoSuchKey")
        raise Refusal(answer.status, CODES.get(answer.status, "InternalError"))

    def is_known(self, token: str) -> bool:
        """Tell whether a token counts."""
        return token in self.tokens or self.account.has_signed(token)

    def answer(
        self, method: str, path: str, query: dict[str, str], headers: Any, body: bytes
    ) -> Answer:
        """Return what the XML API answers."""
        token = (headers.get("Authorization") or "").removeprefix("Bearer ")
        if not self.is_known(token):
            raise Refusal(401, "AuthenticationRequired")
        bucket, _, name = path.lstrip("/").partition("/")
        bucket, name = unquote(bucket), unquote(name)
        if not name:
            return self.list(bucket, query)
        if "uploads" in query or "uploadId" in query:
            return self.upload(method, bucket, name, query, body)
        if method == "PUT":
            return self.put(bucket, name, headers, body)
        if method == "DELETE":
            self.allowed("DELETE", object_path(bucket, name))
            return Answer(204)
        return self.get(bucket, name, headers, with_body=method == "GET")

    def put(self, bucket: str, name: str, headers: Any, body: bytes) -> Answer:
        condition = headers.get("x-goog-if-generation-match")
        meta = {
            key.lower().removeprefix("x-goog-meta-"): value
            for key, value in headers.items()
            if key.lower().startswith("x-goog-meta-")
        }
        mark = secrets.token_hex(16)
        told = json.dumps({"name": name, "metadata": meta}).encode()
        parts = b"".join(
            f"--{mark}\r\nContent-Type: {kind}\r\n\r\n".encode() + data + b"\r\n"
            for kind, data in (("application/json", told), ("application/octet-stream", body))
        )
        query = {"uploadType": "multipart", "name": name}
        if condition is not None:
            query["ifGenerationMatch"] = condition
        answer = self.allowed(
            "POST",
            f"/upload/storage/v1/b/{bucket}/o?{urlencode(query)}",
            parts + f"--{mark}--\r\n".encode(),
            {"Content-Type": f"multipart/related; boundary={mark}"},
        )
        return Answer(200, b"", _tags(json.loads(answer.body)))

    def get(self, bucket: str, name: str, headers: Any, *, with_body: bool) -> Answer:
        known = json.loads(self.allowed("GET", object_path(bucket, name)).body)
        tags = _tags(known) | {"Last-Modified": _http_date(known["updated"])}
        tags |= {f"x-goog-meta-{key}": text for key, text in known.get("metadata", {}).items()}
        if headers.get("If-None-Match") == tags["ETag"]:
            return Answer(304, b"", tags)
        if not with_body:
            return Answer(200, b"", tags | {"Content-Length": known.get("size", "0")})
        query = urlencode({"alt": "media", "generation": known["generation"]})
        return Answer(200, self.allowed("GET", f"{object_path(bucket, name)}?{query}").body, tags)

    def list(self, bucket: str, query: dict[str, str]) -> Answer:
        """Return a page of a listing; the testbench answers all names at once."""
        asked = {key: query[key] for key in ("prefix", "delimiter") if key in query}
        found = json.loads(self.allowed("GET", f"/storage/v1/b/{bucket}/o?{urlencode(asked)}").body)
        items = sorted(found.get("items", ()), key=lambda item: item["name"])
        after = query.get("continuation-token", "")
        left = [item for item in items if item["name"] > after]
        page = left[:PAGE]
        more = "".join(
            f"<NextContinuationToken>{escape(item['name'])}</NextContinuationToken>"
            for item in page[-1:]
        )
        text = "".join(
            f"<Contents><Key>{escape(item['name'])}</Key><Size>{item.get('size', 0)}</Size>"
            f"<LastModified>{item['updated']}</LastModified>"
            f"<ETag>{escape(_tags(item)['ETag'])}</ETag></Contents>"
            for item in page
        ) + "".join(
            f"<CommonPrefixes><Prefix>{escape(prefix)}</Prefix></CommonPrefixes>"
            for prefix in ([] if after else found.get("prefixes", ()))
        )
        tail = more if len(left) > len(page) else ""
        return Answer(200, f"<ListBucketResult>{text}{tail}</ListBucketResult>".encode())

    def upload(
        self, method: str, bucket: str, name: str, query: dict[str, str], body: bytes
    ) -> Answer:
        """Begin, go on with, end or give up an upload in parts."""
        if "uploads" in query:
            self.allowed("GET", f"/storage/v1/b/{bucket}")
            number = secrets.token_hex(16)
            self.uploads[number] = {}
            text = f"<UploadId>{number}</UploadId>"
            return Answer(200, f"<InitiateMultipartUploadResult>{text}"
                          "</InitiateMultipartUploadResult>".encode())  # fmt: skip
        parts = self.uploads.get(query["uploadId"])
        if parts is None:
            raise Refusal(404, "NoSuchUpload")
        if method == "PUT":
            parts[int(query["partNumber"])] = body
            return Answer(200, b"", {"ETag": f'"{query["partNumber"]}"'})
        if method == "DELETE":
            del self.uploads[query["uploadId"]]
            return Answer(204)
        numbers = [int(number) for number in re.findall(rb"<PartNumber>(\d+)<", body)]
        tags = self.put(bucket, name, {}, b"".join(parts[n] for n in numbers)).headers
        del self.uploads[query["uploadId"]]
        text = f"<ETag>{escape(tags['ETag'])}</ETag>"
        return Answer(
            200,
            f"<CompleteMultipartUploadResult>{text}</CompleteMultipartUploadResult>".encode(),
            tags,
        )


def object_path(bucket: str, name: str) -> str:
    """Return where the JSON API has an object."""
    return f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}"


def _tags(known: dict[str, Any]) -> dict[str, str]:
    # The JSON API's etag tells versions of what is said of an object, that of the XML API contents
    etag = base64.b64decode(known["md5Hash"]).hex()
    return {"ETag": f'"{etag}"', "x-goog-generation": str(known["generation"])}


def _http_date(moment: str) -> str:
    return format_datetime(datetime.fromisoformat(moment), usegmt=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    front: Front

    def do(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        query = {k: v[-1] for k, v in parse_qs(parts.query, keep_blank_values=True).items()}
        try:
            answer = self.front.answer(self.command, parts.path, query, self.headers, body)
        except Refusal as refusal:
            answer = refusal.answer
        except (OSError, http.client.HTTPException):
            # The testbench broke off: so does this, in the middle of an answer.
            self.close_connection = True
            self.connection.close()
            return
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if "Content-Length" not in answer.headers and answer.status not in {204, 304}:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def xml_front(
    testbench: str, account: ServiceAccount, port: int = 0, host: str = "127.0.0.1"
) -> Iterator[Front]:
    """Run the XML API before a testbench, for those whose tokens this account has signed."""
    front = Front(urlsplit(testbench).netloc, account)
    server = ThreadingHTTPServer((host, port), type("H", (_Handler,), {"front": front}))
    server.daemon_threads = True
    front.url = f"http://{host}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield front
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


if __name__ == "__main__":
    with xml_front(sys.argv[1], ServiceAccount(), int(sys.argv[2])) as running:
        sys.stdout.write(f"PERENNIAL_STORE_ENDPOINT={running.url}\n")
        sys.stdout.write(f"GOOGLE_SERVICE_ACCOUNT_KEY={running.account.key}\n")
        sys.stdout.flush()
        threading.Event().wait()
