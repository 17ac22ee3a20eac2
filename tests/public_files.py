"""Fourteen tables as people have them, each written in another way: what `perennial init` meets.

`make_all(folder, scale)` writes them; `scale` is how large the large ones are (1.0: a million
rows). All are seeded. Nothing here knows how `init` works.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True)
class PublicFile:
    """A table, the arguments by which a person would name it, and the settings that it needs."""

    name: str
    arguments: list[str]
    settings: dict[str, str] = field(default_factory=dict)


def make_all(folder: Path, scale: float = 1.0) -> list[PublicFile]:
    """Write all tables below the folder, and return how each is named to `init`."""
    return [make(folder, scale) for make in MAKERS]


def _random(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def _orders(rows: int, seed: int) -> pd.DataFrame:
    """Orders of a shop over two years: who, what, how much, and whether they came back."""
    random = _random(seed)
    days = np.sort(random.integers(0, 730, rows))
    price = random.lognormal(3.2, 0.6, rows).round(2)
    amount = random.integers(1, 9, rows)
    late = random.gamma(2.0, 2.0, rows).round(1)
    odds = -2.2 + 0.02 * price + 0.25 * late
    return pd.DataFrame(
        {
            "order": np.arange(100_000, 100_000 + rows),
            "day": pd.Timestamp("2023-01-01") + pd.to_timedelta(days, unit="D"),
            "city": random.choice(["Köln", "Zürich", "Málaga", "Graz"], rows),
            "price": price,
            "amount": amount,
            "days_late": late,
            "returned": random.random(rows) < 1 / (1 + np.exp(-odds)),
        }
    )  # fmt: skip


def _write(folder: Path, name: str, text: str, encoding: str = "utf-8") -> str:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return str(path)


def semicolons(folder: Path, scale: float) -> PublicFile:
    """An export of a German Excel: semicolons, decimal commas, groups of thousands, cp1252."""
    del scale
    frame = _orders(3_000, 1)
    frame["day"] = frame["day"].dt.strftime("%Y-%m-%d")
    frame["returned"] = frame["returned"].astype(int)
    frame["price"] = [
        f"{v * 100:,.2f}".translate(str.maketrans(",.", ".,")) for v in frame["price"]
    ]
    text = frame.to_csv(sep=";", decimal=",", index=False, lineterminator="\r\n")
    path = _write(folder, "orders.csv", text, "cp1252")
    return PublicFile("semicolons", ["--from", path, "--target", "returned"])


def tabs(folder: Path, scale: float) -> PublicFile:
    """Tabs, latin-1, quoted texts with tabs and line ends in them."""
    del scale
    frame = _orders(2_000, 2)
    frame["note"] = [
        f'said "{c}",\nthen\tleft' if i % 5 else None for i, c in enumerate(frame["city"])
    ]
    frame["returned"] = frame["returned"].astype(int)
    path = _write(folder, "orders.tsv", frame.to_csv(sep="\t", index=False), "latin-1")
    return PublicFile("tabs", ["--from", path, "--target", "returned", "--time", "day"])


def no_header(folder: Path, scale: float) -> PublicFile:
    """Numbers and texts without names, the outcome in the last column."""
    del scale
    frame = _orders(1_500, 3).drop(columns=["order", "day"])
    frame["returned"] = frame["returned"].astype(int)
    path = _write(folder, "plain.csv", frame.to_csv(index=False, header=False))
    return PublicFile("no header", ["--from", path])


def no_time(folder: Path, scale: float) -> PublicFile:
    """Houses without any time: a number is to be predicted."""
    del scale
    random, rows = _random(4), 1_200
    area = random.normal(110, 30, rows).clip(30).round(1)
    rooms = (area / 28).round().astype(int).clip(1)
    built = random.integers(1900, 2020, rows)
    frame = pd.DataFrame(
        {
            "house_id": [f"H{i:05d}" for i in random.permutation(rows)],
            "area": area,
            "rooms": rooms,
            "built": built,
            "garden": random.choice(["none", "small", "large"], rows),
            "price": (area * 2_100 + (built - 1900) * 500 + random.normal(0, 15_000, rows)).round(),
        }
    )
    path = _write(folder, "houses.csv", frame.to_csv(index=False))
    return PublicFile("no time", ["--from", path, "--target", "price"])


def text_target(folder: Path, scale: float) -> PublicFile:
    """Customers who say yes or no, without a time."""
    del scale
    random, rows = _random(5), 4_000
    age = random.integers(18, 90, rows)
    balance = random.normal(1_400, 2_000, rows).round(2)
    odds = -1.5 + 0.02 * (age - 40) + balance / 4_000
    frame = pd.DataFrame(
        {
            "age": age,
            "job": random.choice(["admin.", "technician", "retired", "unknown"], rows),
            "balance": balance,
            "housing": random.choice(["yes", "no"], rows),
            "y": np.where(random.random(rows) < 1 / (1 + np.exp(-odds)), "yes", "no"),
        }
    )
    path = _write(folder, "bank.csv", frame.to_csv(sep=";", index=False))
    return PublicFile("text target", ["--from", path, "--target", "y"])


def one_time_column(folder: Path, scale: float) -> PublicFile:
    """A plain series: hours, and the load of each."""
    del scale
    random, hours = _random(6), pd.date_range("2023-01-01", periods=24 * 400, freq="h")
    load = 900 + 300 * np.sin((hours.hour - 8) / 24 * 2 * np.pi) + 80 * (hours.dayofweek < 5)
    frame = pd.DataFrame(
        {"datetime": hours, "load_mw": (load + random.normal(0, 30, len(hours))).round(1)}
    )
    path = _write(folder, "load.csv", frame.to_csv(index=False))
    return PublicFile("one time column", ["--from", path])


def text_dates(folder: Path, scale: float) -> PublicFile:
    """Days as 31.12.2023, the rows not in their order."""
    del scale
    frame = _orders(2_500, 7).sample(frac=1, random_state=7)
    frame["day"] = frame["day"].dt.strftime("%d.%m.%Y")
    frame["returned"] = frame["returned"].map({True: "ja", False: "nein"})
    path = _write(folder, "bestellungen.csv", frame.to_csv(sep=";", index=False))
    return PublicFile("text dates", ["--from", path, "--target", "returned"])


def two_zones(folder: Path, scale: float) -> PublicFile:
    """Trips with the offsets of two zones in their times, around the change of the clocks."""
    del scale
    random, rows = _random(8), 3_000
    moments = pd.Timestamp("2024-02-01", tz="UTC") + pd.to_timedelta(
        np.sort(random.integers(0, 90 * 86_400, rows)), unit="s"
    )
    zones = random.choice(["Europe/Berlin", "America/New_York"], rows)
    starts = [m.tz_convert(z).isoformat() for m, z in zip(moments, zones, strict=True)]
    distance = random.gamma(3, 4, rows).round(2)
    frame = pd.DataFrame(
        {
            "trip": [f"t-{i}" for i in range(rows)],
            "started_at": starts,
            "zone": zones,
            "distance": distance,
            "minutes": (distance * 3 + random.normal(5, 2, rows)).round(1).clip(1),
        }
    )  # fmt: skip
    path = _write(folder, "trips.csv", frame.to_csv(index=False))
    return PublicFile("two zones", ["--from", path, "--target", "minutes"])


def wide(folder: Path, scale: float) -> PublicFile:
    """Five hundred columns of sensors, some constant, some empty, some twins.

    A tenth of that, where it is to be small.
    """
    random, rows = _random(9), max(1_000, int(4_000 * scale))
    width = 497 if scale >= 1 else 50
    values = random.normal(0, 1, (rows, width))
    frame = pd.DataFrame(values.round(4), columns=[f"s{i:03d}" for i in range(width)])
    frame["s010"], frame["s020"], frame["s030"] = 1.0, np.nan, frame["s031"]
    frame.loc[random.random(rows) < 0.3, "s040"] = np.nan
    frame.insert(0, "stamp", pd.date_range("2024-01-01", periods=rows, freq="15min"))
    frame.insert(1, "unit", [f"U{i % 7}" for i in range(rows)])
    frame["fails"] = (values[:, 5] + values[:, 45] + random.normal(0, 1, rows) > 1.5).astype(int)
    path = _write(folder, "sensors.csv", frame.to_csv(index=False))
    return PublicFile("500 columns", ["--from", path, "--target", "fails"])


def million(folder: Path, scale: float) -> PublicFile:
    """A million rows with twenty columns: a table of trips."""
    random, rows = _random(10), max(5_000, int(1_000_000 * scale))
    frame = pd.DataFrame(
        {
            "ride": np.arange(rows),
            "pickup": pd.Timestamp("2023-01-01")
            + pd.to_timedelta(np.sort(random.integers(0, 365 * 86_400, rows)), unit="s"),
            "payment": random.choice(["card", "cash", "app"], rows),
            "zone": random.integers(1, 264, rows),
            "distance": random.gamma(2, 2, rows).round(2),
        }
    )
    for i in range(14):
        frame[f"m{i:02d}"] = random.normal(10 + i, 1 + i / 5, rows).round(3)
    frame["fare"] = (3 + 2.2 * frame["distance"] + random.normal(0, 1.5, rows)).round(2)
    path = folder / "rides.csv"
    import pyarrow as pa
    from pyarrow import csv

    frame["pickup"] = frame["pickup"].dt.strftime("%Y-%m-%d %H:%M:%S")
    csv.write_csv(pa.Table.from_pandas(frame, preserve_index=False), path)
    return PublicFile("1M x 20 rows", ["--from", str(path), "--target", "fare"])


def excel(folder: Path, scale: float) -> PublicFile:
    """A workbook whose first rows are a title."""
    del scale
    frame = _orders(900, 11)
    frame["returned"] = frame["returned"].map({True: "yes", False: "no"})
    path = folder / "report.xlsx"
    with pd.ExcelWriter(path) as writer:
        frame.to_excel(writer, sheet_name="Orders", startrow=3, index=False)
        sheet = writer.sheets["Orders"]
        sheet.cell(row=1, column=1, value="Orders and returns, 2023 to 2024")
        sheet.cell(row=2, column=1, value="made by the reporting department")
    return PublicFile("Excel", ["--from", str(path), "--target", "returned"])


def delta(folder: Path, scale: float) -> PublicFile:
    """A Delta table of two versions."""
    del scale
    from deltalake import write_deltalake

    frame = _orders(2_000, 12)
    frame["day"] = frame["day"].dt.tz_localize("UTC")
    frame["returned"] = frame["returned"].astype("int64")
    path = folder / "orders_delta"
    for part in (frame.iloc[:1_000], frame.iloc[1_000:]):
        write_deltalake(str(path), part, mode="append")
    return PublicFile("Delta", ["--from", str(path), "--target", "returned"])


def partitioned(folder: Path, scale: float) -> PublicFile:
    """Parquet in folders that are named `year=2023/month=1`."""
    del scale
    frame = _orders(4_000, 13)
    path = folder / "orders_by_month"
    frame["year"], frame["month"] = frame["day"].dt.year, frame["day"].dt.month
    for (year, month), part in frame.groupby(["year", "month"]):
        below = path / f"year={year}" / f"month={month}"
        below.mkdir(parents=True)
        part.drop(columns=["year", "month"]).to_parquet(below / "part-0.parquet", index=False)
    return PublicFile("partitioned Parquet", ["--from", str(path), "--target", "returned"])


def query(folder: Path, scale: float) -> PublicFile:
    """A table of a SQLite database, by a query."""
    del scale
    frame = _orders(3_000, 14)
    frame["day"] = frame["day"].dt.strftime("%Y-%m-%d %H:%M:%S")
    frame["returned"] = frame["returned"].astype(int)
    path = folder / "shop.db"
    with sqlite3.connect(path) as connection:
        frame.rename(columns={"order": "order_id"}).to_sql("orders", connection, index=False)
    connection.close()
    return PublicFile(
        "SQL",
        ["--from", "SELECT * FROM orders", "--database", "shop", "--target", "returned"],
        {"PERENNIAL_SQL_SHOP": f"sqlite:///{path}"},
    )


MAKERS: tuple[Callable[[Path, float], PublicFile], ...] = (
    semicolons, tabs, no_header, no_time, text_target, one_time_column, text_dates, two_zones,
    wide, million, excel, delta, partitioned, query,
)  # fmt: skip
