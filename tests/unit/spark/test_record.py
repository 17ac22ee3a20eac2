"""What the ledger says of the engine that built a features version."""

from __future__ import annotations

from pipelines.ledger import Features
from pipelines.refs import Ref

PLAN = Ref(uri="objects/ab", sha256="ab" * 32)
FIELDS = {"run": "r", "plan": PLAN, "revision": "f" * 40, "sha256": "b" * 64, "rows": 9}


def test_spark_is_named_and_duckdb_s_entries_are_as_before():
    usual = Features(**FIELDS)
    assert usual.words == "features version ffffffffffff with 9 rows"
    assert "engines" not in usual.body()
    built = Features(**FIELDS, engines=["spark 4.0.5 (may differ)"])
    assert built.words.endswith("with 9 rows, built by spark 4.0.5 (may differ)")
    assert built.body()["engines"] == ["spark 4.0.5 (may differ)"]
