"""The keys that sign bundles: `perennial keys list`, `new`, `retire`, `sign`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.output import AsJson, print_json
from pipelines.cli.running import set_up_logging
from pipelines.errors import RequestError
from pipelines.intervals import iso
from pipelines.plurals import how_many
from pipelines.settings import load_settings
from pipelines.spec.units import parse_duration
from pipelines.store.opening import open_store

if TYPE_CHECKING:
    from pipelines.settings import Settings
    from pipelines.signing.trust import TrustedKey
    from pipelines.store.port import Store

ValidFor = Annotated[
    str | None,
    typer.Option(
        "--valid-for", metavar="TIME", help="How long it counts, such as 365d; default: for ever."
    ),
]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="The key's id, or its first digits.")]

keys = typer.Typer(
    name="keys",
    help="The keys that sign bundles, and which count.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(keys)


@keys.command("list")
def list_keys(*, as_json: AsJson = False) -> None:
    """List the keys: which one signs, which are trusted, expired or retired."""
    from pipelines.signing.keys import read_signing_key
    from pipelines.signing.trust import Trust

    settings = _settings()
    signing_key, now = read_signing_key(settings), datetime.now(UTC)
    signs = signing_key.id if signing_key else None
    rows = [_describe(key, signs, now) for key in Trust(settings.trust).list_keys()]
    if as_json:
        print_json({"required": settings.require_signature, "signs": signs, "keys": rows})
        return
    for row in rows:
        until = f" until {row['not_after']}" if row["not_after"] else ""
        since = f" at {row['retired_at']}" if row["retired_at"] else until
        mark = "; new bundles are signed by it" if row["signs"] else ""
        typer.echo(f"{row['id'][:16]}  {row['state']}{since}; trusted from {row['made_at']}{mark}")
    if signs is None:
        typer.echo("There is no signing key here.")
    elif signs not in {row["id"] for row in rows}:
        typer.echo(f"The signing key {signs[:16]} is not trusted.")
    required = "are" if settings.require_signature else "are not"
    typer.echo(f"Signatures {required} required.")


@keys.command("new")
def new(*, valid_for: ValidFor = None, as_json: AsJson = False) -> None:
    """Make a new signing key; the old one stays trusted until it is retired.

    What the ledger has crowned is signed by the new key, too, so that it is served when the old one
    has gone. Where the key stands in the environment, as in containers, `make signing-key` makes
    it.
    """
    from pipelines.ops.signing_keys import new_key

    settings, now = _settings(), datetime.now(UTC).replace(microsecond=0)
    until = _end(now, valid_for) if valid_for is not None else None
    key = new_key(settings, _store(settings), now, until)
    if as_json:
        print_json(_describe(key, key.id, now))
    else:
        typer.echo(f"{key.id[:16]} signs from now on. `perennial keys list` shows the others.")


@keys.command("retire")
def retire(key_id: KeyId, *, as_json: AsJson = False) -> None:
    """Let signatures by this key count no more.

    What serves goes on; whatever is loaded from now on needs a signature by another key. Champions
    that have none are named: `perennial keys sign` signs them by the present key.
    """
    from pipelines.ops.signing_keys import champions_without
    from pipelines.signing.keys import read_signing_key
    from pipelines.signing.trust import Trust

    settings, now = _settings(), datetime.now(UTC).replace(microsecond=0)
    trust = Trust(settings.trust)
    key = trust.retire(trust.choose(key_id), now)
    left = champions_without(settings, _store(settings), now) if settings.require_signature else {}
    if as_json:
        print_json({"id": key.id, "state": key.state(now), "champions_without": left})
        return
    typer.echo(f"{key.id[:16]} is retired.")
    signing_key = read_signing_key(settings)
    signs = signing_key is not None and signing_key.id == key.id
    if signs:
        typer.echo("WARNING It was the key that signs: nothing can be packaged without a new one.")
    for reason in left.values():
        typer.echo(f"WARNING {reason} What runs goes on; a server that starts refuses it.")
    if signs:
        typer.echo(
            "Remedy: `perennial keys new`, in containers `make signing-key`; the new key signs all"
            " champions."
        )
    elif left:
        typer.echo("Remedy: `perennial keys sign`.")


@keys.command("sign")
def sign(*, as_json: AsJson = False) -> None:
    """Sign by the present key every bundle that the ledger has crowned.

    For bundles of the time before they were signed, and before a key is retired. The ledger's chain
    is checked first.
    """
    from pipelines.ops.signing_keys import sign_crowned

    settings = _settings()
    bundles = sign_crowned(settings, _store(settings), datetime.now(UTC))
    if as_json:
        print_json({"signed": [{"model": b.model, "version": b.version} for b in bundles]})
    else:
        typer.echo(f"signed: {how_many(len(bundles), 'bundle')}")


@keys.command("begin", hidden=True)
def begin() -> None:
    """See to it that there is a signing key, and that it is trusted (for `make up`)."""
    from pipelines.ops.signing_keys import begin as make

    settings = _settings()
    key = make(settings, _store(settings), datetime.now(UTC).replace(microsecond=0))
    if key is not None:
        typer.echo(f"{key.id[:16]} signs bundles from now on.")


def _describe(key: TrustedKey, signs: str | None, now: datetime) -> dict[str, Any]:
    return {
        "id": key.id,
        "state": key.state(now),
        "made_at": iso(key.made_at),
        "not_after": iso(key.not_after) if key.not_after else None,
        "retired_at": iso(key.retired_at) if key.retired_at else None,
        "signs": key.id == signs,
    }


def _end(now: datetime, valid_for: str) -> datetime:
    """Return when a key that is made now expires. Raises RequestError for what is no such time."""
    try:
        time = parse_duration(valid_for)
        if time:
            return now + time
        reason = "a key must count for some time"
    except OverflowError:
        reason = "no calendar goes that far"
    except ValueError as error:
        reason = str(error)
    raise RequestError(f"--valid-for {valid_for!r} is no time for a key.", remedy=f"{reason}.")


def _settings() -> Settings:
    settings = load_settings()
    set_up_logging("ERROR")
    return settings


def _store(settings: Settings) -> Store:
    return open_store(settings.store, settings)
