"""`alert`: who is told of what, a test of the routes, and what is still to be told."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.output import AsJson, print_json
from pipelines.cli.running import set_up_logging
from pipelines.errors import RequestError, Unreachable
from pipelines.ports import ConfiguredPorts
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from pipelines.alerts.outbox import Outbox, Owed
    from pipelines.alerts.routes import Route, Routes
    from pipelines.settings import Settings

Model = Annotated[
    str | None, typer.Argument(metavar="[MODEL]", help="Only what is told of this model.")
]
Test = Annotated[
    bool, typer.Option("--test", help="Show the routes and a message that would go to each.")
]
Send = Annotated[bool, typer.Option("--send", help="With --test: really send that message.")]
Pending = Annotated[bool, typer.Option("--pending", help="Show what has not been told yet.")]
Deliver = Annotated[
    bool, typer.Option("--deliver", help="Send what has not been told yet, each message once.")
]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("alert")(alert)


def alert(
    model: Model = None,
    *,
    test: Test = False,
    send: Send = False,
    pending: Pending = False,
    deliver: Deliver = False,
    as_json: AsJson = False,
) -> None:
    """Show who is told of what, and what is still to be told.

    Routes stand in the file that PERENNIAL_ALERTS names (mode 600), a destination each: mail, chat,
    webhook and whatever else Apprise knows. Start with `perennial alert --test`, which sends
    nothing; add --send to send a test message. The DAG `alerts` sends every five minutes;
    --deliver does the same by hand, or from cron where there is no Airflow. No address is ever
    shown whole. docs/alerts.md has the file's form.
    """
    settings = load_settings()
    set_up_logging("WARNING")
    if [test, pending, deliver].count(True) != 1 or (send and not test) or (deliver and model):
        raise RequestError(
            "alert does one thing at a time.",
            remedy=(
                "`perennial alert --test [MODEL] [--send]`, `perennial alert --pending [MODEL]` or"
                " `perennial alert --deliver`."
            ),
        )
    if test:
        _test(settings, model, send=send, as_json=as_json)
    elif pending:
        _show_pending(settings, model, as_json=as_json)
    else:
        _deliver(settings, as_json=as_json)


def _test(settings: Settings, model: str | None, *, send: bool, as_json: bool) -> None:
    from pipelines.alerts.opening import routes_of
    from pipelines.alerts.texts import example

    routes = routes_of(settings)
    chosen = _choose(routes, settings, model)
    rows = [_route_row(name, route) for name, route in chosen.items()]
    for row, route in zip(rows, chosen.values(), strict=True):
        message = example(str(row["route"]), routes, settings)
        row["message"] = {"title": message.title, "body": message.body}
        if send:
            row["why"] = _send_one(settings, route, message)
            row["taken"] = not row["why"]
    if as_json:
        print_json({"sent": send, "routes": rows})
    else:
        for row in rows:
            typer.echo(_in_words(row, send=send))
        if not send:
            typer.echo("Nothing was sent; --send sends these messages.")
    failed = [str(row["route"]) for row in rows if send and row["why"]]
    if failed:
        raise Unreachable(
            f"The test message was not taken by {', '.join(failed)}.",
            remedy="mend the address in the file of PERENNIAL_ALERTS, or see to the service.",
        )


def _choose(routes: Routes, settings: Settings, model: str | None) -> dict[str, Route]:
    """Return the routes that tell of a model; all of them where none is named."""
    if model is None:
        return routes.routes
    from pipelines.spec import load_spec

    owner = load_spec(settings.models, model).owner
    chosen = {name: r for name, r in routes.routes.items() if r.tells_of(model, owner)}
    if not chosen:
        raise RequestError(
            f"No route tells of {model} (owner: {owner}).",
            remedy="name the model or its owner in a route; see docs/alerts.md.",
        )
    return chosen


def _route_row(name: str, route: Route) -> dict[str, Any]:
    return {
        "route": name,
        "to": route.shown,
        "models": list(route.models),
        "owners": list(route.owners),
        "tell": list(route.tell),
    }


def _send_one(settings: Settings, route: Route, message: Any) -> str:
    from pipelines.alerts.post import ApprisePost

    with closing(ApprisePost(settings.alert_timeout_seconds).send(route, [message])) as answers:
        return next(answers)


def _in_words(row: dict[str, Any], *, send: bool) -> str:
    named = [f"models {', '.join(row['models'])}"] if row["models"] else []
    named += [f"models of {', '.join(row['owners'])}"] if row["owners"] else []
    lines = [
        f"{row['route']}: {row['to']}",
        f"  tells of {' and '.join(named) or 'all models'}: {', '.join(row['tell'])}",
    ]
    if send:
        lines.append(f"  not sent: {row['why']}" if row["why"] else "  the test message was taken")
    else:
        text = row["message"]["body"].replace("\n", "\n    ")
        lines.append(f"  would be sent: {row['message']['title']}\n    {text}")
    return "\n".join(lines)


def _show_pending(settings: Settings, model: str | None, *, as_json: bool) -> None:
    outbox = _outbox(settings)
    if model is not None and model not in outbox.specs:
        raise RequestError(
            f"There is no model {model}.", remedy="`perennial models` lists the models."
        )
    owed = [o for o in outbox.owed(datetime.now(UTC)) if model in {None, o.incident.model}]
    if as_json:
        print_json([_owed_row(outbox, message) for message in owed])
        return
    for message in owed:
        text = outbox.message(message)
        typer.echo(f"to {message.route}: {text.title}")
        typer.echo("  " + text.body.replace("\n", "\n  "))
    typer.echo("Nothing was sent." if owed else "All has been told.")


def _owed_row(outbox: Outbox, owed: Owed) -> dict[str, Any]:
    message = outbox.message(owed)
    return {
        "route": owed.route,
        "model": owed.incident.model,
        "about": owed.incident.about,
        "incident": owed.incident.key,
        "state": owed.state,
        "title": message.title,
        "body": message.body,
    }


def _deliver(settings: Settings, *, as_json: bool) -> None:
    from pipelines.alerts.opening import describe
    from pipelines.alerts.post import ApprisePost

    post = ApprisePost(settings.alert_timeout_seconds)
    delivery = _outbox(settings).empty(post, datetime.now(UTC))
    if as_json:
        print_json(
            {
                "busy": delivery.is_busy,
                "told": [o.key for o in delivery.told],
                "left": [o.key for o in delivery.left],
                "why": delivery.why,
            }
        )
    else:
        typer.echo("\n".join(describe(delivery)) or "All has been told.")
    if delivery.why:
        raise Unreachable(
            f"Not all was told: {', '.join(delivery.why)} took no message.",
            remedy="try again later; `perennial alert --test --send` tries the routes.",
        )


def _outbox(settings: Settings) -> Outbox:
    from pipelines.alerts.opening import open_outbox

    return open_outbox(settings, ConfiguredPorts(settings).ledger)
