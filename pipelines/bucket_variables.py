"""The bucket of the store, as AWS's library and MLflow are told of it.

They read variables of the environment, which follow from our own settings, so that nothing is
configured twice. What somebody has set stays.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from pipelines.settings import scheme_of

if TYPE_CHECKING:
    from pipelines.settings import Settings


def bucket_variables(settings: Settings) -> dict[str, str]:
    """Return the variables by which MLflow reaches the bucket; none where the store is in none.

    It reaches S3 alone.
    """
    if scheme_of(settings.store) != "s3":
        return {}
    variables = {
        "AWS_DEFAULT_REGION": settings.store_region,
        "MLFLOW_S3_ENDPOINT_URL": settings.store_endpoint,
        "AWS_SHARED_CREDENTIALS_FILE": str(settings.store_credentials or ""),
        "AWS_CA_BUNDLE": str(settings.store_ca or ""),
        "MLFLOW_S3_UPLOAD_EXTRA_ARGS": _encryption(settings),
    }
    return {name: value for name, value in variables.items() if value}


def use_bucket(settings: Settings) -> None:
    """Set those variables in this process, except for what is set already."""
    for name, value in bucket_variables(settings).items():
        os.environ.setdefault(name, value)


def _encryption(settings: Settings) -> str:
    if not settings.store_encryption:
        return ""
    asked: dict[str, str] = {"ServerSideEncryption": settings.store_encryption}
    if settings.store_kms_key:
        asked["SSEKMSKeyId"] = settings.store_kms_key
    return json.dumps(asked)
