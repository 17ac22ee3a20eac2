"""Looking at the data of a place: how they are written, and the table in its own types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.errors import BadData, RequestError
from pipelines.onboarding.dialect import dialect_of
from pipelines.onboarding.places import Place, format_by_content
from pipelines.onboarding.text_values import missing_markers, number_style
from pipelines.onboarding.typed import Look, typed_look
from pipelines.plurals import how_many

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.onboarding.talk import Talk
    from pipelines.sources.parsing import File
    from pipelines.spec.table_options import Format, TableOptions

SAMPLE_ROWS = 20_000
"""Rows whose texts decide how numbers are written."""


def look_at(place: Place, given: dict[str, Any], talk: Talk, cache: Path) -> Look:
    """Return what the place holds; `given` are options that the command line names.

    A download is kept in `cache` under its hash, where the `http` source finds it.

    Raises BadData where it cannot be understood, saying what was not and what to pass.
    """
    if place.kind == "sql":
        return _look_at_query(place, talk)
    if place.format == "delta":
        from pipelines.sources.parsing import Reading
        from pipelines.sources.read_delta import read_delta

        table = read_delta(place.uri, place.name, Reading())
        talk.find(f"{place.name}: a Delta table of {table.num_rows:,} rows")
        return typed_look(table, {"kind": "files", **place.source, "format": "delta"}, place, talk)
    source: dict[str, Any] = {"kind": place.kind, **place.source}
    contents = _contents(place, source, cache)
    kind, files = _files(place, contents, given)
    if kind != _format_by_name(place.name):
        source["format"] = kind
    if "timezone" in given:
        source["timezone"] = _known_zone(given["timezone"])
    options = _options(kind, files, given, talk)
    return _read(kind, files, source, options, place, talk)


def _contents(place: Place, source: dict[str, Any], cache: Path) -> list[tuple[str, str, bytes]]:
    """Return path, name and bytes of each file; the hash of a download goes into the source."""
    from pipelines.sources.memory_limit import most_bytes
    from pipelines.sources.places import read_contents

    if place.kind != "http":
        return read_contents(place.uri, most_bytes())
    from pipelines.private_files import make_folder
    from pipelines.refs import sha256
    from pipelines.sources.http import fetch
    from pipelines.sources.urls import display_url

    data = fetch(place.uri, display_url(place.uri), most_bytes())
    source["sha256"] = sha256(data)
    make_folder(cache)
    (cache / source["sha256"]).write_bytes(data)
    return [(place.uri, place.name, data)]


def _files(
    place: Place, contents: list[tuple[str, str, bytes]], given: dict[str, Any]
) -> tuple[Format, list[File]]:
    from pipelines.sources.archives import name_within, unpack
    from pipelines.sources.memory_limit import most_bytes
    from pipelines.sources.parsing import File
    from pipelines.sources.places import folders_of

    files = [
        File(name, unpack(data, name, most_bytes()), folders_of(path, place.uri))
        for path, name, data in contents
    ]
    kind = given.get("format") or _format_by_name(name_within(contents[0][2], contents[0][1]))
    return kind or format_by_content(files[0].data), files


def _format_by_name(name: str) -> Format | None:
    from pipelines.sources.formats import format_of

    try:
        return format_of(name, None)
    except BadData:
        return None


def _options(kind: Format, files: list[File], given: dict[str, Any], talk: Talk) -> dict[str, Any]:
    """Return the options by which the files are read."""
    options: dict[str, Any] = {}
    if kind == "csv":
        largest = max(files, key=lambda f: len(f.data))
        options, found = dialect_of(largest.data, largest.name)
        for sentence in found:
            talk.find(sentence)
    elif kind == "excel":
        options = _excel_options(files[0], given, talk)
    return options | {k: v for k, v in given.items() if k not in {"format", "timezone"}}


def _known_zone(name: str) -> str:
    """Return the zone's name. Raises RequestError where there is no such zone."""
    from zoneinfo import available_timezones

    if name not in available_timezones():
        raise RequestError(
            f"--timezone {name}: no zone has this name.",
            remedy="pass one of the IANA names, such as Europe/Berlin.",
        )
    return name


def _check_options(options: dict[str, Any]) -> TableOptions:
    """Return the options as a value. Raises RequestError for one that means nothing."""
    from pydantic import ValidationError

    from pipelines.plain_errors import problems
    from pipelines.spec.table_options import TableOptions

    try:
        return TableOptions(**options)
    except ValidationError as error:
        words = "; ".join(str(p) for p in problems(error, options, TableOptions))
        raise RequestError(
            f"An option cannot be used: {words}.", remedy="perennial init --help names them."
        ) from error


