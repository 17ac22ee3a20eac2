"""The pod of a release: what it runs, sees and may do.

Before its server starts, another container brings the one release from the store, verified by the
bundle's hash. The server is led to once it has answered its golden requests over HTTP.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from pipelines.byte_sizes import bytes_of
from pipelines.container_paths import (
    CA,
    STATE,
    TRUST,
    bucket_settings,
    expect_store_in_pods,
    path_in_container,
)
from pipelines.deployment.docker.container import HANDED_ON
from pipelines.deployment.kubernetes import names
from pipelines.errors import GiveUp
from pipelines.refs import canonical
from pipelines.settings import (
    KEY_VARIABLES,
    PREFIX,
    WITHOUT_CHOICE,
    local_path,
    scheme_of,
    service_of,
)

if TYPE_CHECKING:
    from pipelines.bundle.manifest import BundleManifest, Release
    from pipelines.deployment.kubernetes.api import Object
    from pipelines.settings import Settings
    from pipelines.spec import Spec

PORT: Final = 8000
USER: Final = 10_001
"""The user of the serving images."""
RELEASES, PERSONAL = "/release", "/personal"
PACKAGES: Final = "/packages"
"""Where the packages lie that a bundle requires beside those of the image."""
DRAINING: Final = "/tmp/draining"  # noqa: S108 -- the pod's own
DRAIN_SECONDS: Final = 10
"""How long a pod that is to end goes on answering.

