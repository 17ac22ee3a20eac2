"""Celery's settings: Airflow's, and how a broker's certificate is checked (amqps, rediss).

Airflow takes them from here by `[celery] celery_config_options`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.celery.executors.default_celery import DEFAULT_CELERY_CONFIG

from pipelines.broker import expect_one_check, tls_options
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path


def check_certificates(config: dict[str, Any], ca: Path | None) -> dict[str, Any]:
    """Return the settings with the check; what Airflow's own `ssl_*` settings say stays.

    Those have the client's certificate and key, where a broker asks for them. Raises RequestError
    where the address would replace the check: in a cluster it may be changed without anybody asking
    the broker first.
    """
    url = str(config["broker_url"])
    expect_one_check(url)
    options = tls_options(url, ca)
    if not options:
        return config
    return {**config, "broker_use_ssl": {**options, **(config.get("broker_use_ssl") or {})}}


CELERY_CONFIG = check_certificates(DEFAULT_CELERY_CONFIG, load_settings().broker_ca)
