"""Requests whose bytes can be read in two ways, each with the answers that it must have, from the
server and through the gateway."""

from __future__ import annotations

import json
from typing import NamedTuple

from tests.serving.conftest import ROW

ROUTE = b"/models/flights/predict"
BODY = json.dumps({"row": ROW}).encode()
LENGTH = b"Content-Length: %d" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked"
CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
H2C = (
    b"Connection: Upgrade, HTTP2-Settings",
    b"Upgrade: h2c",
    b"HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA",
)
WEBSOCKET = (
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
JSON = b"Content-Type: application/json"


def post(
    *headers: bytes,
    body: bytes = BODY,
    line: bytes = b"POST %s HTTP/1.1" % ROUTE,
    host: bytes = b"Host: localhost",
) -> bytes:
    """Return a prediction request.

    What is strange about it stands in `headers`, `body`, `line` or `host`.
    """
    return b"\r\n".join([line, *([host] if host else []), JSON, *headers, b"", body])


def get(*headers: bytes, line: bytes = b"GET /models/flights HTTP/1.1") -> bytes:
    return b"\r\n".join([line, b"Host: localhost", *headers, b"", b""])


def chunked(text: bytes, *headers: bytes) -> bytes:
    return post(CHUNKED, *headers, body=text)


def method(name: bytes, *headers: bytes) -> bytes:
    return get(*headers, line=name + b" /models/flights HTTP/1.1")


PLAIN = post(LENGTH)
INNER = post(LENGTH, b"X-Request-ID: smuggled")
"""A whole request that is another one's body.

Where it is answered or logged by itself, it was smuggled.
"""

HIDES = b"Content-Length: %d" % len(INNER)


class Case(NamedTuple):
    """What is sent on one connection, and the statuses of its answers, in order.

    `behind` where the gateway reads it otherwise.
    """

    sent: bytes
    answers: list[int]
    behind: list[int] | None = None


CASES = {
    "h2c is offered": Case(post(*H2C, LENGTH) + PLAIN, [200, 200]),
    "h2c is offered and a request is hidden": Case(
        post(*H2C, HIDES, body=INNER) + PLAIN, [400, 200]
    ),
    "h2c is offered with chunks": Case(post(*H2C, CHUNKED, body=CHUNKS) + PLAIN, [200, 200]),
    "h2c is offered without a body": Case(get(*H2C) + PLAIN, [200, 200]),
    "h2c is offered three times": Case(post(*H2C, LENGTH) * 3, [200, 200, 200]),
    "a websocket hides a request": Case(post(*WEBSOCKET, HIDES, body=INNER) + PLAIN, [400, 200]),
    "a websocket is asked for": Case(get(*WEBSOCKET) + PLAIN, [200, 200]),
    "TLS is offered": Case(
        post(b"Connection: upgrade", b"Upgrade: TLS/1.0", LENGTH) + PLAIN, [200, 200]
    ),
    "an upgrade beside two lengths": Case(post(*H2C, LENGTH, HIDES, body=INNER), [400]),
    "an upgrade beside length and chunks": Case(
        post(*H2C, LENGTH, CHUNKED, body=b"0\r\n\r\n" + INNER), [400]
    ),
    "length and chunks": Case(post(LENGTH, CHUNKED, body=b"0\r\n\r\n" + INNER), [400]),
    "chunks and length": Case(post(CHUNKED, LENGTH, body=b"0\r\n\r\n" + INNER), [400]),
    "a folded coding": Case(
        post(b"Transfer-Encoding:\r\n chunked", LENGTH, body=BODY + INNER), [400]
    ),
    "an unknown coding and a length": Case(
        post(b"Transfer-Encoding: xchunked", LENGTH, body=BODY + INNER), [400]
    ),
    "an unknown coding": Case(post(b"Transfer-Encoding: xchunked", body=CHUNKS), [501], [400]),
    "identity": Case(post(b"Transfer-Encoding: identity", body=INNER), [501], [400]),
    "identity and a length": Case(post(b"Transfer-Encoding: identity", LENGTH), [400]),
    "gzip within chunks": Case(
        post(b"Transfer-Encoding: gzip, chunked", body=CHUNKS) + PLAIN, [501], [422]
    ),
    "chunks within gzip": Case(post(b"Transfer-Encoding: chunked, gzip", body=CHUNKS), [400]),
    "chunked twice in one header": Case(
        post(b"Transfer-Encoding: chunked, chunked", body=CHUNKS), [400]
    ),
    "chunked in two headers": Case(post(CHUNKED, CHUNKED, body=CHUNKS), [400]),
    "chunked and identity": Case(post(CHUNKED, b"Transfer-Encoding: identity", body=CHUNKS), [400]),
    "a coding behind a vertical tab": Case(
        post(b"Transfer-Encoding: \x0bchunked", LENGTH, body=BODY + INNER), [400]
    ),
    "a coding in quotes": Case(post(b'Transfer-Encoding: "chunked"', LENGTH), [400]),
    "a coding without a name": Case(post(b"Transfer-Encoding:", LENGTH), [400]),
    "a blank before the coding's colon": Case(post(b"Transfer-Encoding : chunked", LENGTH), [400]),
    "a blank behind the coding": Case(
        post(b"Transfer-Encoding: chunked ", body=CHUNKS) + PLAIN, [200, 200]
    ),
    "a coding in capitals": Case(
        post(b"TRANSFER-ENCODING: CHUNKED", body=CHUNKS) + PLAIN, [200, 200]
    ),
    "a coding with an underscore": Case(
        post(b"Transfer_Encoding: chunked", LENGTH) + PLAIN, [200, 200]
    ),
    "the same length twice": Case(post(LENGTH, LENGTH), [400], [200]),
    "two lengths": Case(post(LENGTH, HIDES, body=BODY + INNER), [400]),
    "the same length in a list": Case(post(LENGTH + b", %d" % len(BODY)), [400], [200]),
    "a length with a plus": Case(post(b"Content-Length: +%d" % len(BODY)), [400]),
    "a length below zero": Case(post(b"Content-Length: -1"), [400]),
    "a length in hexadecimal": Case(post(b"Content-Length: 0x10"), [400]),
    "a length without a number": Case(post(b"Content-Length: "), [400]),
    "a length with a blank in it": Case(post(b"Content-Length: 1 0"), [400]),
    "a length with a point": Case(post(b"Content-Length: 1.0"), [400]),
    "a length with an underscore": Case(post(b"Content-Length: 1_0"), [400]),
    "a length beyond all numbers": Case(post(b"Content-Length: 99999999999999999999999"), [400]),
    "a length with zeros before": Case(
        post(b"Content-Length: 000%d" % len(BODY)) + PLAIN, [200, 200]
    ),
    "a blank before the length's colon": Case(post(b"Content-Length : %d" % len(BODY)), [400]),
    "a blank behind the length": Case(post(LENGTH + b"  \t") + PLAIN, [400], [200, 200]),
    "a length that is too small": Case(post(b"Content-Length: %d" % (len(BODY) - 1)), [400, 400]),
    "no length": Case(post(body=PLAIN), [400, 200]),
    "extensions of chunks": Case(
        chunked(b'%x;a=b;c="d"\r\n%s\r\n0;x\r\n\r\n' % (len(BODY), BODY)) + PLAIN, [200, 200]
    ),
    "a line feed in an extension": Case(
        chunked(b"%x;a\nb\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)), [400]
    ),
    "a chunk without a size": Case(chunked(b"\r\n%s\r\n0\r\n\r\n" % BODY), [400]),
    "a chunk of no number": Case(chunked(b"zz\r\n%s\r\n0\r\n\r\n" % BODY), [400]),
    "a chunk below zero": Case(chunked(b"-1\r\n%s\r\n0\r\n\r\n" % BODY), [400]),
    "a chunk with 0x": Case(chunked(b"0x%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)), [400]),
    "a chunk beyond all numbers": Case(
        chunked(b"ffffffffffffffffff\r\n%s\r\n0\r\n\r\n" % BODY), [400]
    ),
    "a chunk that is longer than it says": Case(
        chunked(b"%x\r\n%sXX\r\n0\r\n\r\n" % (len(BODY), BODY)), [400]
    ),
    "a blank behind a chunk's size": Case(
        chunked(b"%x \r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)), [400], [200]
    ),
    "chunks with bare line feeds": Case(
        chunked(b"%x\n%s\n0\n\n" % (len(BODY), BODY)), [400], [200]
    ),
    "a chunk's size with zeros before": Case(
        chunked(b"0000%x\r\n%s\r\n000\r\n\r\n" % (len(BODY), BODY)) + PLAIN, [200, 200]
    ),
    "chunks that end at once": Case(chunked(b"0\r\n\r\n" + PLAIN), [400, 200]),
    "a trailer": Case(
        chunked(b"%x\r\n%s\r\n0\r\nX: y\r\n\r\n" % (len(BODY), BODY), b"Trailer: X") + PLAIN,
        [200, 200],
    ),
    "a length in the trailers": Case(
        chunked(b"%x\r\n%s\r\n0\r\nContent-Length: 5\r\n\r\n" % (len(BODY), BODY)) + PLAIN,
        [400],
        [400, 200],
    ),
    "bare line feeds": Case(PLAIN.replace(b"\r\n", b"\n"), [400], [200]),
    "one bare line feed": Case(post(b"A: b\nTransfer-Encoding: chunked", LENGTH), [400]),
    "one bare carriage return": Case(post(b"A: b\rTransfer-Encoding: chunked", LENGTH), [400]),
    "a NUL in a value": Case(post(b"A: b\x00c", LENGTH), [400]),
    "a NUL in a name": Case(post(b"A\x00: b", LENGTH), [400]),
    "a NUL in the path": Case(
        post(LENGTH, line=b"POST /models/flights/predict\x00 HTTP/1.1"), [400]
    ),
    "a blank before a colon": Case(post(b"A : b", LENGTH), [400]),
    "a header that begins with a blank": Case(post(b" A: b", LENGTH), [400], [415]),
    "a header without a colon": Case(post(b"Abc", LENGTH), [400]),
    "a header without a name": Case(post(b": b", LENGTH), [400]),
    "a folded header": Case(post(b"A: b\r\n c", LENGTH), [400], [200]),
    "an absolute target": Case(
        post(LENGTH, line=b"POST http://localhost%s HTTP/1.1" % ROUTE) + PLAIN, [200, 200]
    ),
    "an absolute target elsewhere": Case(
        post(LENGTH, line=b"POST http://evil.example%s HTTP/1.1" % ROUTE) + PLAIN, [403, 200], [400]
    ),
    "an absolute target with a user": Case(
        post(LENGTH, line=b"POST http://localhost@evil.example%s HTTP/1.1" % ROUTE) + PLAIN, [400]
    ),
    "an absolute target of another scheme": Case(
        post(LENGTH, line=b"POST ftp://localhost%s HTTP/1.1" % ROUTE), [400]
    ),
    "a target with a fragment": Case(post(LENGTH, line=b"POST %s#x HTTP/1.1" % ROUTE), [400]),
    "HTTP/1.0": Case(post(LENGTH, line=b"POST %s HTTP/1.0" % ROUTE) + INNER, [200]),
    "HTTP/1.0 with chunks": Case(
        post(CHUNKED, b"Connection: keep-alive", line=b"POST %s HTTP/1.0" % ROUTE, body=CHUNKS)
        + INNER,
        [501],
    ),
    "HTTP/1.0 that expects": Case(
        post(LENGTH, b"Expect: 100-continue", line=b"POST %s HTTP/1.0" % ROUTE), [200]
    ),
    "HTTP/0.9": Case(b"GET /models/flights\r\n\r\n", [505], [400]),
    "HTTP/0.9 kept alive": Case(
        b"GET /models/flights\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n" + INNER,
        [505],
        [400],
    ),
    "HTTP/2.0 in words": Case(get(line=b"GET /models/flights HTTP/2.0"), [505], [200]),
    "HTTP/11.1": Case(get(line=b"GET /models/flights HTTP/11.1"), [400]),
    "http/1.1": Case(get(line=b"GET /models/flights http/1.1"), [400]),
    "a tab in the first line": Case(get(line=b"GET\t/models/flights HTTP/1.1"), [400], [200]),
    "a blank in the path": Case(get(line=b"GET /models/fli ghts HTTP/1.1"), [400]),
    "the preface of HTTP/2": Case(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]),
    "the beginning of TLS": Case(b"\x16\x03\x01\x02\x00\x01", [400]),
    "a client that expects to be told to go on": Case(
        post(LENGTH, b"Expect: 100-continue") + PLAIN, [200, 200]
    ),
    "a client that expects something else": Case(
        post(LENGTH, b"Expect: 200-ok") + PLAIN, [200, 200]
    ),
    "GET with a body": Case(get(HIDES) + INNER + PLAIN, [200, 200]),
    "GET with chunks": Case(
        get(CHUNKED) + b"%x\r\n%s\r\n0\r\n\r\n" % (len(INNER), INNER) + PLAIN, [200, 200]
    ),
    "HEAD": Case(method(b"HEAD") + PLAIN, [405, 200]),
    "HEAD with a body": Case(method(b"HEAD", HIDES) + INNER + PLAIN, [405, 200]),
    "DELETE with a body": Case(method(b"DELETE", HIDES) + INNER + PLAIN, [405, 200]),
    "CONNECT": Case(get(line=b"CONNECT localhost:80 HTTP/1.1") + INNER, [405]),
    "CONNECT with a body": Case(get(HIDES, line=b"CONNECT localhost:80 HTTP/1.1") + INNER, [405]),
    "CONNECT a path": Case(method(b"CONNECT", HIDES) + INNER, [405], [400]),
    "CONNECT with an upgrade": Case(
        get(*H2C, line=b"CONNECT localhost:80 HTTP/1.1") + INNER, [405]
    ),
    "TRACE": Case(method(b"TRACE") + PLAIN, [405, 200]),
    "OPTIONS": Case(method(b"OPTIONS") + PLAIN, [405, 200]),
    "an unknown method": Case(method(b"FOO"), [400]),
    "a method in small letters": Case(post(LENGTH, line=b"post %s HTTP/1.1" % ROUTE), [400]),
    "a long header": Case(post(LENGTH, b"X: " + b"a" * 7_000) + PLAIN, [200, 200]),
    "a header that is too long": Case(post(LENGTH, b"X: " + b"a" * 70_000), [431], [400]),
    "too many headers": Case(post(LENGTH, *[b"X: y"] * 20_000), [431], [400]),
    "no host": Case(post(LENGTH, host=b"") + INNER, [400]),
    "the same host twice": Case(post(LENGTH, b"Host: localhost"), [400], [200]),
    "two hosts": Case(post(LENGTH, b"Host: evil.example") + INNER, [400]),
    "two hosts in one header": Case(post(LENGTH, host=b"Host: localhost, evil.example"), [400]),
    "a host with a user": Case(post(LENGTH, host=b"Host: localhost@evil.example"), [400], [403]),
    "a host with a path": Case(post(LENGTH, host=b"Host: localhost/x"), [400], [403]),
    "an empty host": Case(post(LENGTH, host=b"Host:"), [400], [403]),
    "a foreign host": Case(post(LENGTH, host=b"Host: evil.example") + PLAIN, [403, 200]),
    "a request behind the last one": Case(post(LENGTH, b"Connection: close") + INNER, [200]),
    "no HTTP behind the last request": Case(
        post(LENGTH, b"Connection: close") + b"\x00\x01\r\n\r\n", [200]
    ),
    "a length named as a header of the connection": Case(
        post(LENGTH, b"Connection: close, content-length") + INNER, [200]
    ),
    "no HTTP behind a request": Case(PLAIN + b"\x16\x03\x01\r\n\r\n", [200, 400]),
    "half a head at the end": Case(PLAIN * 2 + PLAIN[:40], [200, 200], [200, 200, 400]),
    "half a body at the end": Case(PLAIN * 2 + PLAIN[:-5], [200, 200]),
    "empty lines between": Case(b"\r\n\r\n" + PLAIN + b"\r\n" + PLAIN, [200, 200]),
    "an encoded path": Case(
        get(line=b"GET /models/%2e%2e/models/flights HTTP/1.1") + PLAIN, [404, 200]
    ),
    "a byte beyond ASCII in the path": Case(get(line=b"GET /models/fl\xffghts HTTP/1.1"), [400]),
    "bytes beyond ASCII in a header": Case(post(b"X: \xff\xfe", LENGTH) + PLAIN, [200, 200]),
    "no content type": Case(PLAIN.replace(JSON + b"\r\n", b"") + PLAIN, [415, 200]),
    "plain text": Case(
        PLAIN.replace(JSON, b"Content-Type: text/plain;application/json") + PLAIN, [415, 200]
    ),
    "two content types": Case(
        PLAIN.replace(JSON, JSON + b"\r\nContent-Type: text/plain") + PLAIN, [415, 200]
    ),
    "a foreign page": Case(post(LENGTH, b"Origin: http://evil.example") + PLAIN, [403, 200]),
}
