"""What a server of one release needs of the store, by path: a store that holds nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.bundle.manifest import release_key, served_key
from pipelines.refs import canonical
from pipelines.signing.signatures import signature_keys
from pipelines.store.port import KEYS
from pipelines.store.sealing import seal

if TYPE_CHECKING:
    from pipelines.bundle.manifest import BundleManifest, Release
    from pipelines.store.port import Store


def release_files(store: Store, release: Release, manifest: BundleManifest) -> dict[str, bytes]:
    """Return the store that a release's server reads, by path.

    The bundle's objects, all verified, its signatures, and the keys of one release.

    The native model of a compiled bundle is among them: whoever opens a bundle verifies every file
    that its manifest names.
    """
    objects = {ref.uri: store.get(ref) for ref in (release.bundle, *manifest.files)}
    for key in signature_keys(store, release.bundle):
        signature = store.read(key)
        if signature is not None:
            objects[f"{KEYS}/{key}"] = seal(signature)
    objects[f"{KEYS}/{release_key(release.model, release.number)}"] = canonical(release)
    objects[f"{KEYS}/{served_key(release.model)}"] = b"1"
    return objects
