"""What a suggested suite refuses: `python -m benchmarks.suites` from the checkout.

For each data set the suite is drawn from the first half of the batches, as `perennial init` draws
it, and judges the later half: as they are, and broken in ten ways. A batch is judged as a run
does: by the type of its event time in schema.yaml (a `date` has no hours), by what is always
checked, and by the suite. A batch in which a break changes nothing is left
out of its count.
"""

from __future__ import annotations

import io
import logging
import sys
import zipfile
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.report import Measure, is_tiny, show, write
from pipelines.intervals import containing
from pipelines.onboarding.batches import choose_cut, split_batches
from pipelines.onboarding.suite import draw_suite
from pipelines.tables import columns_of, normalise
from pipelines.validation.run import check_table
from pipelines.validation.suites import always_main

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
ASKED_QUIET, ASKED_BROKEN = 0.02, 0.95


def bikes() -> tuple[pd.DataFrame, str, list[str]]:
    """Hours of two years: rentals of bicycles."""
    frame = pd.read_csv(DATA / "bike_sharing" / "hour.csv", parse_dates=["dteday"])
    return frame, "dteday", ["instant"]


def hotels() -> tuple[pd.DataFrame, str, list[str]]:
    """Bookings of two hotels by the day of arrival; no column tells two equal rows apart."""
    with zipfile.ZipFile(DATA / "hotel_bookings" / "hotel_bookings.csv.zip") as archive:
        name = next(n for n in archive.namelist() if n.endswith(".csv"))
        frame = pd.read_csv(io.BytesIO(archive.read(name)), keep_default_na=True)
    parts = ["arrival_date_year", "arrival_date_month", "arrival_date_day_of_month"]
    frame["arrival"] = pd.to_datetime(frame[parts].astype(str).agg(" ".join, axis=1))
    for column in frame.select_dtypes("object").columns:
        frame[column] = frame[column].astype("string")
    return frame, "arrival", []


def traffic() -> tuple[pd.DataFrame, str, list[str]]:
    """Hours of six years with two gaps: cars on a motorway."""
    path = DATA / "metro_traffic" / "Metro_Interstate_Traffic_Volume.csv"
    frame = pd.read_csv(path, parse_dates=["date_time"], keep_default_na=False)
    return frame, "date_time", []


def flights() -> tuple[pd.DataFrame, str, list[str]]:
    """The flights that left New York in 2013."""
    sys.path.insert(0, str(ROOT / "models" / "flight_delays"))
    import source

    always = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    frame = source.read(*always)["flights"].copy()
    frame["scheduled_departure"] = frame["scheduled_departure"].dt.tz_localize(None)
    return frame, "scheduled_departure", ["flight_id"]


