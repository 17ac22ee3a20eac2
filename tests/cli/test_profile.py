"""`perennial profile`: the newest batches as a table, a page and JSON."""

import json
from datetime import UTC, datetime
from pathlib import Path

from pipelines.messages import IngestRequest
from pipelines.steps import ingest
from tests.worlds import ROWS, as_of


def ingest_days(world):
    request = IngestRequest(run="r", now=datetime(2026, 1, 1, tzinfo=UTC), conf={"as_of": as_of(4)})
    ingest.run(world.context(), request)


def test_people_get_a_table_and_the_page(command, world):
    ingest_days(world)
    done = command("profile", "sales", "--batches", "2")
    assert done.returncode == 0, done.stderr
    assert "Raw rows: 2024-01-04T00, from the batch 2024-01-03T00" in " ".join(done.stdout.split())
    assert "with bought" in " ".join(done.stdout.split())
    page = Path(done.stdout.rsplit("Page: ", 1)[1].strip())
    assert "Profile of sales" in page.read_text()


def test_programs_get_all_figures(command, world):
    ingest_days(world)
    figures = json.loads(command("profile", "sales", "--json").stdout)
    assert [b["rows"] for b in figures["batches"]] == [ROWS] * 4
    [raw] = figures["tables"]
    assert {c["name"] for c in raw["columns"]} >= {"pages", "minutes", "channel", "bought"}
    assert Path(figures["page_file"]).is_file()


def test_without_batches_it_says_what_to_do(command):
    done = command("profile", "sales")
    assert done.returncode == 65
    assert "The store holds no batch of sales" in done.stderr
    assert command("profile", "nobody").returncode == 65
