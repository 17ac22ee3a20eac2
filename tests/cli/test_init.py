"""`perennial init`: from files as people have them to a folder that `check` finds green."""

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipelines.refs import sha256
from pipelines.spec import load_spec
from pipelines.spec.schema import load_schema
from tests.public_files import MAKERS


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_an_unseen_file_is_green_without_an_edited_line(command, world, tmp_path, make):
    file = make(tmp_path, 0.005)
    done = command("init", "tried", *file.arguments, **file.settings)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "models/tried/model.yaml" in done.stdout
    assert "Next: perennial check tried" in done.stdout
    checked = command("check", "tried", "--json", **file.settings)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert all(finding["ok"] for finding in json.loads(checked.stdout))


@pytest.fixture
def orders(tmp_path):
    """A file of orders, in the dialect of a German Excel."""
    return MAKERS[0](tmp_path, 1.0).arguments[1]


def spec_of(world):
    return load_spec(world.home / "models", "tried")


def test_what_was_found_stands_in_the_spec_with_its_reason(command, world, orders):
    command("init", "tried", "--from", orders, "--target", "returned")
    spec = spec_of(world)
    source = spec.source
    assert (source.delimiter, source.encoding, source.decimal, source.thousands) == (
        ";", "cp1252", ",", ".",
    )  # fmt: skip
    assert (spec.task, spec.batch, spec.key, spec.event_time) == (
        "binary", "month", ["order"], "day",
    )  # fmt: skip
    text = (world.home / "models" / "tried" / "model.yaml").read_text()
    assert "# how fractions are written" in text
    assert "# unique and never missing in all rows" in text
    types = load_schema(world.home / "models" / "tried").tables["events"]
    assert {n: c.type for n, c in types.items()} == {
        "order": "integer", "day": "date", "city": "text", "price": "float", "amount": "integer",
        "days_late": "float", "returned": "integer",
    }  # fmt: skip


def test_leaks_and_personal_data_are_warned_of_and_left_out_with_a_comment(
    command, world, tmp_path
):
    rows = "\n".join(
        f"{i},2024-{i % 12 + 1:02d}-{i % 28 + 1:02d},p{i}@example.org,{i % 7},{i % 3 == 0:d},"
        f"{'closed' if i % 3 == 0 else 'open'}"
        for i in range(600)
    )
    path = tmp_path / "visits.csv"
    path.write_text(f"visit_id,day,mail,pages,bought,state\n{rows}\n")
    done = command("init", "tried", "--from", str(path), "--target", "bought", "--json")
    said = json.loads(done.stdout)
    assert [w.split(" ")[0] for w in said["warnings"]] == ["state", "mail"]
    assert set(spec_of(world).features.inputs).isdisjoint({"state", "mail", "visit_id"})
    text = (world.home / "models" / "tried" / "model.yaml").read_text()
    assert "# state: LEAK?" in text
    assert "# mail: personal data: e-mail addresses" in text
    again = command(
        "init", "tried", "--from", str(path), "--target", "bought", "--keep", "state", "--force"
    )
    assert again.returncode == 0
    assert "state" in spec_of(world).features.inputs


def test_what_is_assumed_is_said_with_the_option_that_says_otherwise(command, world, tmp_path):
    rows = "\n".join(f"{i % 12 + 1:02d}/{i % 12 + 1:02d}/2023,{i},{i % 9}.5" for i in range(300))
    path = tmp_path / "days.csv"
    path.write_text(f"day,number,amount\n{rows}\n")
    done = command("init", "tried", "--from", str(path), "--target", "amount")
    assert done.returncode == 0, done.stderr
    assert "can be read as %d/%m/%Y or %m/%d/%Y: which one? Assumed:" in done.stdout
    assert "Else pass --date-format day=" in done.stdout


