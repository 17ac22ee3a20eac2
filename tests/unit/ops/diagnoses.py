"""What `doctor` finds in a state, with ports that nobody else holds."""

from __future__ import annotations

import socket
from contextlib import closing
from dataclasses import dataclass

from pipelines.deployment.serving_client import Serves
from pipelines.ops.doctor.diagnosis import diagnose
from tests.unit.steps.deployments import Following


def free_port():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def settings_of(world, **changes):
    quiet = {"airflow_port": free_port(), "mlflow_port": free_port(), "serving_port": free_port()}
    return world.settings.replace(**{**quiet, **changes})


@dataclass(frozen=True)
class Room:
    """A disk's bytes: what a test of something else finds does not depend on the machine's."""

    total: int = 100 * 10**9
    free: int = 50 * 10**9


ROOMY = Room()


def look(world, server=None, docker=None, room=ROOMY, **changes):
    context = world.context()
    return list(
        diagnose(
            settings_of(world, **changes),
            context.ports,
            server or Following(context),
            docker,
            room=lambda _folder: room,
        )
    )


def bad(found):
    return {finding.what: finding for finding in found if finding.state != "ok"}


def break_mlflow(world):
    (world.settings.state / "mlflow" / "mlflow.db").unlink()


class Steady:
    """A server that serves the first release."""

    def serves(self, _model):
        return Serves(release=1, version="1")
