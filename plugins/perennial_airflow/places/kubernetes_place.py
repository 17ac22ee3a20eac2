"""A pod as the place of a step: made, awaited, followed, stopped, removed."""

from __future__ import annotations

import contextlib
import copy
import logging
import time
from dataclasses import dataclass
from signal import SIGTERM
from typing import TYPE_CHECKING

from perennial_airflow.places import pod_words
from perennial_airflow.places.cluster import CONFLICT, Cluster, is_quota, status_of
from perennial_airflow.places.pod_log import PodLog
from perennial_airflow.places.pod_setup import OURS, verbatim
from pipelines.errors import Busy, Conflict, GiveUp, PerennialError, TryAgain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kubernetes.client import V1Pod

TRY = "perennial/try"
"""The annotation that tells the pods of two tries apart, which have one name."""

LOOK_SECONDS = 0.5
"""Between two looks at a pod that has not begun, or is going."""

ROOM_SECONDS = 3.0
"""Between two tries where the namespace's quota is used up."""

LAST_WORDS_SECONDS = 10
"""How long the log of a pod that has ended is asked for: of one that was evicted, it is gone."""

_log = logging.getLogger("perennial")


@dataclass(frozen=True)
class KubernetesPlace:
    """A pod that holds one step, from an image whose entry point is `python -m pipelines`.

    `pod` lacks the step's request alone. `memory` is the limit that the spec names.
    """

    cluster: Cluster
    pod: V1Pod
    memory: str | None = None
    pending_seconds: float = 300

    @contextlib.contextmanager
    def start(self, step: str, model: str, request: str) -> Iterator[RunningPod]:
        """Yield the step, whose pod is made when it is followed: so it can be stopped before, too.

        At the end of the context the pod is gone, or going.
        """
        pod = copy.deepcopy(self.pod)
        words = [step, "--model", model, "--request", request]
        pod.spec.containers[0].args = [verbatim(word) for word in words]
        running = RunningPod(self.cluster, pod, self.memory, self.pending_seconds)
        try:
            yield running
        finally:
            running.end()
            self.cluster.close()


