"""Which rows a condition of the spec holds for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import BadData

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.spec.expressions import Expression

    Array = np.ndarray[Any, Any]


def rows_where(table: pa.Table, condition: Expression) -> Array:
    """Return for which rows (n,) the condition holds; where it is null it does not.

    Raises BadData in words where a column is not there, a value cannot be computed, or the
    expression is no condition.
    """
    import duckdb
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = {name.lower() for name in condition.columns}
    names = [name for name in table.column_names if name.lower() in wanted]
    absent = wanted - {name.lower() for name in names}
    if absent:
        raise BadData(
            f"The rows have no column {', '.join(sorted(absent))}.",
            remedy="name a column that build returns.",
        )
    with duckdb.connect(":memory:") as connection:
        # What is computed is judged at load; that it cannot reach a file is held here once more.
        connection.execute("SET enable_external_access = false")
        connection.register("perennial_rows", table.select(names))
        # The text is made from the judged tree; it holds columns, literals and operators alone.
        query = f"SELECT ({condition.sql}) AS holds FROM perennial_rows"  # noqa: S608
        try:
            holds = connection.sql(query).to_arrow_table().column("holds").combine_chunks()
        except duckdb.Error as error:
            why = str(error).splitlines()[0][:200]
            raise BadData(
                f"`{condition.sql}` cannot be computed: {why}.",
                remedy="mend the condition; CAST changes a type.",
            ) from error
    if not pa.types.is_boolean(holds.type):
        raise BadData(
            f"`{condition.sql}` gives {holds.type}, no true and false.",
            remedy="write a condition such as `age < 30`.",
        )
    return np.asarray(pc.fill_null(holds, fill_value=False).to_numpy(zero_copy_only=False))
