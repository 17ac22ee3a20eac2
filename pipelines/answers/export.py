"""Entries of the ledger as lines of JSON: as they are, or as OpenLineage's RunEvents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from pipelines.answers.openlineage import run_event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.ledger import Ledger

Form = Literal["jsonl", "openlineage"]


def export_lines(ledger: Ledger, model: str | None, form: Form) -> Iterator[str]:
    """Yield a line for each entry, oldest first; of all models where none is named."""
    for entry in ledger.walk(model):
        body = entry.model_dump(mode="json") if form == "jsonl" else run_event(entry)
        yield json.dumps(body, ensure_ascii=False) + "\n"