def _excel_options(file: File, given: dict[str, Any], talk: Talk) -> dict[str, Any]:
    """Return the sheet, and how many rows stand before the header: a title, notes, nothing."""
    import io

    import python_calamine

    workbook = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(file.data))
    sheets = workbook.sheet_names
    # A cover sheet has few rows: the table is most likely where most of them are.
    largest = max(sheets, key=lambda name: workbook.get_sheet_by_name(name).height)
    sheet = given.get("sheet") or largest
    if len(sheets) > 1 and "sheet" not in given:
        sheet = talk.choose(
            f"{file.name} has the sheets {', '.join(sheets)}: which one?", sheet, sheets, "--sheet"
        )
    rows = workbook.get_sheet_by_name(sheet).to_python(skip_empty_area=False)[:100]
    counts = [sum(c not in {"", None} for c in row) for row in rows]
    width = max(counts, default=0)
    skip = next((i for i, n in enumerate(counts) if n >= max(2, 0.8 * width)), 0)
    options: dict[str, Any] = {} if sheet == sheets[0] else {"sheet": sheet}
    talk.find(
        f"{file.name}: a workbook, the sheet {sheet!r}"
        + (f", {how_many(skip, 'row')} before the table" if skip else "")
    )
    return options | ({"skip": skip} if skip else {})


def _read(
    kind: Format,
    files: list[File],
    source: dict[str, Any],
    options: dict[str, Any],
    place: Place,
    talk: Talk,
) -> Look:
    import pyarrow as pa

    from pipelines.sources.memory_limit import most_bytes
    from pipelines.sources.parsing import Reading, parse_all

    if kind == "csv":
        options |= {k: v for k, v in _style(files[0], options).items() if k not in options}
    values, zone = _check_options(options), source.get("timezone", "UTC")
    table = parse_all(files, kind, place.name, Reading(values, zone, None, most_bytes()))
    nested = [f.name for f in table.schema if pa.types.is_struct(f.type)]
    if nested and "flatten" not in options:
        options["flatten"] = True
        values = _check_options(options)
        table = parse_all(files, kind, place.name, Reading(values, zone, None, most_bytes()))
        talk.find(f"{place.name}: fields of {', '.join(nested)} become columns of their own")
    if not table.num_rows:
        raise BadData(f"{place.name} has no rows.", remedy="pass data with rows.")
    for option in ("decimal", "thousands", "missing"):
        if option in options:
            talk.find(f"{place.name}: {option} {options[option]!r}")
    return typed_look(table, {**source, **options}, place, talk, values)


def _style(file: File, options: dict[str, Any]) -> dict[str, Any]:
    """Return decimal sign, groups and markers of missing values, from the first rows' texts."""
    from pipelines.sources.read_csv import Csv

    texts = Csv(_first_lines(file.data), file.name, _check_options(options)).texts()
    texts = texts.slice(0, SAMPLE_ROWS)
    columns = {n: [v for v in texts[n].to_pylist() if v] for n in texts.column_names}
    style = number_style(columns)
    markers = missing_markers(columns)
    if markers:
        from pipelines.columns.texts import MISSING

        style["missing"] = [*markers, *(m for m in MISSING if m)]
    return style


def _first_lines(data: bytes, size: int = 4_000_000) -> bytes:
    if len(data) <= size:
        return data
    end = data.rfind(b"\n", 0, size)
    lines = data[: end + 1] if end > 0 else data
    # A quoted line end may have been cut: then the whole file is looked at.
    return lines if lines.count(b'"') % 2 == 0 else data


def _look_at_query(place: Place, talk: Talk) -> Look:
    """Return what a query returns, all of it."""
    from datetime import UTC, datetime

    from pipelines.intervals import Interval
    from pipelines.sources.sql import Sql
    from pipelines.spec.sources import SqlSource

    source = SqlSource(kind="sql", **place.source)
    whole = Interval(start=datetime(1700, 1, 1, tzinfo=UTC), end=datetime(2199, 1, 1, tzinfo=UTC))
    raw = Sql(source, "").read(whole)
    if raw.problem:
        raise BadData(f"{place.name}: {raw.problem}.", remedy="mend the query.")
    table = raw.tables[source.main]
    if not table.num_rows:
        raise BadData(f"{place.name} returns no rows.", remedy="pass a query that returns some.")
    talk.find(f"{place.name}: {table.num_rows:,} rows, {table.num_columns} columns")
    return typed_look(table, {"kind": "sql", **place.source}, place, talk)
