"""`report`: say how a drift run ends.

Green with what came of it, or red where a person must look.
"""

from __future__ import annotations

from pipelines.context import Context
from pipelines.errors import BadData, GiveUp
from pipelines.ledger import Outcome, outcomes
from pipelines.messages import ReportRequest, ReportResult
from pipelines.turns.line import find_decline
from pipelines.verdicts import words

WORDS = 3_000
"""Characters of what is said."""


def run(context: Context, request: ReportRequest) -> ReportResult:
    """Return what came of the window.

    Raises BadData for an alarm, and GiveUp, naming DAG and run, where the retraining that was
    started failed or left no trace.
    """
    model, result, decision = context.spec.name, request.drift, request.decide
    window, reasons = words.window(model, result.window), words.join(result.reasons)
    if result.verdict == "alarm":
        raise BadData(
            f"ALARM: {window}: {reasons}."[:WORDS],
            remedy=(
                "no retraining was started; look at the drift page, mend what is broken and run"
                " drift again for this window."
            ),
        )
    if decision.start:
        return _result(*_explain_retraining(context, request))
    if result.verdict == "drift":
        return _result(
            "held_back",
            f"{window} has drifted ({reasons}), but {decision.why}.",
        )
    return _result(
        "nothing_to_do",
        f"{window}: {words.plain(result.verdict)}: {reasons}.",
    )


def _explain_retraining(context: Context, request: ReportRequest) -> tuple[str, str]:
    """Return what came of the retraining, by the ledger; it knows more than the state of a run."""
    model, run = context.spec.name, request.decide.run_id
    entry = outcomes.find_outcome(context.ports.ledger, model, run)
    state = (request.retrain or {}).get("state", "unknown")
    if entry is None and (decline := find_decline(context.ports.ledger, model, run)) is not None:
        return "held_back", f"The retraining {run} of {model} did not begin: {decline.why}."
    if entry is None or entry.outcome == "failed":
        raise _failure(context, request, entry, state)
    if entry.outcome == "deployed":
        return "deployed", f"The retraining {run} of {model} deployed version {entry.version}."
    champion = context.ports.ledger.champion(model)
    serves = words.what_serves(champion.version if champion else None)
    return (
        "refused",
        f"The retraining {run} of {model} was refused ({words.join(entry.reasons)}); {serves}.",
    )


def _failure(context: Context, request: ReportRequest, entry: Outcome | None, state: str) -> GiveUp:
    model, run = context.spec.name, request.decide.run_id
    champion = context.ports.ledger.champion(model)
    serves = words.what_serves(champion.version if champion else None).capitalize()
    if entry is not None and entry.outcome == "failed":
        what = f"failed: {words.join(entry.reasons) or 'see its log'}"
    elif state == "failed":
        what = "failed: see its log"
    else:
        what = f"left no outcome in the ledger (its state is {state})"
    return GiveUp(
        f"The retraining (DAG retrain_{model}, run {run}) {what}. {serves}."[:WORDS],
        remedy=(
            f"mend the cause, clear the failed tasks of {run} in the DAG retrain_{model}, and when"
            " it has ended clear `await` and this task; a new trigger of this window would find"
            " the same run. See docs/operate.md."
        ),
    )


def _result(outcome: str, text: str) -> ReportResult:
    return ReportResult.model_validate(
        {"outcome": outcome, "said": text if len(text) <= WORDS else text[: WORDS - 1] + "…"}
    )
