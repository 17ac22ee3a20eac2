"""Twenty deployments in a row under constant load through the gateway.

`python -m benchmarks.deploy` (needs an engine and `make images`).

Two versions take turns. Four clients send requests without a pause, each over a connection of its
own, and count every answer that is not the right one. A switch takes from the moment the new
release is proven until no answer comes from the old one any more.
"""

from __future__ import annotations

import logging
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import docker

from benchmarks.report import LOAD_BEFORE, Measure, is_tiny, show, write
from pipelines.deployment.docker.gateway import Gateway
from pipelines.deployment.docker_target import DockerTarget
from tests.docker.deployments import ENGINE, Model, gateway_yard

if TYPE_CHECKING:
    from tests.asking import Asked

DEPLOYMENTS, CLIENTS = 20, 4
SWITCH_ASKED, SERVING_ASKED = 2.0, 15.0
QUIET = 0.5


class Deployment(NamedTuple):
    """One deployment's seconds from its order.

    Until the old release rests, until the new one serves; and those of the switch.
    """

    total: float
    serving: float
    switch: float


class TimedGateway(Gateway):
    """Remembers when it was told to switch: until then the new release was being proven."""

    proven = 0.0

    def lead(self, model: str, container: str | None) -> None:
        """Switch the traffic, and remember when."""
        self.proven = time.monotonic()
        super().lead(model, container)


class TimedTarget(DockerTarget):
    """Remembers when a release began to serve."""

    served_at = 0.0

    def take(self, context, release):
        """Take the release, and remember when that was done."""
        outcome = super().take(context, release)
        self.served_at = time.monotonic()
        return outcome


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where a request failed or a deployment took too long."""
    tiny = is_tiny(__doc__, argv)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("perennial").setLevel(logging.ERROR)
    if LOAD_BEFORE > QUIET:
        print(f"The machine is busy (load {LOAD_BEFORE}): expect less than it can do.")
    api = docker.APIClient(ENGINE, version="auto", timeout=60)
    with (
        tempfile.TemporaryDirectory(prefix="perennial-benchmark-") as folder,
        gateway_yard(api, Path(folder)) as yard,
    ):
        model = yard.model()
        try:
            model.deploy("2")
            with model.asked(askers=CLIENTS, pause=0) as load:
                began = time.monotonic()
                deployments = [
                    _deploy(model, "12"[number % 2], load)
                    for number in range(2 if tiny else DEPLOYMENTS)
                ]
                seconds = time.monotonic() - began
            missing = sum(load.answers.values()) - sum(model.logged().values())
        finally:
            model.remove()
    return _report(deployments, load, seconds, missing, tiny=tiny)


def _deploy(model: Model, version: str, load: Asked) -> Deployment:
    gateway = TimedGateway(model.yard.folder)
    target = TimedTarget(gateway=gateway)
    old, began = model.says()[0], time.monotonic()
    release = model.deploy(version, target=target).release
    total = time.monotonic() - began
    last = load.last[old]
    while load.last.get(release, 0.0) <= last:
        time.sleep(0.01)
    return Deployment(total, target.served_at - began, max(0.0, last - gateway.proven))


def _report(
    deployments: list[Deployment], load: Asked, seconds: float, missing: int, *, tiny: bool
) -> int:
    failures = len(load.failures)
    for words in sorted(set(load.failures))[:5]:
        print(words)
    show("Deploying a container", rows := _rows(deployments, load, seconds, missing))
    if tiny:
        return int(bool(failures or missing))
    write("deploy", rows)
    is_fast = all(d.switch < SWITCH_ASKED and d.serving < SERVING_ASKED for d in deployments)
    return 0 if not failures and not missing and is_fast else 1


def _rows(
    deployments: list[Deployment], load: Asked, seconds: float, missing: int
) -> list[Measure]:
    total, serving, switch = (list(column) for column in zip(*deployments, strict=True))
    answers, failures = sum(load.answers.values()), len(load.failures)
    middle = statistics.median
    return [
        _row("deployments in a row", len(deployments), "deployments", f"== {DEPLOYMENTS}"),
        _row("failed requests", failures, "requests", "== 0"),
        _row("answered requests", answers, "requests"),
        _row("answers missing in the inference log", missing, "requests", "== 0"),
        _row("load", round(answers / seconds), "requests/s"),
        _row("switch, proven to all traffic, middle", round(middle(switch), 3), "s"),
        _row("switch, slowest", round(max(switch), 3), "s", f"< {SWITCH_ASKED:g}"),
        _row("packaged to serving, middle", round(middle(serving), 2), "s"),
        _row("packaged to serving, slowest", round(max(serving), 2), "s", f"< {SERVING_ASKED:g}"),
        _row("whole deployment with draining, middle", round(middle(total), 2), "s"),
    ]


def _row(measure: str, value: float, unit: str, asked: str = "") -> Measure:
    return {"measure": measure, "value": value, "unit": unit, "asked": asked}


if __name__ == "__main__":
    sys.exit(main())
