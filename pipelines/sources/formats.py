"""Which format a file has, by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.errors import BadData

if TYPE_CHECKING:
    from pipelines.spec.table_options import Format

_COMPRESSED = (".gz", ".zip", ".bz2", ".xz", ".zst", ".zstd")
_ENDINGS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".xlsb": "excel",
    ".xls": "excel",
    ".ods": "excel",
}


def format_of(name: str, choice: Format | None) -> Format:
    """Return the format that is given, or the one that the file's name tells.

    Raises BadData where neither does.
    """
    if choice is not None:
        return choice
    plain = name.lower().split("?")[0]
    for ending in _COMPRESSED:
        plain = plain.removesuffix(ending)
    for ending, kind in _ENDINGS.items():
        if plain.endswith(ending):
            return kind
    raise BadData(
        f"The format of {name!r} is not known from its name.",
        remedy=f"write `format: csv` (or {', '.join(sorted(set(_ENDINGS.values()) - {'csv'}))},"
        " delta) in the source.",
    )
