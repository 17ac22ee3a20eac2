"""By which address a pod's task logs are asked for: its own, which Kubernetes tells it.

Names of pods are known to nobody else. Airflow is told of it by `[core] hostname_callable`.
"""

from __future__ import annotations

import os
import socket

VARIABLE = "POD_ADDRESS"


def pod_address() -> str:
    """Return the pod's address, or elsewhere this host's name."""
    return os.environ.get(VARIABLE) or socket.gethostname()
