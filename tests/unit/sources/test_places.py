"""Where files lie: partitioned folders, Delta tables, and files that change while they are read."""

import io
import os

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake
from pyarrow import feather

from pipelines.errors import SpecError, Unreachable
from pipelines.sources import places
from pipelines.sources.files import Files
from pipelines.spec.schema import Column
from pipelines.spec.sources import FilesSource
from tests.unit.sources.days import DAY, FIRST, files, read

TABLE = pa.table({"at": ["2024-01-01T05:00:00Z", "2024-01-01T06:00:00Z"], "x": [1, 2]})


def values(raw, *names):
    """Return rows of these columns, in order."""
    assert raw.problem is None, raw.problem
    return sorted(
        tuple(row.values()) for row in raw.tables["events"].select(list(names)).to_pylist()
    )


def partitioned(tmp_path):
    for shop, year in (("01", 2023), ("02", 2024)):
        folder = tmp_path / "sales" / f"year={year}" / f"shop={shop}"
        folder.mkdir(parents=True)
        pq.write_table(TABLE, folder / "part-0.parquet")


def test_folders_named_for_a_value_are_columns(tmp_path):
    partitioned(tmp_path)
    raw = read(tmp_path, "sales/**/*.parquet")
    assert values(raw, "year", "shop", "x") == [
        (2023, "01", 1),
        (2023, "01", 2),
        (2024, "02", 1),
        (2024, "02", 2),
    ]


def test_folders_have_the_types_of_the_schema_too(tmp_path):
    partitioned(tmp_path)
    source = FilesSource(kind="files", uri="sales/**/*.parquet", first=FIRST)
    kinds = {"at": "time", "x": "float", "year": "text", "shop": "integer"}
    schema = {name: Column(type=kind) for name, kind in kinds.items()}
    raw = Files(source, "at", tmp_path, schema=schema).read(DAY)
    assert values(raw, "year", "shop", "x")[0] == ("2023", 1, 1.0)


def test_a_folder_without_a_value_and_signs_that_folders_cannot_have(tmp_path):
    path = "lake/city=K%C3%B6ln%2FDeutz/kind=__HIVE_DEFAULT_PARTITION__/a.csv"
    assert places.folders_of(f"/{tmp_path}/{path}", f"/{tmp_path}/lake/**/*.csv") == {
        "city": "Köln/Deutz",
        "kind": None,
    }


def test_a_delta_table_is_read_at_the_version_that_is_named(tmp_path):
    write_deltalake(tmp_path / "delta", TABLE)
    write_deltalake(tmp_path / "delta", TABLE, mode="append")
    assert len(values(read(tmp_path, "delta", format="delta"), "x")) == 4
    assert values(read(tmp_path, "delta", format="delta", table_version=0), "x") == [(1,), (2,)]
    missing = read(tmp_path, "delta", format="delta", table_version=7)
    assert "table_version" in missing.problem
    with pytest.raises(Unreachable, match="No Delta table is at"):
        read(tmp_path, "nothing", format="delta")


def test_feather_and_nested_columns_on_demand(tmp_path):
    nested = TABLE.append_column("place", pa.array([{"city": "A", "zip": {"code": 1}}] * 2))
    feather.write_feather(nested, tmp_path / "a.feather")
    assert values(
        read(tmp_path, "a.feather", flatten=True), "x", "place_city", "place_zip_code"
    ) == [
        (1, "A", 1),
        (2, "A", 1),
    ]
    assert read(tmp_path, "a.feather").tables["events"]["place"][0].as_py()["city"] == "A"


def workbook(rows, title="Data"):
    book = openpyxl.Workbook()
    book.active.title = "Notes"
    sheet = book.create_sheet(title)
    for row in rows:
        sheet.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


SHEET = [["Sales of 2024"], [], ["at", "x"], ["2024-01-01T05:00:00Z", 1], ["2024-01-01", 2.5]]


@pytest.mark.parametrize("options", [{"skip": 2}, {"range": "A3:B"}, {"range": "A3:B5"}])
def test_a_sheet_is_read_where_its_table_stands(tmp_path, options):
    (tmp_path / "a.xlsx").write_bytes(workbook(SHEET))
    raw = read(tmp_path, "a.xlsx", format="excel", sheet="Data", **options)
    assert values(raw, "x") == [(1.0,), (2.5,)]


def test_a_workbook_that_is_read_at_the_wrong_place_says_what_it_has(tmp_path):
    (tmp_path / "a.xlsx").write_bytes(workbook(SHEET))
    assert "it has: Notes, Data" in read(tmp_path, "a.xlsx", format="excel", sheet="X").problem
    assert "skip" in read(tmp_path, "a.xlsx", format="excel", sheet="Data", range="A2:B").problem
    (tmp_path / "b.xlsx").write_bytes(b"PK\x03\x04 no workbook")
    assert "no readable workbook" in read(tmp_path, "b.xlsx").problem


def test_a_file_that_changes_while_it_is_read_is_read_again_later(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("at,x\n2024-01-01T05:00:00Z,1\n")
    honest = places.content_of

    def grow(stream, name, most):
        content = honest(stream, name, most)
        with path.open("a") as file:
            file.write("2024-01-01T06:00:00Z,2\n")
            file.flush()
            os.fsync(file.fileno())
        return content

    source = files(tmp_path, "a.csv")
    with monkeypatch.context() as patch:
        patch.setattr(places, "content_of", grow)
        with pytest.raises(Unreachable, match=r"a\.csv changed while it was read"):
            source.read(DAY)
    assert len(values(source.read(DAY), "x")) == 2


def test_a_folder_says_how_it_is_read(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(SpecError, match="a folder") as caught:
        read(tmp_path, "data", format="csv")
    assert "folder/**/*.csv" in caught.value.remedy
