"""`package` signs, `deploy` verifies before anything is touched.

Where a signature is required, neither does without.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pipelines.errors import KeyUnusable, Untrusted
from pipelines.signing.signatures import sign, signature_keys, verify
from pipelines.signing.trust import Trust
from pipelines.steps import package
from tests.signing import trusted_key
from tests.unit.steps.deployments import (
    MODEL,
    assert_all_agree,
    deploy_request,
    deploy_version,
    world_to_deploy,
)
from tests.unit.steps.learning import learning
from tests.unit.steps.packaging import package_request

NOW = datetime.now(UTC).replace(microsecond=0)

pytestmark = pytest.mark.usefixtures("one_thread")


def requiring(world, folder):
    """The same world, with a state of its own and where signatures are required."""
    settings = world.context.settings.replace(state=folder, require_signature=True)
    return replace(world, context=replace(world.context, settings=settings))


def test_what_is_packaged_is_signed_also_again_by_a_new_key(tmp_path):
    world = requiring(learning(tmp_path), tmp_path / "var")
    settings, store = world.context.settings, world.context.ports.store
    request = package_request(world)
    with pytest.raises(KeyUnusable, match="There is no signing key"):
        package.run(world.context, request)
    assert store.keys("results/package") == [], "nothing was built in vain"
    old = trusted_key(settings, NOW)
    packaged = package.run(world.context, request)
    trust, spec = Trust(settings.trust), world.context.spec
    asked = (trust, spec.name, packaged.version, packaged.bundle, NOW)
    assert verify([store], *asked) == old.id
    trust.retire(trust.find(old.id), NOW)
    with pytest.raises(KeyUnusable, match="was retired"):
        package.run(world.context, request)
    new = trusted_key(settings, NOW)
    assert package.run(world.context, request) == packaged, "the task was cleared"
    assert verify([store], *asked) == new.id


def test_without_a_key_it_is_packaged_unsigned_where_nobody_requires_it(tmp_path):
    world = learning(tmp_path)
    packaged = package.run(world.context, package_request(world))
    assert signature_keys(world.context.ports.store, packaged.bundle) == []


def test_a_bundle_without_a_signature_is_not_deployed_and_what_serves_goes_on(tmp_path):
    world = requiring(world_to_deploy(), tmp_path)
    ports, key = world.context.ports, trusted_key(world.context.settings, NOW)
    first, second = deploy_request(world, "1", None), deploy_request(world, "2", "1")
    sign(ports.store, key, MODEL, "1", first.package.bundle)
    deploy_version(world, first)
    count = ports.ledger.verify()
    with pytest.raises(Untrusted, match="it has no signature"):
        deploy_version(world, second)
    sign(ports.store, key, MODEL, "1", second.package.bundle)
    with pytest.raises(Untrusted, match="is not of this bundle, model and version"):
        deploy_version(world, second)
    assert ports.ledger.verify() == count
    assert_all_agree(world, "1")
    sign(ports.store, key, MODEL, "2", second.package.bundle)
    deploy_version(world, second)
    assert_all_agree(world, "2")
