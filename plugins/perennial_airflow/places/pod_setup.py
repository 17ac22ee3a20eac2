"""What a step's pod is made of: its name, environment, state, limits, and no privilege."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kubernetes.client import models as k8s

from perennial_airflow.places.step_environment import step_environment
from pipelines.byte_sizes import bytes_of
from pipelines.container_paths import CA, STATE, TRUST, expect_state_in_pods, path_in_container
from pipelines.errors import GiveUp
from pipelines.refs import digest
from pipelines.settings import KEY_VARIABLES, PREFIX, SECRET, SIGNING_KEY, SQL_PREFIX, is_web
from pipelines.steps.catalogue import STEPS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.settings import Settings

OURS = {"perennial": "1", "perennial.kind": "step"}
"""The labels without which a pod is not touched."""

CONTAINER = "step"
GRACE_SECONDS = 5
"""Between SIGTERM and SIGKILL."""

TMP_BYTES = 2**30
LONGEST_NAME = 63
SECRET_VARIABLES = frozenset(
    {
        "MLFLOW_TRACKING_PASSWORD",
        "MLFLOW_TRACKING_TOKEN",
        *(name for names in KEY_VARIABLES.values() for name in names),
    }
)
"""What is secret of the environment beside our own settings."""

ASKED = frozenset(
    {
        f"{PREFIX}LEDGER_URL",
        f"{PREFIX}LEDGER_ANCHOR",
        f"{PREFIX}MLFLOW_URI",
        f"{PREFIX}STORE_ENDPOINT",
        "AWS_ENDPOINT_URL",
        "MLFLOW_S3_ENDPOINT_URL",
    }
)
"""Variables with addresses that steps ask."""

LOOPBACK = re.compile(r"localhost|127(\.\d+){3}|::1")


def pod_name(settings: Settings, model: str, step: str, *run: object) -> str:
    """Return the name of a step's pod, the same for each try: a name of DNS, at most 63 long.

    A model's name may hold what no pod's may, and a run's id anything, so a hash tells them apart.

    `run` is DAG, run id and map index. Two installations in one namespace are told apart by their
    state.
    """
    mark = digest(settings.kubernetes_steps_volume or settings.store, model, step, *run)[:12]
    words = _as_name(f"perennial-step-{model}-{step}")[: LONGEST_NAME - len(mark) - 1]
    return f"{words.rstrip('-')}-{mark}"


def pod_labels(model: str, step: str) -> dict[str, str]:
    """Return the labels of a step's pod; each value is one that Kubernetes takes."""
    return {
        **OURS,
        "perennial.model": _as_name(model)[:LONGEST_NAME].rstrip("-"),
        "perennial.step": _as_name(step),
    }


