"""Judge the best candidate.

Register it, compare it with the champion on the same held-out rows, and write the verdict down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pipelines import run_ending
from pipelines.cards.explanations import what_it_looks_at
from pipelines.cards.publish import publish_first_card
from pipelines.comparison.publish import publish_run_comparison
from pipelines.context import Context
from pipelines.deployment import orders
from pipelines.errors import Corrupted, GiveUp
from pipelines.judging.challenger import choose_challenger, log_candidates
from pipelines.judging.measuring import measure_challenger
from pipelines.judging.trial_server import running_server
from pipelines.judging.window import choose_window
from pipelines.ledger import GateVerdict
from pipelines.messages import (
    FINDINGS_SUFFIX,
    GateRequest,
    GateResult,
    JudgedInputs,
    TrainResult,
    VerdictFindings,
)
from pipelines.recipes import keep_recipe
from pipelines.refs import canonical
from pipelines.science.gate.verdict import judge
from pipelines.store.pages import publish_page
from pipelines.verdicts import page
from pipelines.verdicts.words import join

if TYPE_CHECKING:
    from pipelines.judging.trial_server import Servers
    from pipelines.ledger import Champion, MadeFrom
    from pipelines.messages import CheckFindings
    from pipelines.refs import Ref
    from pipelines.science.gate.facts import GateFacts
    from pipelines.science.gate.verdict import Verdict
    from pipelines.spec import Spec


def run(context: Context, request: GateRequest, servers: Servers = running_server) -> GateResult:
    """Return the verdict of this run; a retry finds the one in the ledger and changes nothing.

    The challenger is chosen by cross-validation, so that the held-out rows have chosen nothing. A
    champion that cannot answer is an incident; only a service that is away is an error (and may be
    retried). `servers` gives the real server in which a challenger is asked, where the spec wants
    that.
    """
    spec, ledger = context.spec, context.ports.ledger
    entry = ledger.find(spec.name, "verdict", request.run)
    if entry is None:
        _reconcile(context)
        result = _judge_challenger(context, request, ledger.champion(spec.name), servers)
        entry = ledger.append(spec.name, request.run, _verdict_of(context, request, result))
    result = entry.read(GateVerdict).part(GateResult)
    log_candidates(context, request.train, result)
    _publish(context, request, result)
    _tag_runs(context, request, result)
    run_ending.amend(context, request.run, result)
    found = publish_run_comparison(context, request.features, request.train, result, request.run)
    if publish_first_card(context, result, request.run, found):
        _publish(context, request, result)  # once more, with what the version looks at
    return result


def _reconcile(context: Context) -> None:
    """Take back now what an earlier run left half deployed: this run may be refused, and then no
    `deploy` would do it.
    """
    try:
        orders.reconcile(context)
    except GiveUp as error:
        # A champion that cannot serve must not keep its successor from being judged.
        context.log.warning("the champion could not be reconciled: %s", error)


def _judge_challenger(
    context: Context, request: GateRequest, champion: Champion | None, servers: Servers
) -> GateResult:
    """Choose the challenger, measure it, judge it and register it, whatever the verdict."""
    spec = context.spec
    best, choice = choose_challenger(context, request.train)
    facts = measure_challenger(context, request, best, champion, servers=servers)
    verdict = judge(facts, spec.gate, spec.own_metrics)
    if best is None:
        return _result(spec, verdict, facts, champion, None, version="")
    version = _register(context, request, best, verdict)
    findings = _keep_findings(context, verdict)
    result = _result(spec, verdict, facts, champion, best, version=version, findings=findings)
    window = choose_window(context, request.features, best)
    return result.model_copy(update={"choice": choice, **({"window": window} if window else {})})


def _keep_findings(context: Context, verdict: Verdict) -> Ref | None:
    """Put what the checks looked at part by part into the store; None where there is nothing."""
    if not verdict.findings:
        return None
    found = VerdictFindings(checks=verdict.findings)
    return context.ports.store.put(canonical(found.model_dump(mode="json")), FINDINGS_SUFFIX)


def _register(context: Context, request: GateRequest, best: TrainResult, verdict: Verdict) -> str:
    """Register the challenger as a model version and return its number."""
    tags = {
        "verdict": _word_of(verdict),
        "candidate": best.candidate,
        "features_revision": request.features.version.revision,
        f"cv_{context.spec.train.metric}": f"{best.cv_score:.6g}",
        "run": request.run,
        **({"threshold": f"{best.threshold.value:g}"} if best.threshold else {}),
        "code_sha256": context.code,
        **context.environment_tags,
        **context.metrics_tags,
    }
    store = context.ports.store
    registered = context.ports.registry.register(
        context.spec.name,
        best.run_id,
        request.run,
        store.path(best.model),
        tags,
        code=store.path(best.code) if best.code else None,
    )
    return registered.version


def _result(
    spec: Spec,
    verdict: Verdict,
    facts: GateFacts,
    champion: Champion | None,
    best: TrainResult | None,
    *,
    version: str,
    findings: Ref | None = None,
) -> GateResult:
    units = {name: spec.unit_of(name) for name in spec.own_metrics}
    return GateResult(
        verdict=_word_of(verdict),
        reasons=verdict.reasons,
        checks=verdict.checks,
        candidate=facts.name,
        run_id=best.run_id if best else "",
        version=version,
        metrics=dict(facts.metrics),
        champion=champion.version if champion else None,
        incident=facts.opponent.incident,
        # Only where there are any: other verdicts are written as they ever were.
        **({"threshold": best.threshold} if best and best.threshold else {}),
        **({"sampled": best.sampled} if best and best.sampled else {}),
        **({"units": units} if units else {}),
        **({"findings": findings} if findings else {}),
        **({"judged_by": verdict.judged_by} if verdict.judged_by else {}),
    )


def _word_of(verdict: Verdict) -> Literal["promote", "refuse"]:
    return "promote" if verdict.is_promoted else "refuse"


def _verdict_of(context: Context, request: GateRequest, result: GateResult) -> GateVerdict:
    """Return the ledger's entry of a result."""
    features = request.features
    return GateVerdict(
        **result.model_dump(exclude_unset=True),
        features_revision=features.version.revision,
        as_of=features.as_of,
        started_because=features.reason,
        **({"environment": context.environment.sha256} if context.environment else {}),
        **_made_from(context, request, result),
        **_kept_for_override(context, request, result),
    )


