"""What a release's image and container are called, and the labels by which they are found again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipelines.refs import sha256

if TYPE_CHECKING:
    from pipelines.bundle.manifest import BundleManifest, Release
    from pipelines.environments.record import EnvironmentRecord

_PLAIN = re.compile(r"[a-z0-9]+(_{1,2}[a-z0-9]+)*")
OF_ENVIRONMENTS = {"perennial": "1", "perennial.kind": "environment"}
"""The labels of all images that have the packages of an environment."""
_LONGEST = 36
"""A container's name is a name in the DNS, of which a part has at most 63 characters."""


def image_name(model: str, number: int) -> str:
    """Return the tag of a release's image: perennial/release-<model>:<number>."""
    return f"perennial/release-{_short(model)}:{number}"


def environment_image(record: EnvironmentRecord, base: str) -> str:
    """Return the tag of the image that has an environment's packages over a base (its id).

    perennial/environment:<environment>-<base>, 12 digits each.
    """
    return f"perennial/environment:{record.sha256[:12]}-{base.removeprefix('sha256:')[:12]}"


def of_environment(record: EnvironmentRecord, base: str) -> dict[str, str]:
    """Return the labels of that image."""
    return {**OF_ENVIRONMENTS, "perennial.environment": record.sha256, "perennial.base": base}


def container_name(model: str, number: int) -> str:
    """Return the name of a release's container: perennial-release-<model>-<number>."""
    return f"perennial-release-{_short(model)}-{number}"


def _short(model: str) -> str:
    """Return the model's name, changed and told apart by a hash where it fits neither an image's
    name nor the DNS.
    """
    if len(model) <= _LONGEST and _PLAIN.fullmatch(model):
        return model
    plain = re.sub("_+", "_", model)[: _LONGEST - 9].strip("_")
    return f"{plain}_{sha256(model.encode())[:8]}"


def of_model(model: str) -> dict[str, str]:
    """Return the labels of everything that belongs to the model's releases."""
    return {"perennial": "1", "perennial.kind": "release", "perennial.model": model}


def of_release(release: Release) -> dict[str, str]:
    """Return the labels that say which release it is."""
    return {**of_model(release.model), "perennial.release": str(release.number)}


def labels(release: Release, manifest: BundleManifest, verdict: str) -> dict[str, str]:
    """Return all labels of a release's image and container."""
    packages = manifest.packages
    return {
        **({"perennial.environment": packages.sha256} if packages else {}),
        **of_release(release),
        "perennial.version": release.version,
        "perennial.bundle": release.bundle.sha256,
        "perennial.features": manifest.features_revision,
        "perennial.run": manifest.run,
        "perennial.verdict": verdict,
    }


def is_of(label_values: dict[str, str], release: Release) -> bool:
    """Tell whether these labels are the release's own.

    Not another bundle's under the same number.
    """
    own = {
        **of_release(release),
        "perennial.version": release.version,
        "perennial.bundle": release.bundle.sha256,
    }
    return own.items() <= label_values.items()
