"""Write the inference log: the line of a request is in its segment before the answer leaves.

A line is written with one `write`, so it survives the death of the process; a thread flushes what
was written to the disk, all of it at once, every few milliseconds (`log_sync_seconds`): that much a
power cut may cost. Labels are flushed one by one.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from pipelines.errors import PerennialError
from pipelines.inference_log.format import AnswerRecord, Header, LabelRecord, line
from pipelines.inference_log.personal_data import PersonalKey
from serving.event_log import log
from serving.log.form import LogForm
from serving.log.segments import Segments
from serving.problems import Problem

if TYPE_CHECKING:
    from pipelines.settings import Settings
    from pipelines.store.port import Store
    from serving.decode import PredictionRequest
    from serving.loaded_release import LoadedRelease
    from serving.prometheus import Metrics

PROBE_SECONDS = 5.0
"""How often a model whose log cannot be written is tried again, whether or not a request comes."""

FAILURES = (OSError, ValueError, PerennialError)
"""What writing may raise.

No room, a broken or closed file, a key of personal data that cannot be read.
"""


class InferenceLog:
    """The writer of this process.

    `trouble` says by model why its log cannot be written now; it is empty where all is well.
    """

    def __init__(self, store: Store, settings: Settings, metrics: Metrics) -> None:
        """Remember the outside; nothing is written before the first request."""
        self.trouble: dict[str, str] = {}
        self.refuses = settings.log_when_full == "refuse"
        self.personal = PersonalKey(settings.personal_key)
        self._segments = Segments(store, settings, metrics)
        self._metrics = metrics
        self._every = settings.log_sync_seconds
        self._forms: dict[tuple[str, int], LogForm] = {}
        self._failed_releases: dict[str, LoadedRelease] = {}
        self._trouble_lock = threading.Lock()
        """Held while `trouble` and `_failed_releases` change.

        The event loop and the flushing thread both find and end troubles.
        """
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="inference-log", daemon=True)

    def start(self) -> None:
        """Begin to flush."""
        self._thread.start()

    def stop(self) -> None:
        """Flush and close every segment."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._segments.close()

    def write_answer(
        self,
        loaded_release: LoadedRelease,
        request: PredictionRequest,
        answers: list[Any],
        request_id: str,
        began: float,
    ) -> None:
        """Write the line of a request that is about to be answered.

        `began` is `perf_counter` when its head had come.

        Raises Problem 503 where it cannot be written and the settings refuse then; else the loss is
        counted.
        """
        model = loaded_release.release.model
        try:
            form = self._forms.get((model, loaded_release.release.number)) or self._new_form(
                loaded_release
            )
            now = time.time_ns() // 1_000
            seconds = time.perf_counter() - began
            rows, keys = form.rows(request), form.keys(request)
            text = line(
                AnswerRecord(
                    request_id,
                    now,
                    seconds,
                    rows,
                    form.predictions(answers),
                    keys,
                    request.event_times,
                )
            )
            self._segments.append(form.header, text, now)
        except FAILURES as error:
            self._note_failure(loaded_release, len(request.rows), error)
            return
        self._metrics.count_logged(model, len(request.rows))
        if model in self.trouble:
            self._note_recovery(model)

    def write_labels(
        self, model: str, labels: list[tuple[str, float | str]], request_id: str
    ) -> None:
        """Put accepted labels, each by its row's identity, on the disk: all or none.

        Raises StorageFull or OSError.
        """
        now = time.time_ns() // 1_000
        lines = b"".join(line(LabelRecord(name, label, now, request_id)) for name, label in labels)
        self._segments.append_flushed(Header(kind="labels", model=model), lines, now)

    def _new_form(self, loaded_release: LoadedRelease) -> LogForm:
        form = LogForm(loaded_release, self.personal)
        self._forms[loaded_release.release.model, loaded_release.release.number] = form
        with self._trouble_lock:
            self._metrics.set_log_writable(
                loaded_release.release.model,
                writable=loaded_release.release.model not in self.trouble,
            )
        return form

    def _note_failure(self, loaded_release: LoadedRelease, rows: int, error: Exception) -> None:
        model = loaded_release.release.model
        with self._trouble_lock:
            if model not in self.trouble:
                reason = f"The inference log of {model} cannot be written: {_words(error)}"
                log.error(reason, extra={"model": model})
                self.trouble = {**self.trouble, model: reason}
                self._metrics.set_log_writable(model, writable=False)
            self._failed_releases[model] = (
                loaded_release  # the newest release's: the one to try again
            )
        if self.refuses:
            words = (
                "The prediction could not be logged and is therefore not given; try again later."
            )
            raise Problem(503, "log_unavailable", words, headers={"retry-after": "5"}) from error
        self._metrics.count_lost(model, rows)

    def _note_recovery(self, model: str) -> None:
        with self._trouble_lock:
            if model not in self.trouble:
                return
            self.trouble = {name: reason for name, reason in self.trouble.items() if name != model}
            self._failed_releases.pop(model, None)
            self._metrics.set_log_writable(model, writable=True)
            log.warning("The inference log can be written again.", extra={"model": model})

    def _run(self) -> None:
        took, last_probe = 0.0, time.monotonic()
        while not self._stop.wait(max(0.0, self._every - took)):
            began = time.monotonic()
            try:
                self._segments.flush()
                if self.trouble and began - last_probe > PROBE_SECONDS:
                    last_probe = began
                    self._probe()
            # The thread must go on: without it nothing would be flushed any more; it is logged.
            except Exception:  # noqa: BLE001
                log.exception("Flushing the inference log failed.")
            took = time.monotonic() - began

    def _probe(self) -> None:
        """Try a new segment for each model in trouble.

        Where no requests are sent to a server that is not ready, none would tell.
        """
        with self._trouble_lock:
            releases = dict(self._failed_releases)
        for model, loaded_release in releases.items():
            try:
                self._segments.renew(
                    LogForm(loaded_release, self.personal).header, time.time_ns() // 1_000
                )
            except FAILURES:
                continue
            self._note_recovery(model)


def _words(error: Exception) -> str:
    if isinstance(error, PerennialError):
        return str(error)
    return (
        f"{type(error).__name__}: {error.strerror or error}."
        if isinstance(error, OSError)
        else f"{type(error).__name__}."
    )
