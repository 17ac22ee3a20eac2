"""Decisions as a ledger holds them, whole, with what a test names in them."""

from __future__ import annotations

from typing import Any

from pipelines.ledger import Crown, DriftCheck, GateVerdict, UnknownDecision
from pipelines.refs import Ref

NOTHING = Ref(uri="objects/ab/ab.json", sha256="ab" * 32)


def raw(kind: str, body: dict[str, Any]) -> UnknownDecision:
    """Return a decision with any JSON in it, for what a ledger promises of every one."""
    return UnknownDecision(kind=kind, content=body)


def crown(version: str, bundle: Ref = NOTHING, release: int = 1) -> Crown:
    """Return the crown of a version."""
    return Crown(version=version, bundle=bundle, release=release)


def gate_verdict(**facts: Any) -> GateVerdict:
    """Return a verdict on version 1, promoted unless `facts` say otherwise."""
    return GateVerdict.model_validate(
        {
            "verdict": "promote",
            "reasons": [],
            "checks": [],
            "candidate": "linear",
            "run_id": "r",
            "version": "1",
            "metrics": {},
            "champion": None,
            "features_revision": "f",
            "as_of": "2024-01-04T00:00:00Z",
            **facts,
        }
    )


def drift_check(**facts: Any) -> DriftCheck:
    """Return a check that found drift in a window of 2024-01-03, unless `facts` say otherwise."""
    return DriftCheck.model_validate(
        {
            "verdict": "drift",
            "reasons": ["3 of 4 inputs have drifted"],
            "window": {"start": "2024-01-03T00:00:00Z", "end": "2024-01-04T00:00:00Z"},
            "source": "traffic",
            "rows": 240,
            "labelled": 231,
            "champion": "1",
            "metric": "roc_auc",
            "live": 0.71234,
            "expected": 0.8312,
            "columns": 4,
            "drifted": ["pages"],
            "figures": NOTHING,
            "page": NOTHING,
            "run_id": "r",
            **facts,
        }
    )
