"""`python -m serving.one_release`: bring one release from the store to this host, verified.

It runs before the server of a pod. What is to be brought stands in PERENNIAL_RELEASE, with the hash
of its bundle: every byte is held against it. It goes to PERENNIAL_RELEASES, a store that then holds
this release and nothing else.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pydantic import ValidationError

from pipelines.bundle.load import read_manifest
from pipelines.bundle.manifest import Release
from pipelines.bundle.release_files import release_files
from pipelines.errors import GiveUp, PerennialError, RequestError, Unreachable
from pipelines.private_files import keep_private
from pipelines.settings import load_settings, local_path
from pipelines.store.opening import open_store

if TYPE_CHECKING:
    from pipelines.settings import Settings


def bring_release(settings: Settings) -> Release:
    """Write the release's files below the settings' `releases`, the packages that it requires below
    `packages`; return the release.

    Raises RequestError where the settings name no release, Corrupted naming the object that is
    missing or changed, Unreachable where store or folder cannot be used, and what `bring_packages`
    raises.
    """
    release = release_of(settings)
    store = open_store(settings.store, settings)
    manifest = read_manifest(store, release.bundle)
    if (manifest.model, manifest.version) != (release.model, release.version):
        raise GiveUp(
            f"The bundle is of {manifest.model} {manifest.version}, not of {release.model}"
            f" {release.version}.",
            remedy="`perennial reconcile` deploys the champion's release anew.",
        )
    if manifest.packages is not None and settings.packages is not None:
        # Imported where it is needed: the image for compiled models lacks what it imports.
        from pipelines.environments.ready import bring_packages

        bring_packages(manifest.packages, store, settings.packages)
    folder = local_path(settings.releases)
    try:
        for name, data in release_files(store, release, manifest).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    except OSError as error:
        raise Unreachable(
            f"The release cannot be read or written below {folder}: {error.strerror or error}.",
            remedy="see that the server's user may read the store, and that the disk has room.",
        ) from error
    return release


def bring_personal_key(settings: Settings) -> None:
    """Copy the key for personal data to where the server reads it, readable by its user alone.

    A Secret that is mounted can be read by its group, too, and such a key is refused. Raises
    Unreachable where there is none.
    """
    if settings.personal_key_from is None:
        return
    try:
        key = settings.personal_key_from.read_bytes()
        settings.personal_key.parent.mkdir(parents=True, exist_ok=True)
        settings.personal_key.unlink(missing_ok=True)
        settings.personal_key.write_bytes(key)
    except OSError as error:
        raise Unreachable(
            f"The key for personal data cannot be copied from {settings.personal_key_from}:"
            f" {error.strerror or error}.",
            remedy="see that the Secret has the entry `personal_key`.",
        ) from error


def release_of(settings: Settings) -> Release:
    """Return the release that the settings name. Raises RequestError."""
    try:
        return Release.model_validate_json(settings.release)
    except ValidationError as error:
        raise RequestError(
            "PERENNIAL_RELEASE names no release.", remedy="it is set where a release is deployed."
        ) from error


def main() -> int:
    """Bring it; return the exit code."""
    keep_private()
    try:
        settings = load_settings()
        bring_personal_key(settings)
        release = bring_release(settings)
    except PerennialError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stderr.write(f"Release {release.number} of {release.model} is here, verified.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