DATA_SETS: list[Callable[[], tuple[pd.DataFrame, str, list[str]]]] = [
    bikes, hotels, traffic, flights,
]  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where less was reached than asked."""
    tiny = is_tiny(__doc__, argv)
    logging.disable(logging.WARNING)
    refused, caught, missed = {}, {}, defaultdict(list)
    # Of the four only the flights come with a package; the others lie beside the checkout.
    loads = DATA_SETS if DATA.is_dir() else [flights]
    for load in loads[:1] if tiny else loads:
        name, (frame, time, key) = load.__name__, load()
        batches = split_batches(frame, time, kind := choose_cut(frame[time]).kind)
        half = len(batches) // 2
        suite = draw_suite(batches[:half], event_time=time, key=key)
        dates = bool((frame[time] == frame[time].dt.normalize()).all())
        judge = Judge(suite, time, key, kind, dates=dates)
        own = [i for i, b in enumerate(batches[:half]) if judge.refuses(b)]
        print(f"{name}: {len(batches)} batches of a {kind}, {len(suite)} expectations", flush=True)
        if own:
            print(f"  refuses batches that it was drawn from: {own} {judge.why[:3]}")
        later = batches[half : half + 4] if tiny else batches[half:]
        quiet = [judge.refuses(b) for b in later]
        for place, is_refused in enumerate(quiet):
            if is_refused:
                print(f"  quiet batch {half + place} refused: {judge.refuses(later[place])}")
                print(f"    {judge.why[:4]}")
        refused[name] = [sum(quiet) + len(own), len(quiet) + half]
        for kind_of_break, make in BREAKS.items():
            hits, count = 0, 0
            for place, batch in enumerate(later):
                random = np.random.default_rng([place, len(kind_of_break)])
                broken = make(batch, time, key, random)
                if broken is None:
                    continue
                count += 1
                is_hit = judge.refuses(broken[0])
                hits += is_hit
                if not is_hit:
                    missed[name, kind_of_break].append(broken[1])
            caught[name, kind_of_break] = [hits, count]
    _print(refused, caught, missed)
    rows = _measures(refused, caught)
    show("Suites", rows)
    if not tiny:
        write("suites", rows)
    quiet_share, caught_share = rows[0]["value"] / 100, rows[1]["value"] / 100
    return 0 if tiny else int(quiet_share > ASKED_QUIET or caught_share < ASKED_BROKEN)


class Judge:
    """Judges batches of one data set; `why` says what the last one broke."""

    def __init__(
        self, suite: list[dict[str, Any]], time: str, key: list[str], kind: str, *, dates: bool
    ) -> None:
        """Keep the suite; `dates`: schema.yaml says that the event time is a `date`."""
        self._suite, self._time, self._key, self._kind = suite, time, key, kind
        self._dates = dates
        self.why: list[str] = []

    def refuses(self, batch: pd.DataFrame) -> bool:
        """Tell whether the batch goes to quarantine; it is the batch of its own middle time."""
        if self._dates and (batch[self._time] != batch[self._time].dt.normalize()).any():
            self.why = ["more than a date: schema.yaml says `date`, and the reader refuses it"]
            return True
        table = normalise(batch.assign(**{self._time: batch[self._time].dt.tz_localize("UTC")}))
        # A delivery is named for its interval, which most of its rows tell even when shifted.
        moment = batch.attrs.get("middle", batch[self._time].median())
        interval = containing(moment.to_pydatetime(), self._kind)
        spec = SimpleNamespace(
            raw_event_time=self._time, key=self._key or [self._time], empty_batches="refuse"
        )
        always = always_main(spec, interval, columns_of(table), self._suite)
        if not self._key:
            always = [e for e in always if "unique" not in e["type"]]
        results = check_table("events", table, [*always, *self._suite], "the suite")
        self.why = [f"{r.expectation}: {r.observed}"[:260] for r in results if r.critical]
        return bool(self.why)


def _measurements(batch: pd.DataFrame, time: str, key: list[str]) -> list[str]:
    """Return the numbers with a unit: more than ten values, no key."""
    return [
        c
        for c in batch.select_dtypes("number").columns
        if c not in {time, *key} and batch[c].nunique() > 10
    ]


def _scale(factor: float, offset: float = 0.0) -> Callable[..., Any]:
    def make(batch, time, key, random):
        names = _measurements(batch, time, key)
        if not names:
            return None
        name = str(random.choice(names))
        values = batch[name] * factor + offset
        return batch.assign(**{name: values}), name

    return make


def _empty(batch, time, key, random):
    names = [c for c in batch.columns if c not in {time, *key} and batch[c].notna().mean() > 0.05]
    name = str(random.choice(names))
    kind = batch[name].dtype
    empty = pd.Series(
        np.nan if pd.api.types.is_numeric_dtype(kind) else None, index=batch.index,
        dtype="float64" if pd.api.types.is_numeric_dtype(kind) else "string",
    )  # fmt: skip
    return batch.assign(**{name: empty}), name


def _swap(batch, time, key, random):
    names = [c for c in batch.columns if c not in {time, *key} and len(batch[c].unique()) > 1]
    pairs = [
        (a, b)
        for i, a in enumerate(names)
        for b in names[i + 1 :]
        if pd.api.types.is_numeric_dtype(batch[a]) == pd.api.types.is_numeric_dtype(batch[b])
        and (batch[a].astype(str) != batch[b].astype(str)).mean() > 0.1
    ]
    if not pairs:
        return None
    a, b = pairs[int(random.integers(len(pairs)))]
    return batch.assign(**{a: batch[b], b: batch[a]}), f"{a} and {b}"


def _double(batch, time, key, random):
    del time, key, random
    return pd.concat([batch, batch], ignore_index=True), "all rows"


def _partly_doubled(batch, time, key, random):
    del time, key
    again = batch.sample(frac=0.5, random_state=int(random.integers(1000)))
    return pd.concat([batch, again], ignore_index=True), "half of the rows"


def _later(hours: Callable[[np.random.Generator], float]) -> Callable[..., Any]:
    def make(batch, time, key, random):
        del key
        shift = pd.Timedelta(hours=hours(random))
        moved = batch.assign(**{time: batch[time] + shift})
        moved.attrs["middle"] = batch[time].median()
        return moved, f"{shift}"

    return make


def _garble(batch, time, key, random):
    names = [
        c
        for c in batch.columns
        if c not in {time, *key}
        and not pd.api.types.is_numeric_dtype(batch[c])
        and batch[c].notna().mean() > 0.05
    ]
    names = [
        c for c in names if batch[c].astype("string").str.contains("[aeiouAEIOU]").mean() > 0.2
    ]
    if not names:
        return None
    name = str(random.choice(names))
    texts = batch[name].astype("string")
    for plain, sign in zip("aeiouAEIOU", "áéíóúÁÉÍÓÚ", strict=True):
        texts = texts.str.replace(plain, sign.encode().decode("latin-1"))
    return batch.assign(**{name: texts}), name


BREAKS: dict[str, Callable[..., Any]] = {
    "unit x 1000": _scale(1000),
    "unit x 1.8 + 32": _scale(1.8, 32),
    "cents": _scale(100),
    "emptied": _empty,
    "swapped": _swap,
    "duplicated": _double,
    "half duplicated": _partly_doubled,
    "day shifted": _later(lambda r: float(r.choice([-24, 24]))),
    "zone shifted": _later(lambda r: float(r.choice([-8, -5, -1, 1, 2, 5]))),
    "encoding broken": _garble,
}


def _print(refused, caught, missed) -> None:
    table = Table(title="Batches that are refused", title_justify="left")
    for column in ("break", *refused):
        table.add_column(column)
    table.add_row("quiet", *(f"{a} of {n}" for a, n in refused.values()))
    for name in BREAKS:
        cells = [caught.get((data, name), [0, 0]) for data in refused]
        table.add_row(name, *(f"{a} of {n}" if n else "none" for a, n in cells))
    Console(width=140).print(table)
    for (data, name), what in missed.items():
        print(f"missed: {data}, {name}: {what}")


def _measures(refused, caught) -> list[Measure]:
    quiet = np.sum(list(refused.values()), axis=0)
    broken = np.sum(list(caught.values()), axis=0)
    rows: list[Measure] = [
        {
            "measure": f"quiet batches of {quiet[1]} that are refused",
            "value": round(100 * quiet[0] / quiet[1], 2),
            "unit": "%",
            "asked": f"<= {ASKED_QUIET:.0%}",
        },
        {
            "measure": f"broken batches of {broken[1]} that are caught",
            "value": round(100 * broken[0] / broken[1], 2),
            "unit": "%",
            "asked": f">= {ASKED_BROKEN:.0%}",
        },
    ]
    for name in BREAKS:
        hits, count = np.sum([caught.get((d, name), [0, 0]) for d in refused], axis=0)
        rows.append(
            {
                "measure": f"broken batches of {count} that are caught: {name}",
                "value": round(100 * hits / max(count, 1), 2),
                "unit": "%",
                "asked": "",
            }
        )
    return rows


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
