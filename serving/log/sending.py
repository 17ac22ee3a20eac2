"""Send closed segments of the inference log to a store that is far.

An answer never waits for it: what was logged is on this host's disk, and is sent a little later by
a thread. A host that is lost loses what was not sent, `log_send_seconds` of it while all is well;
where the store is away it is more, which the gauge `perennial_log_unsent_seconds` tells.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from pipelines.errors import PerennialError
from pipelines.inference_log.label_index import Index
from serving.event_log import log

if TYPE_CHECKING:
    from pipelines.settings import Settings
    from pipelines.store.port import Store
    from serving.prometheus import Metrics

LOOKS: Final = 4
"""How often a sender looks in the time that a segment may stay on its host."""


class Sender:
    """The thread that sends. Of a store that is not far it does nothing."""

    def __init__(self, store: Store, settings: Settings, metrics: Metrics) -> None:
        """Remember the outside; nothing is sent before `start`."""
        self._store = store
        self._index = Index(settings, store)
        self._metrics = metrics
        self._seconds = settings.log_send_seconds
        self._trouble = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-sender", daemon=True)

    def start(self) -> None:
        """Begin to send, where the store is far; say what a lost host may cost."""
        if self._store.is_far:
            log.info(
                "The inference log is written here and sent to the store. A host that is lost"
                " loses what was not sent.",
                extra={"seconds_at_most": self._seconds},
            )
            self._thread.start()

    def stop(self) -> None:
        """Send no more. What was not sent stays on the disk, for the next server of this host."""
        self._stop.set()

    def finish(self) -> None:
        """Send once what was closed at the end, where the disk goes with this server.

        What cannot be sent then is lost with it.
        """
        if self._store.is_far:
            self._send_all()

    def send(self) -> int:
        """Send every segment that nobody writes any more; return how many.

        The index of labels learns a segment's rows first, so that a label for them needs no store.
        Raises what the store and the index raise.
        """
        closed = [name for name in self._store.near_segments() if not self._store.is_open(name)]
        for model in sorted({name.split("/")[1] for name in closed}):
            self._index.catch_up_near(model)
        return sum(self._store.send_segment(name) for name in closed)

    def _run(self) -> None:
        while not self._stop.wait(self._seconds / LOOKS):
            self._send_all()
            self._metrics.set_unsent(_age(self._store.near_segments()))

    def _send_all(self) -> None:
        try:
            self.send()
            self._note("")
        except (OSError, PerennialError) as error:
            self._note(f"The inference log cannot be sent: {error}")

    def _note(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.warning(trouble or "The inference log can be sent again.")
        self._trouble = trouble


def _age(names: list[str]) -> float:
    """Return the seconds since the oldest segment began, 0 where there is none.

    A segment's own name is its day, the moment at which it began in milliseconds, and more.
    """
    moments = [name.rsplit("/", 1)[-1].split("-")[3] for name in names]
    began = [int(moment) / 1_000 for moment in moments if moment.isdigit()]
    return max(time.time() - min(began), 0.0) if began else 0.0