class RunningPod:
    """A step's pod at work."""

    def __init__(
        self, cluster: Cluster, wanted: V1Pod, memory: str | None, pending_seconds: float
    ) -> None:
        """Know the pod by its id, once it is there: another one may come to bear its name."""
        self._cluster = cluster
        self._wanted = wanted
        self._name = wanted.metadata.name
        self._memory = memory
        self._pending = pending_seconds
        self._uid: str | None = None
        self._has_ended = False
        self._is_stopped = False

    def follow(self, take_line: Callable[[str, str], None]) -> int:
        """Make the pod, in place of one that an earlier try left; pass its lines on until it ends.

        Return the exit code, negative for a signal.

        Raises GiveUp, Conflict (a foreign pod has its name), TryAgain: in words why the pod does
        not begin, or what ended it.
        """
        try:
            self._create()
            self._await_begin()
            pod = self._follow_log(PodLog(take_line))
        except _Gone as gone:
            if self._is_stopped:
                return -SIGTERM
            raise pod_words.removed(gone.pod) from gone
        if self._is_stopped and pod_words.terminated(pod) is None:
            return -SIGTERM
        if self._is_stopped:
            pod.metadata.deletion_timestamp = None  # that was us
        return pod_words.ended(pod, self._memory)

    def _create(self) -> None:
        """Make the pod. Raises as `follow`."""
        begin, is_told, cluster = time.monotonic(), False, self._cluster
        while True:
            self._expect_wanted()
            try:
                pod = cluster.ask(
                    cluster.core.create_namespaced_pod, cluster.namespace, self._wanted
                )
            except GiveUp as error:
                if status_of(error) != CONFLICT:
                    raise
                if self._is_made_by_us():
                    return
                self._clear(begin)
            except TryAgain as error:
                if not is_quota(error) or time.monotonic() - begin >= self._pending:
                    raise
                if not is_told:
                    _log.warning("%s Trying again, for %g s.", error.message, self._pending)
                is_told = True
                time.sleep(ROOM_SECONDS)
            else:
                self._uid = pod.metadata.uid
                _log.info("made the pod %s in %s", self._name, cluster.namespace)
                if self._is_stopped:  # while it was made
                    _delete(cluster, self._name, self._uid, None)
                return

    def _expect_wanted(self) -> None:
        if self._is_stopped:
            raise _Gone(None)

    def _is_made_by_us(self) -> bool:
        """Tell whether the pod of our name is this try's: the answer to its making was lost."""
        pod = self._cluster.read(self._name)
        tries = [(p.metadata.annotations or {}).get(TRY) for p in (pod, self._wanted) if p]
        if pod is None or tries[0] != tries[1]:
            return False
        self._uid = pod.metadata.uid
        return True

    def _clear(self, begin: float) -> None:
        """Remove the pod that has our name, and wait until its node says that it is gone.

        Nothing at work is removed by force: what a node still runs would then have no pod any more,
        and a second one would work beside it.

        Raises Conflict where it is not a step's, Busy where it stays.
        """
        cluster, namesake = self._cluster, self._cluster.read(self._name)
        if namesake is None:
            return
        labels = namesake.metadata.labels or {}
        if any(labels.get(name) != value for name, value in OURS.items()):
            raise Conflict(
                f"The name {self._name} is taken by a pod that is not a step's.",
                remedy=f"remove it (`kubectl -n {cluster.namespace} delete pod {self._name}`), then"
                " clear this task.",
            )
        _log.info("removing the pod that an earlier try left: %s", self._name)
        uid = namesake.metadata.uid
        cluster.delete(self._name, uid, 0 if pod_words.terminated(namesake) else None)
        while (pod := cluster.read(self._name)) is not None and pod.metadata.uid == uid:
            self._expect_wanted()
            if time.monotonic() - begin >= self._pending:
                raise Busy(
                    pod_words.still_there(pod, self._pending),
                    remedy=f"{pod_words.NODE} A node that is off for certain lets go of it by"
                    f" `kubectl -n {cluster.namespace} delete pod {self._name} --force`.",
                )
            time.sleep(LOOK_SECONDS)

    def _read(self) -> V1Pod:
        """Return the pod as it is. Raises _Gone where it is not there any more."""
        pod = self._cluster.read(self._name)
        if pod is None or pod.metadata.uid != self._uid:
            raise _Gone(None)
        return pod

    def _await_begin(self) -> None:
        """Wait until the step is at work. Raises as `follow`."""
        begin, told = time.monotonic(), ""
        while not pod_words.has_begun(pod := self._read()):
            if pod_words.has_ended(pod):
                return
            if pod.metadata.deletion_timestamp is not None and pod.spec.node_name is None:
                raise _Gone(pod)
            error = pod_words.hopeless(pod)
            if error is not None:
                raise error
            if time.monotonic() - begin >= self._pending:
                raise pod_words.waited_too_long(
                    pod, self._cluster.warnings(pod.metadata.uid), self._pending
                )
            words = pod_words.why_it_waits(pod)
            if words != told and time.monotonic() - begin > ROOM_SECONDS:
                told = words
                _log.info("the pod waits: %s", words)
            time.sleep(LOOK_SECONDS)
        _log.info("the step is at work on %s", pod.spec.node_name)

    def _follow_log(self, log: PodLog) -> V1Pod:
        """Pass the lines on until the pod has ended and its log is read to the end; return it.

        Raises TryAgain where its node, or the cluster, stays away.
        """
        heard = time.monotonic()
        while True:
            pod = self._read()
            has_ended = self._has_ended = pod_words.has_ended(pod)
            try:
                is_whole = log.read(self._cluster, self._name, follow=not has_ended)
            except PerennialError as error:
                away = time.monotonic() - heard
                if has_ended and away >= min(LAST_WORDS_SECONDS, self._cluster.away_seconds):
                    _log.warning("The rest of the pod's log is lost: %s", error.message)
                    return pod
                if not has_ended and away >= self._cluster.away_seconds:
                    seconds = self._cluster.away_seconds
                    raise pod_words.node_away(pod, seconds, error.message) from error
            else:
                heard = time.monotonic()
                if has_ended and is_whole:
                    return pod
            time.sleep(LOOK_SECONDS)

    def stop(self) -> None:
        """Have the pod ended now: SIGTERM, and SIGKILL after the grace that it was made with."""
        if self._is_stopped:
            return
        self._is_stopped = True
        self._cluster.hurry()
        if self._uid is not None:
            with contextlib.closing(self._cluster.hurried()) as cluster:
                _delete(cluster, self._name, self._uid, None)

    def end(self) -> None:
        """Leave nothing: what is still at work is asked to end, and the pod is removed."""
        if self._uid is not None:
            _delete(self._cluster, self._name, self._uid, 0 if self._has_ended else None)


def _delete(cluster: Cluster, name: str, uid: str, grace_seconds: int | None) -> None:
    """Have a pod removed; one that cannot be now is left to the next try, which does it first."""
    try:
        cluster.hurry()
        cluster.delete(name, uid, grace_seconds)
    except PerennialError as error:
        _log.warning("The pod %s could not be removed: %s", name, error.message)


class _Gone(Exception):
    """The pod is not there any more."""

    def __init__(self, pod: V1Pod | None) -> None:
        super().__init__("the pod is gone")
        self.pod = pod
