"""Where a container finds what lies below the state folder, and whether a pod finds it at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pipelines.errors import GiveUp
from pipelines.settings import KEY_VARIABLES, PREFIX, keys_in, local_path, scheme_of, service_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipelines.settings import Settings

STATE = "/state"
"""Where a container finds the state."""
TRUST = "/trust"
"""Where a container finds the trusted keys, if they are a volume of their own."""
CA = "/ca"
"""Where a pod finds the certificates that the bucket's is checked against."""


def path_in_container(name: str, folder: Path, state: Path) -> str:
    """Return the path of a folder below the state as a container sees it.

    Raises GiveUp, with the setting's `name`, where the folder is not below the state.
    """
    try:
        return f"{STATE}/{folder.resolve().relative_to(state)}"
    except ValueError as error:
        raise GiveUp(
            f"{name}={folder} is not below the state folder {state}, which is all that a container"
            " sees.",
            remedy=f"leave {name} out, or move it there.",
        ) from error


def store_in_container(
    settings: Settings, environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the variables that name the store to a container; none where nobody has set it.

    Raises GiveUp where the store is a folder that is not below the state, or where a file that a
    bucket needs is not.
    """
    name = f"{PREFIX}STORE"
    if not settings.is_set("store"):
        return {}
    if settings.has_bucket:
        return {name: settings.store, **_bucket_in_container(settings, environ)}
    if scheme_of(settings.store) not in {"", "file"}:
        return {name: settings.store}
    return {name: path_in_container(name, local_path(settings.store), settings.state)}


def expect_state_in_pods(settings: Settings) -> None:
    """Raise GiveUp where the pods of steps would not see the state, whichever step it is."""
    if settings.is_set("versions"):
        path_in_container(f"{PREFIX}VERSIONS", settings.versions, settings.state)
    if settings.kubernetes_steps_volume is not None:
        store_in_container(settings)
        return
    lacking = [] if settings.has_bucket else [f"{PREFIX}STORE (a bucket)"]
    lacking += [
        f"{PREFIX}{field.upper()} (a server)"
        for field in ("ledger_url", "mlflow_uri")
        if getattr(settings, field).startswith("sqlite:")
    ]
    if settings.has_bucket and scheme_of(settings.store) != "s3" and not settings.mlflow_proxied:
        # MLflow's artifacts are in no bucket but one of S3
        lacking.append(f"{PREFIX}MLFLOW_PROXIED=true")
    if lacking:
        raise GiveUp(
            "The steps' pods have no state: what they write would go with them.",
            remedy=(
                "name a PersistentVolumeClaim, or a folder of the one node, in"
                f" PERENNIAL_KUBERNETES_STEPS_VOLUME, or set {', '.join(lacking)}."
            ),
        )
    _refuse_files_of_a_bucket(settings)


def _refuse_files_of_a_bucket(settings: Settings) -> None:
    """Raise GiveUp where a file that the bucket needs is the worker's, and no volume brings it."""
    keys = ", ".join(KEY_VARIABLES[service_of(settings.store)])
    remedies = {
        "store_credentials": (
            "let the pods have the key as a variable: put it into the Secret of"
            f" {PREFIX}KUBERNETES_STEPS_SECRET, set it here too ({keys}), and leave the file out"
            " (docs/kubernetes.md)."
        ),
        "store_ca": (
            f"let {PREFIX}KUBERNETES_STEPS_CA name a ConfigMap with the entry ca.pem"
            " (docs/kubernetes.md)."
        ),
    }
    for field, remedy in remedies.items():
        file = getattr(settings, field)
        if file is not None and not (field == "store_ca" and settings.kubernetes_steps_ca):
            raise GiveUp(
                f"{settings.variable(field)}={file} is a file of this machine, and the steps' pods"
                " have no volume that it is in.",
                remedy=remedy,
            )


def expect_store_in_pods(settings: Settings) -> None:
    """Raise GiveUp where the pods of releases would not see the store."""
    if settings.has_bucket:
        return
    if settings.kubernetes_serving_volume is None:
        raise GiveUp(
            "Pods cannot reach the store: it is in no bucket, and they have no volume of it.",
            remedy=(
                "let PERENNIAL_STORE name a bucket, or PERENNIAL_KUBERNETES_SERVING_VOLUME the"
                " claim of the volume that is the state folder."
            ),
        )
    if scheme_of(settings.store) in {"", "file"}:
        path_in_container(f"{PREFIX}STORE", local_path(settings.store), settings.state)


def bucket_settings(settings: Settings) -> dict[str, str]:
    """Return the variables, each with a value, of the settings that say how a bucket is reached and
    used, as they are everywhere. No key and no file is among them.
    """
    plain = (
        "endpoint", "region", "account", "encryption", "kms_key", "cache_bytes", "retry_seconds",
    )  # fmt: skip
    fields = [f"store_{name}" for name in plain]
    variables = {f"{PREFIX}{field.upper()}": str(getattr(settings, field)) for field in fields}
    return {name: value for name, value in variables.items() if value}


def _bucket_in_container(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what a container must know to reach the bucket, the key to its service among it."""
    variables = bucket_settings(settings)
    certificates = f"{CA}/ca.pem" if settings.kubernetes_steps_ca else None
    for field in ("store_credentials", "store_ca", "store_folder"):
        path = getattr(settings, field)
        if field == "store_ca" and certificates:
            variables[f"{PREFIX}STORE_CA"] = certificates
        elif path is not None and settings.is_set(field):
            inside = path_in_container(settings.variable(field), path, settings.state)
            variables[f"{PREFIX}{field.upper()}"] = inside
    return variables | keys_in(environ, service_of(settings.store))


def trust_in_container(settings: Settings) -> dict[str, str]:
    """Return the variable that names the folder of trusted keys to a container, where it needs one.

    Raises GiveUp where the folder is neither a volume nor below the state.
    """
    name = f"{PREFIX}TRUST"
    if settings.docker_trust is not None:
        return {name: TRUST}
    if not settings.is_set("trust"):
        return {}
    return {name: path_in_container(name, settings.trust, settings.state)}
