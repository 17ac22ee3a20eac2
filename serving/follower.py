"""Follow the store: each model answers from the highest-numbered release that proves itself.

Looking, loading and proving happen in a thread of their own; then one reference is swapped. A
request keeps the release that it started with. What is refused is remembered by number and not
tried again, unless it may become good: its entry may be written anew, its bundle signed.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipelines.bundle.manifest import SERVED
from pipelines.errors import TryAgain, Untrusted
from pipelines.intervals import iso
from serving.event_log import log
from serving.idle import give_memory_back
from serving.loaded_release import DamagedEntry, LoadedRelease, open_release

if TYPE_CHECKING:
    from pipelines.settings import Settings
    from pipelines.store.port import Store
    from serving.prometheus import Metrics

_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
_NUMBER = re.compile(r"[0-9]{8}")


@dataclass(frozen=True)
class Refusal:
    """A release that is not served, and why, in words."""

    release: int
    reason: str


@dataclass(frozen=True)
class ModelState:
    """What one model serves, if anything, and the newest release above it that was refused."""

    served: LoadedRelease | None
    refused: Refusal | None


class Follower:
    """Holds every model's state.

    `states` is replaced as a whole, so that a reader needs no lock.
    """

    def __init__(self, store: Store, settings: Settings, metrics: Metrics) -> None:
        """Remember the outside; nothing is read before `start`."""
        self.states: dict[str, ModelState] = {}
        self.trouble = ""
        self._store = store
        self._settings = settings
        self._metrics = metrics
        self._refusals: dict[str, dict[int, str]] = {}
        self._passing: dict[tuple[str, int], str] = {}
        self._unread: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="releases", daemon=True)

    def start(self) -> None:
        """Load what there is, then keep looking in a thread."""
        self.look()
        self._thread.start()

    def stop(self) -> None:
        """Stop looking; a release that is being loaded is waited for."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Bring every model to its newest good release.

        A model or a store that fails never hurts the others.
        """
        try:
            self._unread = []
            names = sorted(tail for tail in self._names_below(SERVED) if _NAME.fullmatch(tail))
            for name in names:
                while self._advance(name):  # until nothing newer came while loading
                    pass
            self._note("; ".join(self._unread))
            self._drop_idle()
        except OSError as error:
            self._note(f"The store cannot be read: {type(error).__name__}: {error.strerror}.")

    def _drop_idle(self) -> None:
        """Drop the models that nobody has asked for as long as the settings say."""
        seconds = self._settings.serving_idle_seconds
        served = [s.served for s in self.states.values() if s.served is not None]
        dropped = [s for s in served if s.idle is not None and s.idle.drop_after(seconds)]
        for one in dropped:
            self._metrics.count_drop(one.release.model)
            log.info("Model dropped: nobody asks for it.", extra=one.name)
        if dropped:
            give_memory_back()

    def _run(self) -> None:
        while not self._stop.wait(self._settings.serving_poll_seconds):
            try:
                self.look()
            # What serves must go on serving and following; it is logged and shown.
            except Exception as error:  # noqa: BLE001
                self._note(f"Looking for releases failed: {type(error).__name__}: {error}", error)

    def _note(self, trouble: str, error: Exception | None = None) -> None:
        if trouble != self.trouble:
            log.warning(trouble or "Releases can be read again.", exc_info=error)
        self.trouble = trouble

    def _names_below(self, prefix: str) -> list[str]:
        return [key.rsplit("/", 1)[-1] for key in self._store.keys(prefix)]

    def _advance(self, name: str) -> bool:
        """Serve the highest good release above the one that is served.

        Tell whether there was one.
        """
        numbers = sorted(
            (int(t) for t in self._names_below(f"releases/{name}") if _NUMBER.fullmatch(t)),
            reverse=True,
        )
        state = self.states.get(name)
        current = state.served if state else None
        refusal: Refusal | None = None
        for number in numbers:
            if current is not None and number <= current.release.number:
                break
            result = self._try_release(name, number)
            if isinstance(result, LoadedRelease):
                self._swap(name, ModelState(result, refusal))
                return True
            # Of what could not be read now, nothing is said: the next look tries it again.
            refusal = refusal or result
        if refusal is not None and (state is None or state.refused != refusal):
            self._swap(name, ModelState(current, refusal))
        return False

    def _try_release(self, name: str, number: int) -> LoadedRelease | Refusal | None:
        reasons = self._refusals.setdefault(name, {})
        if number in reasons:
            return Refusal(number, reasons[number])
        try:
            return open_release(
                self._store,
                name,
                number,
                max_rows=self._settings.max_rows,
                now=iso(datetime.now(UTC)),
                settings=self._settings,
            )
        except (OSError, TryAgain) as error:
            self._unread.append(
                f"Release {number} of {name} cannot be read now: {type(error).__name__}."
            )
            return None
        # Not remembered: it may be written anew, or signed by a key that counts.
        except (DamagedEntry, Untrusted) as error:
            refusal = Refusal(number, str(error))
            if self._passing.get((name, number)) != refusal.reason:
                self._passing[name, number] = refusal.reason
                self._metrics.count_refusal(name)
            return refusal
        # Whatever fails in there refuses this one release, in words, and nothing else.
        except Exception as error:  # noqa: BLE001
            reasons[number] = str(error) or type(error).__name__
            self._metrics.count_refusal(name)
            return Refusal(number, reasons[number])

    def _swap(self, name: str, state: ModelState) -> None:
        former = self.states.get(name)
        self.states = {**self.states, name: state}
        if state.refused is not None and (former is None or former.refused != state.refused):
            log.error(
                "Release refused.",
                extra={
                    "model": name,
                    "release": state.refused.release,
                    "reason": state.refused.reason,
                },
            )
        if state.served is not None and (former is None or former.served is not state.served):
            release = state.served.release
            self._metrics.count_swap(name, release.number)
            log.info(
                "Release serves.",
                extra={"model": name, "release": release.number, "version": release.version},
            )
