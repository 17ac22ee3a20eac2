"""Deploy a bundle: verify it, release it, wait for the server's word, then make it the champion; or go back.

The order is: intent into the ledger, release into the store, the server's answer, the crown (compare-and-set), the alias.
Cut off anywhere, a retry of this run goes on where it stopped, and the next run or `reconcile` takes back what nobody finished.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.bundle.load import golden_differences, open_bundle
from pipelines.errors import Conflict, Refused, RequestError, Unreachable
from pipelines.steps import releases
from pipelines.steps.context import Context
from pipelines.steps.serving_client import Server, ServingClient
from pipelines.steps.values import Deployed, DeployRequest

if TYPE_CHECKING:
    from pipelines.bundle.manifest import Release
    from pipelines.ledger import Entry
    from pipelines.steps.serving_client import Serves

STEP = "deploy"
Request = DeployRequest


def reconcile(context: Context) -> list[str]:
    """Make what serves and the registry's alias follow the ledger's champion; return in words what had to be done."""
    return releases.reconcile(context)


def run(context: Context, request: DeployRequest, server: Server | None = None) -> Deployed:
    """Return what serves now, once per run.

    Raises Refused with the difference when the bundle does not answer as packaged or the server will not take it (the old
    release is back then), Conflict when somebody else became champion meanwhile, Unreachable while the server is away.
    """
    spec, ledger = context.spec, context.ports.ledger
    _refuse_nonsense(context, request)
    crowned = ledger.find(spec.name, "champion", request.run)
    if crowned is None:
        releases.reconcile(context, under_way=request.run)
        _refuse_again(context, request)
        _verify(context, request)
        release = _released(context, request)
        _wait(context, request, release, server or ServingClient(context.settings.serving))
        crowned = _crowned(context, request, release)
    number, version = int(crowned.body["release"]), str(crowned.body["version"])
    _point(context, version)
    releases.reconcile(context)
    tags = {"release": str(number), "served_version": version}
    context.ports.registry.log(request.gate.run_id, params={}, metrics={}, tags=tags)
    context.log.info("%s: version %s serves as release %d (before: %s)", spec.name, version, number, request.gate.champion or "nothing")
    return Deployed(release=number, version=version, previous=request.gate.champion)


def _point(context: Context, version: str) -> None:
    """Let the alias follow the crown, unless this is a late retry and somebody else is champion by now."""
    champion = context.ports.ledger.champion(context.spec.name)
    if champion is not None and champion.version == version:
        context.ports.registry.point(context.spec.name, version)


def _refuse_nonsense(context: Context, request: DeployRequest) -> None:
    if request.gate.verdict != "promote" or request.gate.version != request.package.version:
        raise RequestError(
            f"Version {request.package.version} of {context.spec.name} was not promoted: the verdict on {request.gate.version or '-'} is "
            f"{request.gate.verdict}."
        )


def _refuse_again(context: Context, request: DeployRequest) -> None:
    """Raise what an earlier try of this run was told already; the champion is back by then (see `reconcile`)."""
    entry = context.ports.ledger.find(context.spec.name, "release_refused", request.run)
    if entry is not None:
        releases.reconcile(context)
        raise Refused(str(entry.body["difference"]), remedy=_REMEDY)


_REMEDY = "the release before it serves on; look at the bundle, then retrain."


def _verify(context: Context, request: DeployRequest) -> None:
    """Open the bundle and let it answer its golden requests before anything is touched."""
    bundle = open_bundle(context.ports.store, request.package.bundle)
    manifest = bundle.manifest
    if (manifest.model, manifest.version) != (context.spec.name, request.package.version):
        raise Refused(
            f"The bundle is of {manifest.model} {manifest.version}, not of {context.spec.name} {request.package.version}.", remedy=_REMEDY
        )
    differences = golden_differences(bundle)
    if differences:
        raise Refused(f"The bundle of {manifest.model} {manifest.version} does not answer as packaged: {differences[0]}.", remedy=_REMEDY)


def _released(context: Context, request: DeployRequest) -> Release:
    """Publish this run's release, unless the champion is not the one any more that the challenger was judged against."""
    _refuse_overtaken(context, request)
    return releases.published(
        context,
        kind="release",
        key=request.run,
        version=request.package.version,
        bundle=request.package.bundle,
        reason=f"promoted by {request.run}",
    )


def _refuse_overtaken(context: Context, request: DeployRequest) -> None:
    champion = context.ports.ledger.champion(context.spec.name)
    if (champion.version if champion else None) != request.gate.champion:
        releases.reconcile(context)
        raise Conflict(
            f"Version {request.package.version} was judged against {request.gate.champion or 'nothing'}, but "
            f"{champion.version if champion else 'nothing'} is the champion now.",
            remedy="start a new retrain run, which judges against the present champion.",
        )


def _wait(context: Context, request: DeployRequest, release: Release, server: Server) -> None:
    """Wait until the server serves the release. Raises Refused, Conflict (a newer release took over) or Unreachable."""
    import tenacity

    settings = context.settings
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_delay(settings.deploy_timeout_seconds),
        wait=tenacity.wait_fixed(min(settings.serving_poll_seconds, 1.0)),
        retry=tenacity.retry_if_exception_type(Unreachable),
        reraise=True,
    )
    retrying(lambda: _taken(context, request, release, server.serves(context.spec.name)))


def _taken(context: Context, request: DeployRequest, release: Release, says: Serves) -> None:
    if says.refused is not None and says.refused.release == release.number:
        _take_back(context, request, release, says.refused.reason)
    if says.release is not None and says.release >= release.number:
        if says.version == release.version:
            return
        releases.reconcile(context)
        raise Conflict(
            f"Release {says.release} with version {says.version} took over from release {release.number}.", remedy="start a new run."
        )
    raise Unreachable(
        f"The server has not taken release {release.number} of {release.model} yet (it serves {says.release or 'nothing'}).",
        remedy="look at the server's log; the retry finds this release again.",
    )


def _take_back(context: Context, request: DeployRequest, release: Release, difference: str) -> None:
    """Write the refusal down and let the champion, where there is one, serve again. Always raises Refused."""
    words = f"The server refused release {release.number} of {release.model} ({release.version}): {difference}"
    body = {"number": release.number, "version": release.version, "difference": words[:2_000]}
    context.ports.ledger.append(release.model, "release_refused", request.run, body)
    releases.reconcile(context)
    raise Refused(words, remedy=_REMEDY)


def _crowned(context: Context, request: DeployRequest, release: Release) -> Entry:
    champion = {"version": release.version, "bundle": release.bundle.model_dump(mode="json"), "release": release.number}
    try:
        return context.ports.ledger.crown(release.model, expected=request.gate.champion, champion=champion, key=request.run)
    except Conflict:
        releases.reconcile(context)
        raise
