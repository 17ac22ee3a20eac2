"""A release's image: the serving image and, in /release, a store that holds this one release.

No line of its Dockerfile runs anything, and its context holds no clock: the same release on the
same serving image gives the same layers. Nothing is pulled.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from pipelines.bundle.manifest import BundleManifest
from pipelines.bundle.release_files import release_files
from pipelines.deployment.docker.context import archive
from pipelines.deployment.docker.environment_image import with_packages
from pipelines.deployment.docker.names import image_name, is_of, labels, of_model, of_release
from pipelines.errors import GiveUp

if TYPE_CHECKING:
    from pipelines.bundle.manifest import Release
    from pipelines.deployment.docker.engine import Image, ReleaseEngine
    from pipelines.settings import Settings
    from pipelines.store.port import Store


def manifest_of(store: Store, release: Release) -> BundleManifest:
    """Return the manifest of the release's bundle, verified. Raises Corrupted."""
    return BundleManifest.model_validate_json(store.get(release.bundle))


def find_image(engine: ReleaseEngine, release: Release) -> Image | None:
    """Return the release's image where it is there."""
    image = engine.image(image_name(release.model, release.number))
    return image if image is not None and is_of(image.labels, release) else None


def build_image(
    engine: ReleaseEngine, settings: Settings, store: Store, release: Release, verdict: str
) -> Image:
    """Return the release's image, built unless it is there.

    Raises GiveUp where the serving image is missing, Corrupted naming the object that was changed,
    Unreachable or StorageFull from the engine. What a failed build leaves is removed.
    """
    image = find_image(engine, release)
    if image is not None:
        return image
    manifest = manifest_of(store, release)
    base = proven_base(engine, release) or _base(engine, settings, store, manifest)
    dockerfile = _dockerfile(base, release)
    try:
        context = archive(
            {
                "Dockerfile": dockerfile,
                **{
                    f"root/release/{name}": data
                    for name, data in release_files(store, release, manifest).items()
                },
            }
        )
        image_labels = {**labels(release, manifest, verdict), "perennial.base": base}
        return engine.build(
            io.BytesIO(context), image_name(release.model, release.number), image_labels
        )
    finally:
        for leftover in engine.images(of_release(release), untagged=True):
            engine.remove_image(leftover.id)


def _base(engine: ReleaseEngine, settings: Settings, store: Store, manifest: BundleManifest) -> str:
    """Return the id of the image that can answer the bundle: the serving image, and over it the
    packages that answering needs.
    """
    base = serving_image(engine, settings, manifest)
    if manifest.packages is None:
        return base
    return with_packages(engine, settings, store, base, manifest.packages)


def proven_base(engine: ReleaseEngine, release: Release) -> str | None:
    """Return the id of the image on which an earlier release of the same bundle was proven, where
    both are still there.

    So a rollback answers with the very code that answered before, whatever the serving image is by
    now.
    """
    same = {**of_model(release.model), "perennial.bundle": release.bundle.sha256}
    earlier = sorted(
        engine.images(same),
        key=lambda image: int(image.labels.get("perennial.release", "0")),
        reverse=True,
    )
    bases = (image.labels.get("perennial.base", "") for image in earlier)
    return next((base for base in bases if base and engine.image(base) is not None), None)


def serving_image(engine: ReleaseEngine, settings: Settings, manifest: BundleManifest) -> str:
    """Return the id of the serving image that can answer the bundle.

    Raises GiveUp naming the setting where it is missing.
    """
    name, variable = (
        (settings.serving_image, "PERENNIAL_SERVING_IMAGE")
        if manifest.compiled
        else (settings.serving_native_image, "PERENNIAL_SERVING_NATIVE_IMAGE")
    )
    image = engine.image(name)
    if image is None:
        kind = "compiled" if manifest.compiled else "native"
        raise GiveUp(
            f"The engine has no image {name}, on which {kind} bundles are released.",
            remedy=(
                f"run `make images`, or let {variable} name an image that is there; then clear this"
                " task."
            ),
        )
    return image.id


def _dockerfile(base: str, release: Release) -> bytes:
    """Return the Dockerfile.

    Its own labels (names and numbers, safe as text) mark what a failed build leaves behind.

    It copies to /, with /release in what is copied: a folder that COPY names would be written with
    the time of the build.
    """
    marks = " ".join(f'"{key}"="{value}"' for key, value in of_release(release).items())
    return f"FROM {base}\nLABEL {marks}\nCOPY root/ /\n".encode()
