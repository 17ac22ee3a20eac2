"""Bundles that were spoilt, and the release that a server says it serves."""

from __future__ import annotations

import numpy as np

from pipelines.bundle.load import open_bundle, write_bundle
from pipelines.bundle.manifest import BundleManifest, Golden
from pipelines.refs import canonical

PREDICT = "/models/flights/predict"


def spoilt(store, ref):
    """Return the same bundle with a golden answer that is off by the smallest possible step."""
    bundle = open_bundle(store, ref)
    answers = [[float(np.nextafter(a[0], 2))] for a in bundle.golden.answers]
    golden = store.put(canonical(Golden(rows=bundle.golden.rows, answers=answers)), ".json")
    return write_bundle(
        store, BundleManifest.model_validate({**bundle.manifest.model_dump(), "golden": golden})
    )


def served(client, name="flights"):
    body = client.get(f"/models/{name}").json()
    return body["release"], body["version"]
