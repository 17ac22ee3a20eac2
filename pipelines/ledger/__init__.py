"""The Ledger port: the append-only, hash-chained record of every decision, and who is champion."""

from pipelines.ledger.alerts import Alert
from pipelines.ledger.chain import entry_hash, first_break
from pipelines.ledger.decision import Decision
from pipelines.ledger.entries import (
    Admission,
    Approval,
    Crown,
    DriftCheck,
    GateVerdict,
    Kind,
    MadeFrom,
    Outcome,
    Override,
    Proof,
    Quarantine,
    Reconciliation,
    ReleaseIntent,
    ReleaseRefusal,
    RequestConf,
    RetrainHold,
    RetrainRequest,
    SchemaChange,
    UnknownDecision,
)
from pipelines.ledger.erasures import Erasure
from pipelines.ledger.incident_entries import IncidentEvent, What
from pipelines.ledger.memory import MemoryLedger
from pipelines.ledger.outcomes import erasures_of, find_removal, record_step
from pipelines.ledger.page_removals import PageRemoval
from pipelines.ledger.port import (
    GENESIS,
    Champion,
    Entry,
    Head,
    Ledger,
    champion_of,
)
from pipelines.ledger.run_entries import Features, Ingest, StepOfRun, Training, Validation
from pipelines.ledger.turn_entries import Turn

__all__ = [
    "GENESIS",
    "Admission",
    "Alert",
    "Approval",
    "Champion",
    "Crown",
    "Decision",
    "DriftCheck",
    "Entry",
    "Erasure",
    "Features",
    "GateVerdict",
    "Head",
    "IncidentEvent",
    "Ingest",
    "Kind",
    "Ledger",
    "MadeFrom",
    "MemoryLedger",
    "Outcome",
    "Override",
    "PageRemoval",
    "Proof",
    "Quarantine",
    "Reconciliation",
    "ReleaseIntent",
    "ReleaseRefusal",
    "RequestConf",
    "RetrainHold",
    "RetrainRequest",
    "SchemaChange",
    "StepOfRun",
    "Training",
    "Turn",
    "UnknownDecision",
    "Validation",
    "What",
    "champion_of",
    "entry_hash",
    "erasures_of",
    "find_removal",
    "first_break",
    "record_step",
]
