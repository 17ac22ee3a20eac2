"""What `doctor` finds in a state, with ports that nobody else holds."""

from __future__ import annotations

import socket
from contextlib import closing

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


def look(world, server=None, docker=None, **changes):
    context = world.context()
    return list(
        diagnose(settings_of(world, **changes), context.ports, server or Following(context), docker)
    )


def bad(found):
    return {finding.what: finding for finding in found if finding.state != "ok"}


def break_mlflow(world):
    (world.settings.state / "mlflow" / "mlflow.db").unlink()


class Steady:
    """A server that serves the first release."""

    def serves(self, _model):
        return Serves(release=1, version="1")
