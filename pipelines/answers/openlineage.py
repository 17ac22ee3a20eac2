"""Entries of the ledger as OpenLineage RunEvents.

Written by the public schema (openlineage.io/spec/2-0-2/OpenLineage.json); the entry stands whole
in a run facet of our own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from pipelines.intervals import iso
from pipelines.ledger import Crown, Features, GateVerdict, Ingest, Training, Validation

if TYPE_CHECKING:
    from pipelines.ledger import Entry

SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
BASE_FACET = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunFacet"
PRODUCER = "https://perennial.invalid/ledger"


def run_event(entry: Entry) -> dict[str, Any]:
    """Return one entry as a RunEvent; the run's id is made of model, kind and key (UUID 5)."""
    inputs, outputs = _datasets(entry)
    return {
        "eventTime": iso(entry.at),
        "eventType": "COMPLETE",
        "producer": PRODUCER,
        "schemaURL": SCHEMA,
        "run": {
            "runId": str(uuid5(NAMESPACE_URL, f"{entry.model}/{entry.kind}/{entry.key}")),
            "facets": {
                "perennial_entry": {
                    "_producer": PRODUCER,
                    "_schemaURL": BASE_FACET,
                    "entry": entry.model_dump(mode="json"),
                }
            },
        },
        "job": {"namespace": "perennial", "name": f"{entry.model}.{entry.kind}"},
        "inputs": [{"namespace": "perennial", "name": name} for name in inputs],
        "outputs": [{"namespace": "perennial", "name": name} for name in outputs],
    }


def _datasets(entry: Entry) -> tuple[list[str], list[str]]:
    """Return the names of what an entry reads and makes: from a plan of batches to a release."""
    inputs, outputs = _subjects(entry)
    return [f"{entry.model}/{name}" for name in inputs], [f"{entry.model}/{n}" for n in outputs]


def _subjects(entry: Entry) -> tuple[list[str], list[str]]:  # noqa: PLR0911 -- a case for each kind
    match entry.decision:
        case Ingest() as step:
            return [], [f"plan/{step.plan.sha256}"]
        case Validation() as step:
            return [f"plan/{step.plan.sha256}"], []
        case Features() as step:
            return [f"plan/{step.plan.sha256}"], [f"features/{step.revision}"]
        case Training() as step:
            return [f"features/{step.features_revision}"], [f"run/{step.run_id}"]
        case GateVerdict() as verdict if verdict.version:
            return [f"run/{verdict.run_id}"], [f"version/{verdict.version}"]
        case Crown() as crown:
            return [f"version/{crown.version}"], [f"release/{crown.release}"]
    version = entry.body.get("version")
    return ([f"version/{version}"], []) if isinstance(version, str) and version else ([], [])
