"""The client of the cluster's API server that the settings name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pipelines.errors import GiveUp

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

    from pipelines.settings import Settings


def api_client(settings: Settings) -> ApiClient:
    """Return a client; nothing is asked yet.

    Of the kubeconfig that the settings name; else of the cluster that this process runs in; else of
    the user's own kubeconfig. Raises GiveUp where there is none of them, or it cannot be read.
    """
    # Imported where a cluster is used, and nowhere else: it takes a second
    from kubernetes import client, config
    from kubernetes.config.config_exception import ConfigException
    from yaml import YAMLError

    configuration = client.Configuration()
    file = settings.kubernetes_config
    is_inside = file is None and "KUBERNETES_SERVICE_HOST" in os.environ
    try:
        if is_inside:
            config.load_incluster_config(client_configuration=configuration)
        else:
            config.load_kube_config(
                config_file=None if file is None else str(file),
                client_configuration=configuration,
                persist_config=False,
            )
    except (ConfigException, OSError, YAMLError, TypeError, ValueError) as error:
        raise GiveUp(
            f"No cluster is known: {str(error) or type(error).__name__}.",
            remedy=(
                "let PERENNIAL_KUBERNETES_CONFIG name a kubeconfig file, or run inside a cluster"
                " with a service account."
            ),
        ) from error
    return client.ApiClient(configuration)