So long the nodes may take to lead callers elsewhere; a caller that keeps its connection is told to
begin another one.
"""
GRACE_SECONDS: Final = 40
"""Between the order to end and the kill: draining, requests under way, the log sent."""
READY_SECONDS: Final = 5
"""How long a new pod is ready before an old one may go: the nodes learn of it meanwhile."""
PROBE_SECONDS: Final = 2
REQUEST_MEMORY: Final = "256m"
REQUEST_CPUS: Final = 0.25
SERVER: Final = "server"
BRINGER: Final = "release"


def pod_template(
    settings: Settings, spec: Spec, release: Release, manifest: BundleManifest
) -> Object:
    """Return the template of the release's pods.

    Packages that the bundle requires must be in the store (`environments.ready.keep_packages`).

    Raises GiveUp where the settings do not say what pods need.
    """
    _refuse_what_pods_lack(settings, release, manifest)
    labels = names.labels(release, settings)
    return {
        "metadata": {
            "labels": labels,
            "annotations": names.told_of(release),
        },
        "spec": {
            **_where(settings, names.of_model(release.model, settings)),
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "securityContext": {
                "fsGroup": USER,
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "volumes": _volumes(settings, manifest),
            "initContainers": [
                {
                    **_container(settings, spec, release, manifest),
                    "name": BRINGER,
                    "command": ["python", "-m", "serving.one_release"],
                    "volumeMounts": _mounts(settings, manifest, brings=True),
                }
            ],
            "containers": [
                {
                    **_container(settings, spec, release, manifest),
                    **_probes(settings),
                    "name": SERVER,
                    "ports": [{"name": names.PORT, "containerPort": PORT, "protocol": "TCP"}],
                    "lifecycle": {
                        "preStop": {
                            "exec": {
                                "command": [
                                    "/bin/sh",
                                    "-c",
                                    f"touch {DRAINING}; sleep {DRAIN_SECONDS}",
                                ]
                            }
                        }
                    },
                }
            ],
        },
    }


def serving_image(settings: Settings, manifest: BundleManifest) -> str:
    """Return the image that can answer the bundle."""
    return settings.serving_image if manifest.compiled else settings.serving_native_image


def _refuse_what_pods_lack(settings: Settings, release: Release, manifest: BundleManifest) -> None:
    """Raise GiveUp where pods could not serve this release, whatever the cluster does."""
    expect_store_in_pods(settings)
    if settings.require_signature and settings.kubernetes_serving_trust is None:
        raise GiveUp(
            "A signature is required, and pods do not know whose signatures count.",
            remedy=(
                "let PERENNIAL_KUBERNETES_SERVING_TRUST name a ConfigMap with the trusted keys"
                " (docs/kubernetes.md)."
            ),
        )
    hashed = [c.name for c in manifest.inputs.columns if c.personal == "hash"]
    hashed += ["the key"] if manifest.inputs.key_personal == "hash" else []
    own_folder = settings.kubernetes_serving_volume is None
    if hashed and own_folder and settings.kubernetes_serving_personal_key is None:
        raise GiveUp(
            f"Personal data of {release.model} are hashed ({hashed[0]}), and each pod would do so"
            " with a key of its own.",
            remedy=(
                "let PERENNIAL_KUBERNETES_SERVING_PERSONAL_KEY name a Secret with the key"
                " (docs/kubernetes.md)."
            ),
        )


def _where(settings: Settings, chosen: dict[str, str]) -> Object:
    """Return where the pods may run, and as whom."""
    found: Object = {
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": chosen},
            }
        ]
    }
    if settings.kubernetes_serving_account:
        found["serviceAccountName"] = settings.kubernetes_serving_account
    if settings.kubernetes_serving_pull_secret:
        found["imagePullSecrets"] = [{"name": settings.kubernetes_serving_pull_secret}]
    if settings.kubernetes_serving_nodes:
        pairs = settings.kubernetes_serving_nodes.split(",")
        found["nodeSelector"] = dict(pair.split("=", 1) for pair in pairs)
    if settings.kubernetes_serving_tolerations:
        found["tolerations"] = [
            _toleration(text) for text in settings.kubernetes_serving_tolerations.split(",")
        ]
    return found


def _toleration(text: str) -> Object:
    label, effect = text.rsplit(":", 1)
    key, equals, value = label.partition("=")
    wanted = {"operator": "Equal", "value": value} if equals else {"operator": "Exists"}
    return {"key": key, "effect": effect, **wanted}


def _container(
    settings: Settings, spec: Spec, release: Release, manifest: BundleManifest
) -> Object:
    image = serving_image(settings, manifest)
    return {
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "env": _environment(settings, release, image),
        "resources": _resources(spec),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": _mounts(settings, manifest),
    }


def _resources(spec: Spec) -> Object:
    limits, asked = spec.resources.serving, spec.deploy.requests
    cpus = asked.cpus or min(REQUEST_CPUS, limits.cpus or REQUEST_CPUS)
    memory = asked.memory or limits.memory or REQUEST_MEMORY
    most = {
        **({"memory": str(bytes_of(limits.memory))} if limits.memory else {}),
        **({"cpu": _milli(limits.cpus)} if limits.cpus else {}),
    }
    return {
        "requests": {"memory": str(bytes_of(memory)), "cpu": _milli(cpus)},
        **({"limits": most} if most else {}),
    }


def _milli(cpus: float) -> str:
    return f"{max(1, round(cpus * 1_000))}m"


def _environment(settings: Settings, release: Release, image: str) -> list[Object]:
    variables = {f"{PREFIX}{field.upper()}": str(getattr(settings, field)) for field in HANDED_ON}
    variables |= _store(settings)
    if settings.kubernetes_serving_trust:
        variables[f"{PREFIX}TRUST"] = TRUST
    if settings.kubernetes_serving_personal_key:
        variables[f"{PREFIX}PERSONAL_KEY_FROM"] = f"{PERSONAL}/personal_key"
    variables |= {
        f"{PREFIX}SERVING_HOST": "0.0.0.0",  # noqa: S104 -- in its own network
        f"{PREFIX}SERVING_PORT": str(PORT),
        f"{PREFIX}STATE": STATE,
        f"{PREFIX}RELEASES": RELEASES,
        f"{PREFIX}PACKAGES": PACKAGES,
        f"{PREFIX}RELEASE": canonical(release).decode(),
        f"{PREFIX}DRAINING": DRAINING,
        f"{PREFIX}IMAGE": image,
    }
    own = {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.uid"}}
    return [
        # A random name that only the pod itself and readers of the cluster's API know
        {"name": f"{PREFIX}PROOF_TOKEN", "valueFrom": own},
        *({"name": name, "value": value} for name, value in sorted(variables.items()) if value),
        *_key(settings),
    ]


def _key(settings: Settings) -> list[Object]:
    """Return the variables with the key to the bucket, where a Secret has it; nothing else of it.

    Without the entries that every key has, a pod does not start, and says so.
    """
    secret = settings.kubernetes_serving_secret
    if secret is None or not settings.has_bucket:
        return []
    entries = {
        name: {"name": secret, "key": name} | ({} if name in WITHOUT_CHOICE else {"optional": True})
        for name in KEY_VARIABLES[service_of(settings.store)]
    }
    return [{"name": name, "valueFrom": {"secretKeyRef": entry}} for name, entry in entries.items()]


def _store(settings: Settings) -> dict[str, str]:
    """Return the variables that name the store; the key to a bucket comes from a Secret."""
    name = f"{PREFIX}STORE"
    if not settings.has_bucket:
        if scheme_of(settings.store) not in {"", "file"}:
            return {name: settings.store}
        return {name: path_in_container(name, local_path(settings.store), settings.state)}
    variables = bucket_settings(settings)
    if settings.kubernetes_serving_ca:
        variables[f"{PREFIX}STORE_CA"] = f"{CA}/ca.pem"
    return {name: settings.store, **variables}


def _volumes(settings: Settings, manifest: BundleManifest) -> list[Object]:
    volume = settings.kubernetes_serving_volume
    if volume is None:
        state: Object = {"emptyDir": {}}
    elif volume.startswith("/"):
        state = {"hostPath": {"path": volume, "type": "Directory"}}
    else:
        state = {"persistentVolumeClaim": {"claimName": volume}}
    volumes: list[Object] = [
        {"name": "state", **state},
        {"name": "release", "emptyDir": {}},
        {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
    ]
    if manifest.packages is not None:
        volumes.append({"name": "packages", "emptyDir": {}})
    if settings.kubernetes_serving_trust:
        volumes.append({"name": "trust", "configMap": {"name": settings.kubernetes_serving_trust}})
    if settings.kubernetes_serving_ca:
        volumes.append({"name": "ca", "configMap": {"name": settings.kubernetes_serving_ca}})
    if settings.kubernetes_serving_personal_key:
        secret = {"secretName": settings.kubernetes_serving_personal_key, "defaultMode": 0o440}
        volumes.append({"name": "personal", "secret": secret})
    return volumes


def _mounts(settings: Settings, manifest: BundleManifest, *, brings: bool = False) -> list[Object]:
    """Return where a container finds its volumes; only one that `brings` packages writes them."""
    mounts: list[Object] = [
        {"name": "state", "mountPath": STATE},
        {"name": "release", "mountPath": RELEASES},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 -- the pod's own
    ]
    if manifest.packages is not None:
        mounts.append({"name": "packages", "mountPath": PACKAGES, "readOnly": not brings})
    fields = (
        ("trust", settings.kubernetes_serving_trust, TRUST),
        ("ca", settings.kubernetes_serving_ca, CA),
        ("personal", settings.kubernetes_serving_personal_key, PERSONAL),
    )
    mounts += [
        {"name": name, "mountPath": path, "readOnly": True} for name, given, path in fields if given
    ]
    return mounts


def _probes(settings: Settings) -> dict[str, Any]:
    tries = math.ceil(settings.kubernetes_deploy_seconds / PROBE_SECONDS)

    def probe(path: str) -> Object:
        return {"httpGet": {"path": path, "port": names.PORT, "scheme": "HTTP"}}

    return {
        "startupProbe": {
            "exec": {"command": ["python", "-m", "serving.proof"]},
            "periodSeconds": PROBE_SECONDS,
            "timeoutSeconds": 60,
            "failureThreshold": tries,
        },
        "readinessProbe": {
            **probe("/ready"),
            "periodSeconds": 3,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        },
        "livenessProbe": {
            **probe("/health"),
            "periodSeconds": 10,
            "timeoutSeconds": 5,
            "failureThreshold": 6,
        },
    }
