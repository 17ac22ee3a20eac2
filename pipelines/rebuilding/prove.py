"""`prove`: build the champion again, write down how it came out, and fail where it differs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from pipelines.errors import NotReproduced, RequestError
from pipelines.ledger.outcomes import append_changed
from pipelines.messages import ProveRequest, ProveResult
from pipelines.plain_errors import in_one_line, problems
from pipelines.rebuilding import page
from pipelines.rebuilding.rebuild import NotRecorded, rebuild
from pipelines.store.pages import publish_page
from pipelines.trigger_conf import ProveConf
from pipelines.verdicts.words import join

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.rebuilding.outcome import Rebuild


def run(context: Context, request: ProveRequest) -> ProveResult:
    """Return that the version came out equal, or why nothing was built.

    A run that is cleared builds again, and the ledger keeps what turned out otherwise.

    Raises NotReproduced where it came out otherwise, once the ledger says so; RequestError where
    there is no such version.
    """
    version = _conf(request).version or _champion(context)
    if version is None:
        return _skipped("", "no version serves yet.")
    try:
        found = rebuild(context, version)
    except NotRecorded as error:
        return _skipped(version, str(error))
    for line in (*found.causes, *found.notes):
        context.log.info("%s", line)
    publish_page(
        context.ports.store,
        model=found.model,
        kind="proof",
        run=request.run,
        page=page.render(request.run, found).encode(),
    )
    record(context, request.run, found)
    if found.differences:
        raise NotReproduced(
            f"{found.words[0].upper()}{found.words[1:]}.",
            remedy=f"not as it was: {join(found.causes) or 'nothing that is known'}. What serves"
            f" serves on. The run's page shows all differences, and `perennial rebuild"
            f" {found.model} {version}` the rows.",
        )
    return ProveResult(
        verdict="equal", version=version, why="", checks=len(found.checks), rows=found.rows
    )


def record(context: Context, run: str, found: Rebuild) -> None:
    """Enter into the ledger how a rebuild came out, once for each outcome of a run."""
    append_changed(context.ports.ledger, context.spec.name, run, found.proof())


def _champion(context: Context) -> str | None:
    champion = context.ports.ledger.champion(context.spec.name)
    return champion.version if champion else None


def _skipped(version: str, why: str) -> ProveResult:
    return ProveResult(verdict="skipped", version=version, why=why, checks=0, rows=0)


def _conf(request: ProveRequest) -> ProveConf:
    try:
        return ProveConf.model_validate(request.conf)
    except ValidationError as error:
        faults = in_one_line(problems(error, request.conf, ProveConf))
        raise RequestError(
            f"The run's conf is wrong: {faults}", remedy="see docs/rebuild.md."
        ) from error
