"""Servers that behave oddly: `odd_program("hangs")` is what one runs instead of Perennial's."""

from __future__ import annotations

import sys

_PROGRAM = """
import json, os, socket, subprocess, sys, time

how = sys.argv[1]
if how == "ends":
    sys.exit(print("no disk is left", file=sys.stderr) or 3)
if how == "well":
    subprocess.Popen(["sleep", "600"], start_new_session=True)
listener = socket.create_server(("127.0.0.1", int(os.environ["PERENNIAL_SERVING_PORT"])))


def reply(status, body, more=""):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status} OK\\r\\nContent-Length: {len(body)}\\r\\n{more}"
    head += "Connection: close\\r\\n"
    peer.sendall(head.encode() + b"\\r\\n" + body)


def whole_request():
    # What is left unread would reset the connection under the answer.
    data = b""
    while b"\\r\\n\\r\\n" not in data or data.startswith(b"POST") and not data.endswith(b"}"):
        more = peer.recv(65536)
        if not more:
            break
        data += more
    return data.decode()


def drip():
    peer.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 100000\\r\\n\\r\\n")
    while True:
        peer.sendall(b" ")
        time.sleep(0.02)


def answer(predictions, release=1):
    reply(200, {"release": release, "predictions": predictions})


def predict():
    if how == "no http":
        peer.sendall(b"SSH-2.0-OpenSSH_9.2\\r\\n")
    elif how == "no json":
        reply(200, b"<html>")
    elif how == "deep":
        reply(200, b"[" * 200000)
    elif how == "huge number":
        reply(200, b'{"release": 1, "predictions": [1' + b"0" * 5000 + b"]}")
    elif how == "no predictions":
        reply(200, {"release": 1})
    elif how == "endless":
        peer.sendall(b"HTTP/1.1 200 OK\\r\\n\\r\\n")
        while True:
            peer.sendall(b" " * 65536)
    elif how == "moved":
        reply(302, b"", "Location: http://127.0.0.1:1/\\r\\n")
    elif how == "fails":
        reply(500, {"error": {"code": "model_failed", "message": "the model failed"}})
    elif how == "fails in silence":
        reply(500, b"")
    elif how == "dies":
        print("out of luck", file=sys.stderr, flush=True)
        os._exit(4)
    elif how == "hangs up and dies":
        peer.shutdown(socket.SHUT_RDWR)
        time.sleep(0.3)
        sys.exit("out of breath")
    elif how == "hangs":
        time.sleep(600)
    elif how == "drips":
        drip()
    elif how == "labelled":
        answer([{"label": "rare", "probabilities": {"rare": 0.7, "usual": 0.3}}])
    elif how == "NaN":
        answer([float("nan")])
    else:
        count = 2 if how == "two predictions" else 1
        answer([0.25] * count, 7 if how == "another release" else 1)


def say_model():
    if how == "refuses":
        reply(503, {"error": {"code": "model_not_loaded"},
                    "refused": {"release": 1, "reason": "it is no model"}})
    elif how == "never":
        reply(404, {"error": {"code": "unknown_model"}})
    elif how == "speaks otherwise":
        reply(200, [1])
    else:
        reply(200, {"release": 1, "version": "1"})


while True:
    peer, _ = listener.accept()
    try:
        asked = whole_request()
        if "/health" in asked and how == "silent":
            time.sleep(600)
        elif "/health" in asked and how == "drips health":
            drip()
        elif "/health" in asked:
            reply(503 if how == "unwell" else 200, {})
        elif "POST" in asked:
            predict()
        else:
            say_model()
    except OSError:
        pass
    peer.close()
"""


def odd_program(how: str) -> tuple[str, ...]:
    """Return the command of a server that starts, serves or answers so."""
    return (sys.executable, "-I", "-S", "-c", _PROGRAM, how)
