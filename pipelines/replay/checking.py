"""Whether a batch of the past is whole: held against its suites, as `validate` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.errors import BadData, Corrupted
from pipelines.refs import Value
from pipelines.spark.session import end_sessions
from pipelines.steps.validate import findings_of
from pipelines.validation.suites import read_suite

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.data.manifests import BatchRef


class Checked(Value):
    """What is wrong with a batch, in words; empty where nothing is."""

    why: str


def check_batch(context: Context, batch: BatchRef) -> Checked:
    """Return what is critically wrong with a batch."""
    try:
        suites = {table: read_suite(path) for table, path in context.suites.items()}
        return Checked(why="; ".join(findings_of(context, batch, suites).critical))
    except (BadData, Corrupted) as error:
        return Checked(why=error.message)
    finally:
        end_sessions()  # a session holds the cluster's workers, which building features needs
