"""`perennial keys`: which key signs, which count, a new one, one that retires."""

from __future__ import annotations

import json

from pipelines.ledger.sql import SqlLedger
from pipelines.settings import local_path
from pipelines.signing.signatures import signature_keys
from pipelines.store.local import LocalStore
from tests.decisions import crown


def test_keys_are_listed_changed_and_retired(command, world):
    assert "There is no signing key here.\nSignatures are not required." in (
        command("keys", "list").stdout
    )
    assert command("keys", "begin").stdout.endswith(" signs bundles from now on.\n")
    assert command("keys", "begin").stdout == ""
    listing = json.loads(command("keys", "list", "--json").stdout)
    (old,) = listing["keys"]
    assert (listing["required"], listing["signs"], old["state"]) == (True, old["id"], "trusted")

    SqlLedger(world.settings.ledger_url).crown(
        "sales", expected=None, champion=crown("1"), key="run"
    )
    assert command("keys", "sign").stdout == "signed: 1 bundle\n"
    new = json.loads(command("keys", "new", "--valid-for", "30d", "--json").stdout)
    assert (new["signs"], new["state"], bool(new["not_after"])) == (True, "trusted", True)
    retired = command("keys", "retire", old["id"][:16])
    assert (retired.returncode, retired.stdout) == (0, f"{old['id'][:16]} is retired.\n")
    shown = command("keys", "list").stdout
    assert f"{old['id'][:16]}  retired at" in shown
    assert f"{new['id'][:16]}  trusted until" in shown
    assert shown.endswith("Signatures are required.\n")
    store = LocalStore(local_path(world.settings.store))
    assert len(signature_keys(store, crown("1").bundle)) == 2

    last = command("keys", "retire", new["id"][:16])
    assert "WARNING It was the key that signs" in last.stdout
    assert "of sales 1 is not served" in last.stdout
    assert "Remedy: `perennial keys new`" in last.stdout
    assert command("keys", "sign").returncode == 65
    secret = world.settings.signing_key_file.read_text().strip()
    for arguments in (("list",), ("list", "--json"), ("sign",), ("new",)):
        result = command("keys", *arguments)
        assert secret not in result.stdout + result.stderr


def test_what_makes_no_sense_is_refused_with_the_remedy(command):
    command("keys", "begin")
    for time in ("soon", "0d", "9999999d"):
        wrong = command("keys", "new", "--valid-for", time)
        assert (wrong.returncode, f"--valid-for '{time}' is no time" in wrong.stderr) == (65, True)
    unknown = command("keys", "retire", "0123abcd")
    assert (unknown.returncode, "none of the 1 keys" in unknown.stderr) == (65, True)
    environment = command("keys", "new", PERENNIAL_SIGNING_KEY="A" * 43 + "=")
    assert (environment.returncode, "make signing-key" in environment.stderr) == (65, True)
