"""A release's container looks for a signature before it reads its bundle, by the trusted keys that
it sees and cannot change.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

from pipelines.bundle.load import read_manifest
from pipelines.bundle.manifest import Release
from pipelines.bundle.release_files import release_files
from pipelines.deployment.docker.context import archive
from pipelines.deployment.docker.names import container_name, image_name, labels
from pipelines.deployment.docker_target import DockerTarget
from pipelines.errors import Refused, Untrusted
from pipelines.signing.signatures import sign
from tests.signing import trusted_key

pytestmark = [pytest.mark.engine, pytest.mark.slow]


@pytest.fixture(scope="module")
def found(yard):
    """A model whose version 1 is signed and serves as release 1."""
    found = yard.model(require_signature=True)
    key = trusted_key(found.context.settings, datetime.now(UTC))
    try:
        with pytest.raises(Untrusted, match="it has no signature"):
            found.deploy("1")
        assert (found.containers(), found.images()) == ({}, []), "nothing was begun"
        sign(found.context.ports.store, key, found.name, "1", found.bundles["1"])
        found.deploy("1")
        yield found
    finally:
        found.remove()


def release(found, version):
    """Return the next release, of which nobody has decided anything."""
    return Release(
        model=found.name,
        number=found.next_release,
        version=version,
        bundle=found.bundles[version],
        reason="a test",
    )


def take(found, release):
    """Have the release serve, as if somebody had gone round `deploy`."""
    return DockerTarget().take(found.context, release)


def test_a_signed_bundle_serves_in_a_container_without_the_key_that_signs(found, engine):
    assert found.says() == (1, "1")
    body = engine.inspect_container(container_name(found.name, 1))
    environment = dict(line.split("=", 1) for line in body["Config"]["Env"])
    assert environment["PERENNIAL_REQUIRE_SIGNATURE"] == "True"
    assert "PERENNIAL_SIGNING_KEY" not in environment


def test_a_bundle_without_a_signature_is_refused_by_the_container_itself(found):
    before = found.state()
    with found.asked() as asked, pytest.raises(Refused, match="it has no signature"):
        take(found, release(found, "2"))
    assert asked.failures == []
    assert found.state() == before


def test_a_changed_byte_in_the_image_of_a_signed_bundle_is_refused(found, engine):
    before, next_release = found.state(), release(found, "1")
    settings, store = found.context.settings, found.context.ports.store
    manifest = read_manifest(store, next_release.bundle)
    contents = release_files(store, next_release, manifest)
    changed = bytearray(contents[manifest.onnx.uri])
    changed[len(changed) // 2] ^= 1
    contents[manifest.onnx.uri] = bytes(changed)
    context = {f"root/release/{name}": data for name, data in contents.items()}
    context["Dockerfile"] = f"FROM {settings.serving_image}\nCOPY root/ /\n".encode()
    list(
        engine.build(
            fileobj=io.BytesIO(archive(context)),
            custom_context=True,
            tag=image_name(found.name, next_release.number),
            labels=labels(next_release, manifest, "promote"),
            rm=True,
            decode=True,
        )
    )
    with pytest.raises(Refused, match=f"refuses the release: .*{manifest.onnx.uri}"):
        take(found, next_release)
    assert found.state() == before