def _made_from(context: Context, request: GateRequest, result: GateResult) -> dict[str, MadeFrom]:
    """Return what the verdict says of how its challenger can be made again; nothing without one."""
    if not result.version:
        return {}
    return {"made_from": keep_recipe(context, request, result.candidate)}


def _kept_for_override(
    context: Context, request: GateRequest, result: GateResult
) -> dict[str, Ref]:
    """Return, as a field of the entry, what a version is packaged from that a person may yet
    promote: one that is refused, by the gate or by whoever is asked.
    """
    if not result.version or (result.verdict == "promote" and not context.spec.gate.asks):
        return {}
    train = [t for t in request.train if t.candidate == result.candidate]
    inputs = JudgedInputs(features=request.features, train=train)
    data = canonical(inputs.model_dump(mode="json"))
    return {"built_from": context.ports.store.put(data, ".json")}


def _read_findings(context: Context, result: GateResult) -> list[CheckFindings]:
    """Return what the checks looked at part by part; nothing where that is no longer there, as
    after an erasure of a person whom it named.
    """
    if result.findings is None:
        return []
    try:
        data = context.ports.store.get(result.findings)
    except Corrupted as error:
        context.log.warning("what the checks looked at part by part is not shown: %s", error)
        return []
    return VerdictFindings.model_validate_json(data).checks


def _publish(context: Context, request: GateRequest, result: GateResult) -> None:
    """Publish the verdict's page."""
    spec, features = context.spec, request.features
    text = page.render(
        spec.name,
        request.run,
        result,
        request.train,
        metric=spec.train.metric,
        as_of=features.as_of,
        because=features.reason,
        details=page.Details(
            findings=_read_findings(context, result),
            looks_at=what_it_looks_at(context.ports.store, spec.name, request.run, result.version),
        ),
    )
    publish_page(
        context.ports.store, model=spec.name, kind="verdict", run=request.run, page=text.encode()
    )


def _tag_runs(context: Context, request: GateRequest, result: GateResult) -> None:
    """Name the verdict at the run in the registry, and at the challenger's own."""
    tags = {
        "verdict": result.verdict,
        "reasons": join(result.reasons),
        "challenger": result.candidate,
        "version": result.version,
    }
    tags |= {"incident": result.incident} if result.incident else {}
    tags |= {"chosen_by": f"cv_{context.spec.train.metric}"} if result.candidate else {}
    tags |= {"choice": result.choice} if result.choice else {}
    ways = [f"{check.name}: {check.would_pass}" for check in result.checks if check.would_pass]
    tags |= {"would_pass": join(ways)} if ways else {}
    for run_id in filter(None, (request.features.parent_run, result.run_id)):
        context.ports.registry.log(run_id, params={}, metrics={}, tags=tags)
