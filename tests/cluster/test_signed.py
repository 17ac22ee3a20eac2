"""A pod looks for a signature before it reads its bundle, by the keys of a ConfigMap."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipelines.bundle.manifest import Release
from pipelines.deployment.kubernetes_target import KubernetesTarget
from pipelines.errors import Refused, Untrusted
from pipelines.signing.signatures import sign
from tests.signing import trusted_key

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


def test_a_signed_bundle_serves_and_another_is_refused_by_the_pod_itself(yard):
    found = yard.model(require_signature=True, kubernetes_serving_trust="trust")
    settings = found.context.settings
    key = trusted_key(settings, datetime.now(UTC))
    files = {file.name: file.read_text() for file in settings.trust.glob("*.json")}
    yard.make("configmaps", {"kind": "ConfigMap", "metadata": {"name": "trust"}, "data": files})
    try:
        with pytest.raises(Untrusted, match="it has no signature"):
            found.deploy("1")
        assert found.objects() == set(), "nothing was begun"
        sign(found.context.ports.store, key, found.name, "1", found.bundles["1"])
        found.deploy("1")
        assert found.says() == (1, "1")
        # As if somebody had gone round `deploy`
        unsigned = Release(
            model=found.name, number=2, version="2", bundle=found.bundles["2"], reason="a test"
        )
        with found.asked() as asked, pytest.raises(Refused, match="it has no signature"):
            KubernetesTarget().take(found.context, unsigned)
        assert asked.failures == []
        assert found.says() == (1, "1")
    finally:
        found.remove()
