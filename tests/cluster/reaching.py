"""The cluster that tests are given, and how it and this host reach each other."""

from __future__ import annotations

import socket
import subprocess
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipelines.deployment.kubernetes.api import Cluster
from pipelines.kubernetes_client import api_client
from pipelines.settings import Settings
from tests.buckets import ENVIRON

if TYPE_CHECKING:
    from collections.abc import Callable


def until(holds: Callable[[], bool], seconds: float) -> None:
    """Return once it holds; fail where it does not in time."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"it did not hold within {seconds} s"
        time.sleep(0.5)


def kubeconfig() -> str | None:
    """The kubeconfig of the shell that started the tests, before they took it away."""
    return ENVIRON.get("PERENNIAL_KUBERNETES_CONFIG") or ENVIRON.get("KUBECONFIG")


def host_address() -> str:
    """This host's address, as the cluster's pods reach it."""
    host = urlsplit(api_client(Settings(kubernetes_config=kubeconfig())).configuration.host)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        asked.connect((host.hostname, host.port or 443))
        address: str = asked.getsockname()[0]
    return address


def answers() -> bool:
    """Tell whether a cluster answers."""
    try:
        client = Cluster(api_client(Settings(kubernetes_config=kubeconfig())), "default")
        return bool(client.ask("GET", "/version"))
    except Exception:  # noqa: BLE001 -- whatever is amiss, there is none
        return False


def kubectl(*arguments: str) -> str:
    """Run kubectl; return what it prints."""
    done = subprocess.run(
        ["kubectl", *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env=ENVIRON,
    )
    return done.stdout
