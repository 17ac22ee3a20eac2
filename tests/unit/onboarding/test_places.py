"""What `--from` names."""

import pytest

from pipelines.errors import RequestError
from pipelines.onboarding.places import format_by_content, place_of
from pipelines.onboarding.queries import by_interval


def test_a_file_in_the_checkout_is_named_from_there_and_another_one_whole(tmp_path):
    home = tmp_path / "home"
    (home / "data").mkdir(parents=True)
    (home / "data" / "x.csv").write_text("a\n1\n")
    (tmp_path / "y{1}.csv").write_text("a\n1\n")
    assert place_of(str(home / "data" / "x.csv"), None, home).source == {"uri": "data/x.csv"}
    other = place_of(str(tmp_path / "y{1}.csv"), None, home)
    assert other.source == {"uri": f"{tmp_path}/y{{{{1}}}}.csv"}


def test_a_folder_is_all_files_of_its_format(tmp_path):
    (tmp_path / "year=2024").mkdir()
    (tmp_path / "year=2024" / "part-0.parquet").write_bytes(b"PAR1")
    (tmp_path / "_SUCCESS").touch()
    assert place_of(str(tmp_path), None, tmp_path).source == {"uri": "**/*.parquet"}
    (tmp_path / "notes.csv").write_text("a\n1\n")
    with pytest.raises(RequestError, match="of several kinds") as caught:
        place_of(str(tmp_path), None, tmp_path)
    assert "pass a pattern" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "database", "words"),
    [
        ("gone.csv", None, "There is nothing at gone.csv"),
        ("SELECT 1 AS x", None, "needs --database"),
        ("gone.csv", "shop", "--database goes with a query"),
    ],
)
def test_what_is_no_place_is_said_with_what_to_pass(tmp_path, text, database, words):
    with pytest.raises(RequestError, match=words) as caught:
        place_of(text, database, tmp_path)
    assert "pass" in caught.value.remedy


def test_a_query_reads_one_interval_in_the_way_of_its_database(monkeypatch):
    source = {"database": "shop", "query": "SELECT day, '10:30' AS x FROM orders"}
    monkeypatch.setenv("PERENNIAL_SQL_SHOP", "postgresql+psycopg://u:p@host/db")
    assert by_interval(source, "day") == (
        r"SELECT * FROM (SELECT day, '10\:30' AS x FROM orders) AS rows_of_all"
        ' WHERE "day" >= :start AND "day" < :end'
    )
    monkeypatch.setenv("PERENNIAL_SQL_SHOP", "sqlite:///shop.db")
    assert 'datetime("day") >= datetime(:start)' in by_interval(source, "day")


def test_a_format_is_known_by_its_first_bytes():
    assert format_by_content(b"PAR1....") == "parquet"
    assert format_by_content(b'{"a": 1}') == "json"
    assert format_by_content(b"a,b\n1,2\n") == "csv"
