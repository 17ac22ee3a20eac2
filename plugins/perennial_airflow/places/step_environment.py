"""What of the worker's environment a step in a container gets, whoever runs the container."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.container_paths import STATE, path_in_container, store_in_container
from pipelines.settings import KEY_VARIABLES, PREFIX, QUIET, SIGNING_KEY, SQL_PREFIX, Settings
from pipelines.steps.catalogue import STEPS

if TYPE_CHECKING:
    from collections.abc import Mapping

OWN_SETTINGS = frozenset(
    PREFIX + name
    for name in (
        "HOME",
        "STATE",
        "STORE",
        "VERSIONS",
        "GATEWAY",
        "TRUST",
        "SIGNING_KEY",
        "RELEASES",
        "PLACE",
        "IMAGE",
        "PROOF_TOKEN",
        "DOCKER_HOST",
        "BROKER_URL",
        "BROKER_CA",
        "DATA",
        "SPILL",
        "KUBERNETES_CONFIG",
        "KUBERNETES_STEPS_VOLUME",
        "KUBERNETES_STEPS_USER",
        "KUBERNETES_STEPS_SECRET",
        "KUBERNETES_STEPS_SECRET_KEYS",
        "KUBERNETES_STEPS_TRUST",
        "KUBERNETES_STEPS_CA",
        "KUBERNETES_STEPS_ACCOUNT",
        "KUBERNETES_STEPS_PULL_POLICY",
        "KUBERNETES_STEPS_PULL_SECRET",
        "KUBERNETES_STEPS_NODES",
        "KUBERNETES_STEPS_TOLERATIONS",
        "KUBERNETES_STEPS_PENDING_SECONDS",
        "KUBERNETES_DEPLOY_ACCOUNT",
        "KUBERNETES_AWAY_SECONDS",
    )
)
"""The settings of the worker that say nothing to a container, which has its own.

The signing key is told to the step that signs, and to no other.
"""

INDEX_VARIABLES = (
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_HTTP_TIMEOUT",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
)
"""Where the packages of `requires` come from; folders of the worker's are none of a container."""

PASSED_VARIABLES = frozenset(
    {
        *QUIET,
        *INDEX_VARIABLES,
        "MLFLOW_TRACKING_USERNAME",
        "MLFLOW_TRACKING_PASSWORD",
        "MLFLOW_TRACKING_TOKEN",
        "MLFLOW_S3_ENDPOINT_URL",
        *KEY_VARIABLES["AWS"],
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
    }
)
"""What a step's container gets of the worker's environment beside our own settings and the key to
its store: sources and MLflow's artifacts may be in S3, wherever the store is.
"""

HOME = {
    "HOME": "/tmp",  # noqa: S108 -- the one folder it may write to; the user may be a bare number
    "USER": "perennial",
    "LOGNAME": "perennial",
}


def step_environment(environ: Mapping[str, str], settings: Settings, step: str) -> dict[str, str]:
    """Return the worker's settings as a step's container gets them, with its own folders.

    Raises GiveUp where a setting names a folder that a container cannot see.
    """
    environment = {
        name: value
        for name, value in environ.items()
        if name in PASSED_VARIABLES or _is_setting(name)
    }
    environment |= {**HOME, "PERENNIAL_STATE": STATE} | store_in_container(settings, environ)
    if STEPS[step].signs and environ.get(SIGNING_KEY):
        environment[SIGNING_KEY] = environ[SIGNING_KEY]
    if settings.is_set("versions"):
        name = f"{PREFIX}VERSIONS"
        environment[name] = path_in_container(name, settings.versions, settings.state)
    return environment


def _is_setting(name: str) -> bool:
    """Tell whether this is a setting for steps.

    Compose reads variables of our prefix, too, and the secrets of the stack are such.
    """
    is_known = (
        name.startswith(SQL_PREFIX) or name.removeprefix(PREFIX).lower() in Settings.model_fields
    )
    return name.startswith(PREFIX) and is_known and name not in OWN_SETTINGS