@pytest.mark.parametrize(
    ("text", "arguments", "words"),
    [
        ("<!DOCTYPE html><html>login</html>", [], "is a web page"),
        ("", [], "is empty"),
        ("a,b\n1,2\n3,4\n", ["--target", "c"], "--target c: there is no such column"),
        ("a,b\n1,2\n3,4\n", ["--target", "b", "--time", "a"], "the column holds no times"),
        ("a,b\n1,2\n1,4\n", ["--target", "b", "--key", "a"], "1 row has the key"),
        ("a,b\n1,2\n3,2\n", ["--target", "b"], "nothing to predict (always the same)"),
        ("a,b\n1,2\n3,4\n", ["--delimiter", ";;"], "delimiter"),
        ("a,b\n1,2\n3,4\n", ["--encoding", "utf-99"], "no encoding is named"),
        ("a,b\n1,2\n3,4\n", ["--timezone", "Berlin"], "no zone has this name"),
        ("a,b\n1,2\n3,4\n", ["--format", "docx"], "is no format"),
    ],
)
def test_what_is_not_understood_is_said_with_what_to_pass(
    command, world, tmp_path, text, arguments, words
):
    path = tmp_path / "x.csv"
    path.write_text(text)
    done = command("init", "tried", "--from", str(path), *arguments)
    assert done.returncode == 65
    assert words in done.stderr
    assert "Remedy:" in done.stderr
    assert not (world.home / "models" / "tried").exists()


def test_a_model_that_is_there_is_not_touched_without_force(command, world, orders):
    before = (world.home / "models" / "sales" / "model.yaml").read_text()
    done = command("init", "sales", "--from", orders)
    assert done.returncode == 65
    assert "models/sales and expectations/sales.json are there already" in done.stderr
    assert (world.home / "models" / "sales" / "model.yaml").read_text() == before
    assert command("init", "sales", "--from", orders, "--force").returncode == 0
    assert (world.home / "models" / "sales" / "model.yaml").read_text() != before


def test_local_times_are_read_in_the_zone_that_is_passed(command, world, tmp_path):
    rows = "\n".join(f"2024-01-{i // 24 + 1:02d} {i % 24:02d}:30:00,{i % 9}.5" for i in range(480))
    path = tmp_path / "hours.csv"
    path.write_text(f"at,amount\n{rows}\n")
    zone = ["--timezone", "Asia/Tokyo"]
    done = command("init", "tried", "--from", str(path), *zone)
    assert done.returncode == 0, done.stderr
    assert "Assumed: UTC" not in done.stdout
    spec = spec_of(world)
    assert spec.source.timezone == "Asia/Tokyo"
    assert command("check", "tried").returncode == 0


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        """Say nothing."""


def test_a_download_is_named_by_its_hash_and_read_from_the_cache(command, world, orders):
    handler = partial(Quiet, directory=str(Path(orders).parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/orders.csv"
        done = command("init", "tried", "--from", url, "--target", "returned")
        server.shutdown()
    assert done.returncode == 0, done.stderr
    assert spec_of(world).source.sha256 == sha256(Path(orders).read_bytes())
    assert json.loads(command("check", "tried", "--json").stdout)[3]["ok"]


def test_an_example_is_copied_under_a_new_name(command, world):
    assert command("init", "bikes", "--example", "bike_demand").returncode == 0
    assert load_spec(world.home / "models", "bikes").name == "bikes"
    assert (world.home / "expectations" / "bikes.json").is_file()
    again = command("init", "bikes", "--example", "bike_demand")
    assert (again.returncode, "there already" in again.stderr) == (65, True)
    unknown = command("init", "other", "--example", "cars")
    assert "pass one of bike_days, bike_demand, bike_range, flight_delays" in unknown.stderr


def test_the_help_teaches_by_examples(command):
    text = command("init", "--help").stdout
    assert "perennial init churn --from customers.csv --target left" in text
    assert "perennial init trial --example EXAMPLE" in text


def test_one_of_from_and_example_is_needed(command):
    assert "needs either --from or --example" in command("init", "tried").stderr
