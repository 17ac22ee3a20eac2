"""The table with its texts of times as times, and the type of each column for `schema.yaml`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadData
from pipelines.onboarding.text_values import date_formats

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.onboarding.places import Place
    from pipelines.onboarding.talk import Talk
    from pipelines.spec.table_options import TableOptions


@dataclass
class Look:
    """What a place holds.

    `source` are the lines of the spec's source (without the interval), `types` the schema's type of
    each column, `zones` the columns whose times are written without a zone.
    """

    table: pa.Table
    source: dict[str, Any]
    types: dict[str, str]
    zoneless: set[str] = field(default_factory=set)


def typed_look(
    table: pa.Table,
    source: dict[str, Any],
    place: Place,
    talk: Talk,
    options: TableOptions | None = None,
) -> Look:
    """Return the table with its texts of times as times, and the schema's types."""
    import pyarrow as pa

    from pipelines.columns.contract import type_of

    types: dict[str, str] = {}
    formats: dict[str, str] = {}
    look = Look(table, source, types)
    for place_of_column, name in enumerate(table.column_names):
        column = table[name]
        types[name] = type_of(column.type)
        given = options.dates.get(name) if options and isinstance(options.dates, dict) else None
        if pa.types.is_string(column.type) or _may_be_days(column):
            form = given or _form_of(name, column, place, talk)
            if form is None:
                continue
            times, types[name], has_zone = _times(
                column.cast(pa.string()), form, source.get("timezone", "UTC")
            )
            look.table = look.table.set_column(place_of_column, name, times)
            if form != "ISO":
                formats[name] = form
            if not has_zone and types[name] == "time":
                look.zoneless.add(name)
        elif pa.types.is_timestamp(column.type):
            types[name] = "date" if _are_midnights(column) else "time"
    if formats:
        source["dates"] = formats
        for name, form in formats.items():
            talk.find(f"{name}: times written as {form}")
    return look


def _may_be_days(column: pa.ChunkedArray) -> bool:
    """Tell whether whole numbers may be days such as 20231231."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_integer(column.type) or column.null_count == len(column):
        return False
    ends = pc.min_max(column).as_py()
    return bool(ends["min"] >= 19_000_101 and ends["max"] <= 21_001_231)  # noqa: PLR2004


def _form_of(name: str, column: pa.ChunkedArray, place: Place, talk: Talk) -> str | None:
    """Return how a column's times are written; None where it holds no times."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = column.cast(pa.string())
    few = [v for v in texts.slice(0, 200).to_pylist() if v]
    if not date_formats(few):
        return None
    forms = date_formats([v for v in pc.unique(texts).to_pylist() if v])
    if not forms:
        return None
    if len(forms) == 1:
        return forms[0]
    assumed = _likelier(texts, forms)
    return talk.choose(
        f"{place.name}: {name} holds times such as {few[0]!r}, which can be read as"
        f" {forms[0]} or {forms[1]}: which one?",
        assumed,
        forms,
        f"--date-format {name}={forms[1] if assumed == forms[0] else forms[0]}",
    )


def _likelier(texts: pa.ChunkedArray, forms: list[str]) -> str:
    """Return the format in which neighbouring rows are nearer to one another in time."""
    import pandas as pd

    steps = {}
    for form in forms:
        times = pd.to_datetime(texts.to_pandas(), format=form, errors="coerce")
        steps[form] = times.diff().abs().sum()
    return min(forms, key=lambda f: steps[f])


def _times(texts: pa.ChunkedArray, form: str, zone: str) -> tuple[pa.ChunkedArray, str, bool]:
    """Return the moments in UTC, the schema's type, and whether the texts name their zones."""
    from pipelines.columns.texts import values_of
    from pipelines.columns.writing import Misfit, Writing
    from pipelines.onboarding.text_values import ISO_WITH_ZONE
    from pipelines.spec.schema import Column
    from pipelines.spec.table_options import TableOptions

    options = TableOptions(dates={"x": form}) if form != "ISO" else TableOptions()
    try:
        times = values_of(texts, Writing("x", Column(type="time"), options, zone))
    except Misfit as misfit:
        raise BadData(
            f"A time that cannot be read: {misfit.value!r}.",
            remedy="pass --date-format COLUMN=FORMAT, or --type COLUMN=text.",
        ) from misfit
    first = next((v for v in texts.to_pylist()[:1000] if v), "")
    has_zone = bool(ISO_WITH_ZONE.search(first)) if form == "ISO" else "%z" in form
    if not has_zone:
        # Dates are midnights in UTC, whatever the zone of times is.
        days = values_of(texts, Writing("x", Column(type="time"), options, "UTC"))
        if _are_midnights(days):
            return days, "date", False
    return times, "time", has_zone


def _are_midnights(times: pa.ChunkedArray) -> bool:
    import pyarrow.compute as pc

    if times.null_count == len(times):
        return False
    return bool(pc.all(pc.equal(pc.floor_temporal(times, unit="day"), times)).as_py())
