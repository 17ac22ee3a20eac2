"""A release's container.

What it may do, how it is started beside the one that serves, and when it is ready.
"""

from __future__ import annotations

import os
import secrets
import time
from typing import TYPE_CHECKING, Any

from pipelines.container_paths import STATE, TRUST, store_in_container, trust_in_container
from pipelines.deployment.docker import golden
from pipelines.deployment.docker.names import container_name, is_of
from pipelines.errors import Conflict, Refused, Unreachable

if TYPE_CHECKING:
    import httpx

    from pipelines.bundle.manifest import BundleManifest, Golden, Release
    from pipelines.deployment.docker.engine import Container, Image, ReleaseEngine
    from pipelines.deployment.docker.gateway import Gateway
    from pipelines.settings import Settings
    from pipelines.spec.resources import Limits

GRACE_SECONDS = 20
"""Between SIGTERM and SIGKILL; the server gives requests under way half of it."""

KILLED = (137, 143)
"""Exit codes of what was ended from outside (SIGKILL, SIGTERM); that says nothing of the release.
"""

LOG_LINES = 20
LOG_CHARACTERS = 1_500
POLL_SECONDS = 0.1
ENDED_SECONDS = 3.0
"""How long to look for the exit code of a container that the engine starts again and again."""

TOKEN = "PERENNIAL_PROOF_TOKEN"  # noqa: S105 -- the name of a variable
HANDED_ON = (
    "body_limit",
    "max_rows",
    "body_timeout_seconds",
    "serving_workers",
    "serving_hosts",
    "log_sync_seconds",
    "log_when_full",
    "log_segment_bytes",
    "log_send_seconds",
    "log_level",
    "own_code_answer_seconds",
    "lock_timeout_seconds",
    "serving_poll_seconds",
    "serving_idle_seconds",
    "require_signature",
)
"""The settings that a release's server shares with whoever deploys it."""


def start_container(
    engine: ReleaseEngine, settings: Settings, release: Release, image: Image, limits: Limits
) -> Container:
    """Return the release's container, running.

    The one that is there, started where it does not run, or a new one.

    Raises Conflict where a container that is not ours has its name, and what the engine raises.
    """
    name = container_name(release.model, release.number)
    container = own(engine, release)
    if container is not None and (container.image != image.id or container.restarts):
        engine.remove(name)
        container = None
    if container is None:
        _create(engine, settings, name, image, limits)
    engine.start(name)
    running = engine.container(name)
    if running is None:
        raise Unreachable(f"The container {name} was removed while it started.")
    return running


def own(engine: ReleaseEngine, release: Release) -> Container | None:
    """Return the release's container, if it is there.

    Raises Conflict where another one has its name.
    """
    container = engine.container(container_name(release.model, release.number))
    if container is not None and not (
        is_of(container.labels, release) and engine.owns(container.labels)
    ):
        raise Conflict(
            f"The container {container.name} is not of release {release.number} of {release.model}"
            f" ({release.version}) of this installation.",
            remedy=(
                f"look what it is (`docker inspect {container.name}`); rename or remove it,"
                " then clear this task."
            ),
        )
    return container


def _create(
    engine: ReleaseEngine, settings: Settings, name: str, image: Image, limits: Limits
) -> None:
    environment = {
        f"PERENNIAL_{field.upper()}": str(getattr(settings, field)) for field in HANDED_ON
    }
    environment |= store_in_container(settings) | trust_in_container(settings)
    environment |= {
        "PERENNIAL_SERVING_HOST": "0.0.0.0",  # noqa: S104 -- in its own network
        "PERENNIAL_IMAGE": image.id,
        TOKEN: secrets.token_hex(16),
    }
    engine.create(
        name,
        image.id,
        settings.release_network,
        _host(settings, limits),
        environment=environment,
        labels={
            key: value
            for key, value in image.labels.items()
            if key.startswith(("perennial", "org.opencontainers.image."))
        },
        user=f"{os.getuid()}:{os.getgid()}" if _bound(settings) else None,
        stop_timeout=GRACE_SECONDS,
    )


def _bound(settings: Settings) -> bool:
    """Tell whether the state is a folder of the engine's host.

    Then the container writes as the user who deploys.
    """
    return (settings.docker_state or "/").startswith("/")


