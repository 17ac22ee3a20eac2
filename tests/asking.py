"""Somebody who keeps asking for predictions, and remembers every failure."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

ROW = {"distance": 500.0, "seats": 150, "weekend": False, "carrier": "UA"}


@contextlib.contextmanager
def keep_asking(url: str, askers: int, pause: float) -> Iterator[Asked]:
    """Keep asking for predictions at a URL, each asker over one connection.

    Yield what was answered so far.
    """
    asked = Asked()
    threads = [threading.Thread(target=_ask, args=(url, asked, pause)) for _ in range(askers)]
    for thread in threads:
        thread.start()
    try:
        yield asked
    finally:
        asked.stop.set()
        for thread in threads:
            thread.join()


@dataclass
class Asked:
    """What the askers were answered: how often by which release, and every failure in words."""

    answers: Counter[int] = field(default_factory=Counter)
    last: dict[int, float] = field(default_factory=dict)
    """By release, when its last answer came (monotonic seconds)."""
    first: dict[int, float] = field(default_factory=dict)
    """The same of its first one."""
    failures: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)


def _ask(url: str, asked: Asked, pause: float) -> None:
    with httpx.Client(timeout=10) as client:
        while not asked.stop.wait(pause):
            try:
                answer = client.post(url, json={"row": ROW})
                with asked.lock:
                    if answer.status_code == 200:
                        release = answer.json()["release"]
                        asked.answers[release] += 1
                        asked.last[release] = time.monotonic()
                        asked.first.setdefault(release, asked.last[release])
                    else:
                        asked.failures.append(f"{answer.status_code} {answer.text[:200]}")
            except httpx.HTTPError as error:
                with asked.lock:
                    asked.failures.append(f"{type(error).__name__}: {error}")
