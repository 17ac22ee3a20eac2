"""A bundle without parity is released on the image that has scikit-learn, by the same way."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from pipelines.bundle.load import open_bundle
from tests.serving.bundles import put_bundle, short_table

pytestmark = [pytest.mark.engine, pytest.mark.slow]


def test_a_native_bundle_answers_as_it_was_packaged(yard, engine):
    found = yard.model()
    try:
        store = found.context.ports.store
        options = {
            "task": "regression",
            "seed": 5,
            "table": short_table(),
            "linear": True,
            "compiled": False,
        }
        bundle = put_bundle(store, model=found.name, version="1", **options)
        deployed = replace(found, bundles={"1": bundle}).deploy("1")
        assert (deployed.release, found.says()) == (1, (1, "1"))
        image = engine.inspect_image(f"perennial/release-{found.name}:1")
        assert (
            image["Config"]["Labels"]["perennial.base"]
            == engine.inspect_image("perennial/serving-native:latest")["Id"]
        )
        golden = open_bundle(store, bundle).golden
        answer = httpx.post(f"{yard.url}/models/{found.name}/predict", json={"row": golden.rows[0]})
        assert answer.json()["predictions"] == golden.answers[0]
    finally:
        found.remove()