def _host(settings: Settings, limits: Limits) -> dict[str, Any]:
    """Return what the container may do: nothing but write its log and think, within its limits."""
    from docker.types import LogConfig, Mount

    source = settings.docker_state or str(settings.state)
    mounts = [Mount(STATE, source, type="bind" if _bound(settings) else "volume")]
    if settings.docker_trust is not None:
        mounts.append(Mount(TRUST, settings.docker_trust, type="volume", read_only=True))
    return {
        "mounts": mounts,
        "read_only": True,
        "tmpfs": {"/tmp": "size=64m,mode=1777"},  # noqa: S108 -- the container's own
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "init": True,
        "restart_policy": {"Name": "unless-stopped"},
        "pids_limit": 256,
        "log_config": LogConfig(type="json-file", config={"max-size": "10m", "max-file": "3"}),
        "mem_limit": limits.memory,
        "memswap_limit": limits.memory,
        "nano_cpus": round(limits.cpus * 1e9) if limits.cpus else None,
    }


def prove(
    engine: ReleaseEngine,
    gateway: Gateway,
    settings: Settings,
    release: Release,
    container: Container,
    bundle: tuple[BundleManifest, Golden],
) -> None:
    """Wait until the container is ready, then compare its golden answers, both by the gateway's own
    way to it.

    Raises Refused, with the last lines of its log, where it ends, is not ready in time, refuses the
    release or answers otherwise; Unreachable where the gateway is away.
    """
    import httpx

    with gateway.candidate(container.name, container.environment.get(TOKEN, "")) as client:
        _wait(engine, gateway, client, settings.deploy_timeout_seconds, release, container)
        try:
            differences = golden.differences(client, release, *bundle)
        except httpx.HTTPError as error:
            _refuse_ended(engine, container.name)
            raise gateway.away(error) from error
    if differences:
        rest = len(differences) - 3
        more = f" (and {rest} more)" if rest > 0 else ""
        raise _make_refusal(
            engine,
            container.name,
            f"it does not answer as it was packaged: {'; '.join(differences[:3])}{more}",
        )


def _wait(
    engine: ReleaseEngine,
    gateway: Gateway,
    client: httpx.Client,
    seconds: float,
    release: Release,
    container: Container,
) -> None:
    """Return when the container is ready.

    Raises at once where it has ended or refused its release.
    """
    import httpx

    end = time.monotonic() + seconds
    while True:
        _refuse_ended(engine, container.name)
        try:
            answer = client.get("/ready")
            if answer.status_code == 200:  # noqa: PLR2004
                return
            last_answer = f"{answer.status_code} {answer.text[:300]}"
            reason = _refusal(client, release)
        except (
            httpx.ConnectError,
            httpx.UnsupportedProtocol,
        ) as error:  # the socket: not the container's fault
            if time.monotonic() > end:
                raise gateway.away(error) from error
            last_answer, reason = str(error), ""
        except httpx.HTTPError as error:
            last_answer, reason = f"{type(error).__name__}: {error}", ""
        if reason:
            raise _make_refusal(engine, container.name, f"its server refuses the release: {reason}")
        if time.monotonic() > end:
            raise _make_refusal(
                engine,
                container.name,
                f"it was not ready within {seconds:g} s (last answer: {last_answer})",
            )
        time.sleep(POLL_SECONDS)


def _refusal(client: httpx.Client, release: Release) -> str:
    """Return why the server in the container will never serve its release, or "" while it may."""
    answer = client.get(f"/models/{release.model}")
    try:
        entry = answer.json().get("refused")
    except (ValueError, AttributeError):
        return ""
    return (
        str(entry.get("reason"))
        if isinstance(entry, dict) and entry.get("release") == release.number
        else ""
    )


def _refuse_ended(engine: ReleaseEngine, name: str) -> None:
    """Raise Refused where the container has ended since it was started.

    The engine may have started it again meanwhile.
    """
    container = engine.container(name)
    if container is not None and container.running and not container.restarts:
        return
    end = time.monotonic() + ENDED_SECONDS
    while container is not None and container.running and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
        container = engine.container(name)
    if container is None:
        raise Unreachable(f"The container {name} was removed while it started.")
    if container.exit_code in KILLED and not container.out_of_memory:
        raise Unreachable(
            f"The container {name} was killed while it proved itself (exit code"
            f" {container.exit_code}).",
            remedy="a retry proves it anew.",
        )
    if container.out_of_memory:
        raise _make_refusal(
            engine, name, "it ran out of memory (the spec's resources.serving.memory is its limit)"
        )
    raise _make_refusal(
        engine,
        name,
        "it ended with exit code"
        f" {container.exit_code}{f' ({container.trouble})' if container.trouble else ''}",
    )


def _make_refusal(engine: ReleaseEngine, name: str, difference: str) -> Refused:
    """Return the error with the container's last words."""
    try:
        log = engine.logs(name, LOG_LINES)[-LOG_CHARACTERS:]
    except Unreachable as error:
        log = f"(cannot be read: {error.message})"
    return Refused(
        f"the container {name}: {difference}. The last lines of its"
        f" log:\n{log or '(it wrote none)'}"
    )
