"""What a model's objects are called in a cluster, and the labels by which they are found again.

Names are DNS labels: small letters, digits and hyphens, at most 63, and short enough for what
Kubernetes appends. A label's value holds at most 63 characters, so whole hashes and the model's own
name stand in annotations.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pipelines.refs import digest, sha256

if TYPE_CHECKING:
    from pipelines.bundle.manifest import Release
    from pipelines.settings import Settings

_PLAIN: Final = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")
_LONGEST: Final = 36
_HASH: Final = 10
_BUNDLE: Final = 40
MODEL, RELEASE, BUNDLE = "perennial/model", "perennial/release", "perennial/bundle"
KIND, INSTALLATION = "perennial/kind", "perennial/installation"
VERSION, PORT = "perennial/version", "http"


def short(model: str) -> str:
    """Return the model's name as a part of a DNS label; no two models have the same.

    A name of one hyphen after another is made of a hash, and no plain name gives one such: there,
    an underscore is one hyphen, and two never meet.
    """
    if len(model) <= _LONGEST and _PLAIN.fullmatch(model):
        return model.replace("_", "-")
    plain = re.sub("[^a-z0-9]+", "-", model)[: _LONGEST - _HASH - 2].strip("-")
    return f"{plain}--{sha256(model.encode())[:_HASH]}"


def object_name(model: str) -> str:
    """Return the name of a model's Deployment, Service and the rest: perennial-<model>."""
    return f"perennial-{short(model)}"


def installation(settings: Settings) -> str:
    """Return what tells two installations in one namespace apart: the store that they share."""
    return digest(f"{settings.kubernetes_serving_volume or ''} {settings.store}")[:12]


def of_model(model: str, settings: Settings) -> dict[str, str]:
    """Return the labels of everything that belongs to the model's releases: they select pods."""
    return {
        KIND: "release",
        MODEL: short(model),
        INSTALLATION: installation(settings),
    }


def labels(release: Release, settings: Settings) -> dict[str, str]:
    """Return all labels of a release's objects."""
    return {
        **of_model(release.model, settings),
        "app.kubernetes.io/name": "perennial-release",
        "app.kubernetes.io/instance": object_name(release.model),
        "app.kubernetes.io/managed-by": "perennial",
        RELEASE: str(release.number),
        BUNDLE: release.bundle.sha256[:_BUNDLE],
    }


def told_of(release: Release) -> dict[str, str]:
    """Return what is told of a release in full."""
    return {MODEL: release.model, VERSION: release.version, BUNDLE: release.bundle.sha256}


def release_number(found: dict[str, Any]) -> int:
    """Return the number of the release that an object is of; 0 where it says none."""
    number = (found["metadata"].get("labels") or {}).get(RELEASE, "")
    return int(number) if number.isdecimal() else 0


def is_of_model(found: dict[str, Any], model: str, settings: Settings) -> bool:
    """Tell whether an object of the model's name is the model's own, of this installation."""
    metadata = found["metadata"]
    return (
        of_model(model, settings).items() <= (metadata.get("labels") or {}).items()
        and (metadata.get("annotations") or {}).get(MODEL) == model
    )


def is_of_release(found: dict[str, Any], release: Release) -> bool:
    """Tell whether an object is of this release, not of another bundle under the same number."""
    told = found["metadata"].get("annotations") or {}
    return release_number(found) == release.number and told.get(BUNDLE) == release.bundle.sha256


def selector(labels: dict[str, str]) -> str:
    """Return labels as the API is asked for them."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