def _as_name(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"


def pod_environment(
    environ: Mapping[str, str], settings: Settings, step: str
) -> list[k8s.V1EnvVar]:
    """Return the environment of a step's container; of what is secret, only where it stands.

    Raises GiveUp where a secret is in no Secret, or a setting names what no pod can reach.
    """
    expect_state_in_pods(settings)
    found = step_environment(environ, settings, step)
    name = f"{PREFIX}TRUST"
    if settings.kubernetes_steps_trust is not None:
        found[name] = TRUST
    elif settings.is_set("trust"):
        found[name] = path_in_container(name, settings.trust, settings.state)
    found["PERENNIAL_IMAGE"] = settings.steps_image
    secret = {name for name, value in found.items() if is_secret(name, value)}
    _expect_reachable(settings, step, found)
    names = secret | _further_keys(settings, step)
    return [
        *(
            k8s.V1EnvVar(name=name, value=verbatim(value))
            for name, value in sorted(found.items())
            if name not in names
        ),
        *(_reference(settings, name) for name in sorted(names)),
    ]


def is_secret(name: str, value: str) -> bool:
    """Tell whether a variable's value must stand in no pod: it is, or may hold, a password."""
    if name in SECRET_VARIABLES or name.startswith(SQL_PREFIX):
        return True
    is_open = is_web(value) and "@" not in value and "?" not in value
    if name.removeprefix(PREFIX).lower() in SECRET:
        return not is_open
    return "://" in value and "@" in value


def _further_keys(settings: Settings, step: str) -> set[str]:
    keys = {key for key in (settings.kubernetes_steps_secret_keys or "").split(",") if key}
    return keys if STEPS[step].signs else keys - {SIGNING_KEY}


def _reference(settings: Settings, name: str) -> k8s.V1EnvVar:
    if settings.kubernetes_steps_secret is None:
        raise GiveUp(
            f"{name} is a secret, and a pod's environment can be read by whoever sees the pod.",
            remedy=(
                "put it under its name into a Secret of the namespace"
                f" {settings.kubernetes_namespace}, and name that in"
                " PERENNIAL_KUBERNETES_STEPS_SECRET (docs/kubernetes.md)."
            ),
        )
    return k8s.V1EnvVar(
        name=name,
        value_from=k8s.V1EnvVarSource(
            secret_key_ref=k8s.V1SecretKeySelector(name=settings.kubernetes_steps_secret, key=name)
        ),
    )


def _expect_reachable(settings: Settings, step: str, found: Mapping[str, str]) -> None:
    """Raise GiveUp where a pod cannot reach what it would need."""
    if settings.target == "docker" and STEPS[step].deploys:
        raise GiveUp(
            "A step in a pod does not deploy containers of a Docker engine.",
            remedy="set PERENNIAL_TARGET to another target, or PERENNIAL_PLACE=docker.",
        )
    for name, value in _find_addresses(settings, step, found):
        if LOOPBACK.fullmatch(urlsplit(value).hostname or ""):
            raise GiveUp(
                f"{name} is an address of this machine alone, which no pod reaches.",
                remedy=f"set {name} to an address that the cluster's pods reach.",
            )


def _find_addresses(
    settings: Settings, step: str, found: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Return the addresses that a step asks, by their variables."""
    addresses = [
        (name, value)
        for name, value in found.items()
        if name in ASKED or name.startswith(SQL_PREFIX)
    ]
    if settings.target == "process" and STEPS[step].deploys:
        addresses += [(f"{PREFIX}SERVING_URL", url) for url in settings.serving_urls]
    return addresses


def verbatim(text: str) -> str:
    """Return a text that Kubernetes hands on as this one.

    It puts variables, secret ones too, for `$(NAME)` in arguments and values.
    """
    return text.replace("$", "$$")


def pod_volumes(settings: Settings) -> tuple[list[k8s.V1Volume], list[k8s.V1VolumeMount]]:
    """Return the state and the one other folder that a step may write to, and where they are."""
    volumes = [
        _state_volume(settings.kubernetes_steps_volume),
        k8s.V1Volume(name="tmp", empty_dir=k8s.V1EmptyDirVolumeSource(size_limit=str(TMP_BYTES))),
    ]
    mounts = [
        k8s.V1VolumeMount(name="state", mount_path=STATE),
        k8s.V1VolumeMount(name="tmp", mount_path="/tmp"),  # noqa: S108 -- the pod's own
    ]
    if settings.kubernetes_steps_trust is not None:
        keys = k8s.V1ConfigMapVolumeSource(name=settings.kubernetes_steps_trust)
        volumes.append(k8s.V1Volume(name="trust", config_map=keys))
        mounts.append(k8s.V1VolumeMount(name="trust", mount_path=TRUST, read_only=True))
    if settings.kubernetes_steps_ca is not None:
        certificates = k8s.V1ConfigMapVolumeSource(name=settings.kubernetes_steps_ca)
        volumes.append(k8s.V1Volume(name="ca", config_map=certificates))
        mounts.append(k8s.V1VolumeMount(name="ca", mount_path=CA, read_only=True))
    return volumes, mounts


def _state_volume(state: str | None) -> k8s.V1Volume:
    if state is None:
        return k8s.V1Volume(name="state", empty_dir=k8s.V1EmptyDirVolumeSource())
    if state.startswith("/"):
        # It must be there: a folder that the node makes would be root's, and empty.
        return k8s.V1Volume(
            name="state", host_path=k8s.V1HostPathVolumeSource(path=state, type="Directory")
        )
    claim = k8s.V1PersistentVolumeClaimVolumeSource(claim_name=state)
    return k8s.V1Volume(name="state", persistent_volume_claim=claim)


def container_resources(limits: Mapping[str, Any]) -> k8s.V1ResourceRequirements:
    """Return the spec's limits as what the scheduler reserves and the kernel keeps to."""
    found: dict[str, str] = {}
    if limits.get("memory"):
        found["memory"] = str(bytes_of(limits["memory"]))
    if limits.get("cpus"):
        found["cpu"] = f"{max(1, round(limits['cpus'] * 1_000))}m"
    return k8s.V1ResourceRequirements(requests=dict(found), limits=dict(found))


def pod_security(settings: Settings) -> k8s.V1PodSecurityContext:
    """Return what the pod's state belongs to; a folder of a node is left as it is."""
    state = settings.kubernetes_steps_volume or ""
    return k8s.V1PodSecurityContext(
        fs_group=None if state.startswith("/") else _user(settings)[1],
        seccomp_profile=k8s.V1SeccompProfile(type="RuntimeDefault"),
    )


def container_security(settings: Settings) -> k8s.V1SecurityContext:
    """Return a container's privileges: none, and it is not root's.

    The user is the container's and not the pod's, whose other container is the cluster's own.
    """
    user, group = _user(settings)
    return k8s.V1SecurityContext(
        run_as_non_root=True,
        run_as_user=user,
        run_as_group=group,
        allow_privilege_escalation=False,
        privileged=False,
        read_only_root_filesystem=True,
        capabilities=k8s.V1Capabilities(drop=["ALL"]),
    )


def _user(settings: Settings) -> tuple[int, int]:
    user, _, group = settings.kubernetes_steps_user.partition(":")
    return int(user), int(group or user)


def node_selector(settings: Settings) -> dict[str, str]:
    """Return the labels that a node must have."""
    pairs = [part.split("=", 1) for part in (settings.kubernetes_steps_nodes or "").split(",")]
    return {pair[0]: pair[1] for pair in pairs if len(pair) > 1}


def tolerations(settings: Settings) -> list[k8s.V1Toleration]:
    """Return the taints that do not keep a step away."""
    taints = [part for part in (settings.kubernetes_steps_tolerations or "").split(",") if part]
    return [_toleration(taint) for taint in taints]


def _toleration(taint: str) -> k8s.V1Toleration:
    what, _, effect = taint.partition(":")
    key, has_value, value = what.partition("=")
    return k8s.V1Toleration(
        key=key,
        operator="Equal" if has_value else "Exists",
        value=value if has_value else None,
        effect=effect,
    )


def account(settings: Settings, step: str) -> tuple[str | None, bool]:
    """Return the service account of a step's pod, and whether the pod sees its token.

    Only a step that deploys sees one, where one was named for that.
    """
    if STEPS[step].deploys and settings.kubernetes_deploy_account is not None:
        return settings.kubernetes_deploy_account, True
    return settings.kubernetes_steps_account, False
