"""What `init` sees of files that are more than one table."""

import json

import openpyxl

from pipelines.onboarding.look import look_at
from pipelines.onboarding.places import place_of
from pipelines.onboarding.talk import Talk


def look(path, **options):
    """Return what is seen of a file, and what was said of it."""
    talk = Talk()
    return look_at(place_of(str(path), None, path.parent), options, talk, path.parent), talk


def test_of_a_workbook_the_sheet_with_the_table_is_taken_and_said(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["Made by Ann"])
    sheet = book.create_sheet("Customers")
    for row in [["Report"], [], ["no", "plan"], *([i, "S"] for i in range(30))]:
        sheet.append(row)
    book.save(tmp_path / "customers.xlsx")
    seen, talk = look(tmp_path / "customers.xlsx")
    assert (seen.source["sheet"], seen.source["skip"]) == ("Customers", 2)
    assert (seen.table.num_rows, seen.table.column_names) == (30, ["no", "plan"])
    assert "Assumed: Customers. Else pass --sheet." in talk.assumptions[0]


def test_fields_of_nested_columns_become_columns(tmp_path):
    path = tmp_path / "tickets.jsonl"
    rows = [{"id": i, "customer": {"country": "CA", "age": i}} for i in range(30)]
    path.write_text("\n".join(map(json.dumps, rows)))
    seen, talk = look(path)
    assert seen.source["flatten"] is True
    assert seen.table.column_names == ["id", "customer_country", "customer_age"]
    assert "fields of customer become columns of their own" in talk.findings[0]
