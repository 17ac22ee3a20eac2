"""The process that speaks to one service: `python -m pipelines.alerts.apprise_program`.

`pipelines.alerts.post` starts it and ends it. On stdin comes the address, then a line of JSON for
each message; to stdout goes a line of JSON when it is ready and one for each message. Nothing that
Apprise says leaves this process, because it may hold parts of the address.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from typing import IO, Any

_STATUS = re.compile(r"error=(\d{3})\b")


def main() -> None:
    """Serve until stdin ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    _be_silent()
    import apprise

    log = _Log()
    logging.getLogger("apprise").addHandler(log)
    asset = apprise.AppriseAsset(
        async_mode=False,
        service_timeout=0,  # who started this process ends it in time
        http_redirects=False,  # an address and its secrets are for one server alone
        storage_mode=apprise.PersistentStoreMode.MEMORY,
    )
    service = apprise.Apprise.instantiate(json.loads(sys.stdin.readline()), asset=asset)
    _answer(answers, {"ready": service is not None})
    if service is None:
        return
    to = apprise.Apprise(asset=asset)
    to.add(service)
    for line in sys.stdin:
        message = json.loads(line)
        log.texts.clear()
        taken = to.notify(
            body=message["body"],
            title=message["title"],
            notify_type=message["tone"],
            body_format=apprise.NotifyFormat.TEXT,
            interpret_escapes=False,
        )
        _answer(answers, {"taken": bool(taken), "why": "" if taken else _why(log.texts)})


def _be_silent() -> None:
    """Let nothing that a library prints reach whoever started this process."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.dup2(nowhere, sys.stderr.fileno())


class _Log(logging.Handler):
    """Keeps what Apprise says of one message."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the text."""
        self.texts.append(record.getMessage())


def _why(texts: list[str]) -> str:
    """Return why a message was not taken, in words of ours: Apprise's may hold a secret."""
    for text in texts:
        if status := _STATUS.search(text):
            return f"the service answered {status[1]}"
        if "onnection error" in text:
            return "the service could not be reached"
    return "the service did not take it"


def _answer(answers: IO[str], record: dict[str, Any]) -> None:
    answers.write(json.dumps(record) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
