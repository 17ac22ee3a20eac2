"""A lock that every host of a cluster sees: a Lease, kept by whoever deploys a model.

Each holder renews it. Of one that was killed it can be taken over once nobody has renewed it for as
long as it says; that time is counted here, so clocks that differ do no harm.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from pipelines.deployment.kubernetes import names
from pipelines.deployment.kubernetes.api import LEASE
from pipelines.errors import Busy, Conflict, PerennialError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.deployment.kubernetes.api import Cluster, Object
    from pipelines.settings import Settings

LEASE_SECONDS: Final = 60
RENEW_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 1.0


@contextlib.contextmanager
def hold_lease(cluster: Cluster, settings: Settings, model: str) -> Iterator[None]:
    """Hold the model's Lease. Raises Busy after `lock_timeout_seconds`."""
    holder = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    _take(cluster, settings, model, holder)
    stop = threading.Event()
    thread = threading.Thread(
        target=_renew, args=(cluster, model, holder, stop), name="lease", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        with contextlib.suppress(PerennialError):  # it runs out by itself
            _give_back(cluster, model, holder)


def _take(cluster: Cluster, settings: Settings, model: str, holder: str) -> None:
    end = time.monotonic() + settings.lock_timeout_seconds
    name, seen, since = names.object_name(model), "", time.monotonic()
    while True:
        with contextlib.suppress(Conflict):  # somebody was faster: look again
            found = cluster.get(LEASE, name)
            if found is None:
                cluster.create(LEASE, _lease(settings, model, holder))
                return
            if found["metadata"]["resourceVersion"] != seen:
                seen, since = found["metadata"]["resourceVersion"], time.monotonic()
            patience = found["spec"].get("leaseDurationSeconds") or LEASE_SECONDS
            is_free = not found["spec"].get("holderIdentity")
            if is_free or time.monotonic() - since > patience:
                cluster.swap(LEASE, _held(found, holder))
                return
        if time.monotonic() > end:
            raise Busy(
                f"Another deployment of {model} has been at work for"
                f" {settings.lock_timeout_seconds:g} s.",
                remedy="wait for it to end; `perennial status` says what serves.",
            )
        time.sleep(LOOK_SECONDS)


def _renew(cluster: Cluster, model: str, holder: str, stop: threading.Event) -> None:
    while not stop.wait(RENEW_SECONDS):
        with contextlib.suppress(PerennialError):  # tried again; a Lease bears several misses
            found = cluster.get(LEASE, names.object_name(model))
            if found is not None and found["spec"].get("holderIdentity") == holder:
                cluster.swap(LEASE, _held(found, holder))


def _give_back(cluster: Cluster, model: str, holder: str) -> None:
    found = cluster.get(LEASE, names.object_name(model))
    if found is not None and found["spec"].get("holderIdentity") == holder:
        cluster.swap(LEASE, _held(found, ""))


def _lease(settings: Settings, model: str, holder: str) -> Object:
    return {
        "kind": "Lease",
        "metadata": {
            "name": names.object_name(model),
            "labels": names.of_model(model, settings),
            "annotations": {names.MODEL: model},
        },
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": LEASE_SECONDS, **_now()},
    }


def _held(found: Object, holder: str) -> Object:
    return {**found, "spec": {**found["spec"], "holderIdentity": holder, **_now()}}


def _now() -> dict[str, str]:
    return {"renewTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
