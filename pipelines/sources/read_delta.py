"""Delta tables to a table: the newest version, or the one that is named."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pipelines.columns.contract import in_schema, localise
from pipelines.columns.storable import check_names
from pipelines.errors import BadData, Unreachable
from pipelines.sources.nested import flatten
from pipelines.sources.urls import without_secrets
from pipelines.tables import normalise

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

    from pipelines.sources.parsing import Reading


def read_delta(uri: str, subject: str, reading: Reading) -> pa.Table:
    """Return the rows of a Delta table, its partitions' columns with their own types.

    Raises Unreachable where no such table is there, BadData where the version is not, or where it
    takes more bytes than it may.
    """
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError, TableNotFoundError

    version = reading.options.table_version
    try:
        delta = DeltaTable(uri, version=version, storage_options=_storage_options(uri))
    except (TableNotFoundError, OSError) as error:
        raise Unreachable(
            f"No Delta table is at {subject}: {without_secrets(str(error), uri)[:200]}.",
            remedy="check `source.uri` and the access to it.",
        ) from None
    except DeltaError as error:
        named = f"version {version} of " if version is not None else ""
        raise BadData(
            f"{named}{subject} cannot be read: {without_secrets(str(error), uri)[:200]}.",
            remedy="check `table_version`: old versions may have been vacuumed away.",
        ) from None
    table = _rows(delta, subject, reading.most)
    check_names(table.column_names, subject)
    if reading.options.flatten:
        table = flatten(table, subject)
    stated = reading.stated
    table = normalise(localise(table, stated, reading.zone), subject)
    return in_schema(
        table, stated, reading.options, reading.zone, lambda row: f"{subject}, row {row + 1}"
    )


def _rows(delta: DeltaTable, subject: str, most: int) -> pa.Table:
    """Return the rows; BadData beyond `most` bytes, before they are all in memory."""
    import pyarrow as pa

    batches, size = [], 0
    data = delta.to_pyarrow_dataset()
    for batch in data.to_batches():
        batches.append(batch)
        size += batch.nbytes
        if size > most:
            raise BadData(f"{subject} unpacks to more than {most} bytes.")
    return pa.Table.from_batches(batches, schema=data.schema)


def _storage_options(uri: str) -> dict[str, str] | None:
    """Return what deltalake needs in order to speak to the S3 that the environment names."""
    if not uri.startswith("s3://"):
        return None
    options = {k: v for k, v in os.environ.items() if k.startswith("AWS_")}
    if options.get("AWS_ENDPOINT_URL", "").startswith("http://"):
        options["AWS_ALLOW_HTTP"] = "true"
    return options
