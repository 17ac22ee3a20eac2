"""`check`: the first thing to run on a new folder under models/."""

from __future__ import annotations

import sys
import traceback
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.advice import LONGEST, advice
from pipelines.cli.output import AsJson, print_json, print_table
from pipelines.cli.running import CRASH, set_up_logging
from pipelines.cli.snapshots import describe_sides
from pipelines.context import Context
from pipelines.errors import PerennialError, SpecError
from pipelines.intervals import SNAPSHOT, Interval, containing, floor, iso, preceding
from pipelines.ports import ConfiguredPorts
from pipelines.settings import load_settings
from pipelines.spec import load_spec, model_names
from pipelines.watch.window import holdout_too_small

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.settings import Settings
    from pipelines.spec import Spec


@dataclass
class ModelFinding:
    """What one check of one model found."""

    model: str
    check: str
    ok: bool
    detail: str


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(check)


def check(
    model: Annotated[
        str | None, typer.Argument(help="The model; all models when left out.")
    ] = None,
    *,
    at: Annotated[
        str | None,
        typer.Option(help="A moment within the batch to try (default: the newest complete one)."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a model's folder.

    Its spec, its source, its expectations and its features, on one real batch. Nothing is kept.

    Exit code 0 when all is well, 65 when something must be mended, 75 when a source did not answer.
    """
    settings = load_settings()
    set_up_logging("ERROR")
    findings: list[ModelFinding] = []
    code = 0
    for name in [model] if model else model_names(settings.models):
        code = max(code, _check_model(settings, name, at, findings))
    if as_json:
        print_json([asdict(f) for f in findings])
    else:
        print_table(
            "Check",
            ["model", "check", "", "detail"],
            [[f.model, f.check, "ok" if f.ok else "WRONG", f.detail] for f in findings],
        )
    raise typer.Exit(code)


def _check_model(
    settings: Settings, name: str, at: str | None, findings: list[ModelFinding]
) -> int:
    """Run the checks in order until one fails; later ones need the earlier ones."""
    state: dict[str, Any] = {}
    checks: list[tuple[str, Callable[[], str]]] = [
        ("spec", lambda: _spec(settings, name, state)),
        ("candidates", lambda: _candidates(state)),
        ("source", lambda: _source(at, state)),
        ("expectations", lambda: _expectations(settings, state)),
        ("features", lambda: _features(state)),
    ]
    for title, run in checks:
        try:
            findings.append(ModelFinding(name, title, ok=True, detail=run()))
        except PerennialError as error:
            findings.append(ModelFinding(name, title, ok=False, detail=str(error)))
            return error.exit_code
        # What a library raises on one model's data must not hide the other findings.
        except Exception as error:  # noqa: BLE001
            traceback.print_exception(error, file=sys.stderr)
            findings.append(
                ModelFinding(
                    name, title, ok=False, detail=f"crashed: {type(error).__name__}: {error}"
                )
            )
            return CRASH
    return 0


def _spec(settings: Settings, name: str, state: dict[str, Any]) -> str:
    spec = load_spec(settings.models, name)
    state["context"] = Context(spec=spec, settings=settings, ports=ConfiguredPorts(settings))
    text = f"{spec.task}, {len(spec.candidates)} candidates, {len(spec.features.inputs)} inputs"
    return "; ".join([text, *(f"WARNING: {warning}" for warning in advice(spec))])


def _candidates(state: dict[str, Any]) -> str:
    from pipelines.training.estimators import check_parameters

    spec: Spec = state["context"].spec
    for candidate in spec.candidates:
        check_parameters(candidate)
    return ", ".join(c.name for c in spec.candidates)


def _source(at: str | None, state: dict[str, Any]) -> str:
    from pipelines.data.feature_rows import read_raw

    context: Context = state["context"]
    interval = _interval(context.spec, at)
    raws = read_raw(context, interval)
    state |= {"interval": interval, "raws": raws}
    rows = {n: t.num_rows for n, t in raws[-1].tables.items()}
    batch = "the snapshot: " if interval == SNAPSHOT else f"batch {interval.name}: "
    return batch + ", ".join(f"{n} {c} rows" for n, c in rows.items())


def _interval(spec: Spec, at: str | None) -> Interval:
    from datetime import UTC, datetime

    if spec.is_snapshot:
        if at is not None:
            raise SpecError(
                f"--at {at!r}: the data of {spec.name} have no time; the source is read whole.",
                remedy="leave --at out.",
            )
        return SNAPSHOT
    timing = spec.timing
    if at is not None:
        try:
            moment = datetime.fromisoformat(at)
        except ValueError as error:
            raise SpecError(
                f"--at {at!r} is no date.", remedy="write 2013-03-15 or 2013-03-15T00:00:00Z."
            ) from error
        return containing(moment, timing.batch)
    now = datetime.now(UTC)
    until = min(now, timing.until) if timing.until else now
    newest = preceding(containing(until, timing.batch), timing.batch)
    if newest.start < floor(timing.first, timing.batch):
        raise SpecError(
            f"No batch is complete yet: data begin at {iso(timing.first)}.",
            remedy="wait, or mend `source.first`.",
        )
    return newest


def _expectations(settings: Settings, state: dict[str, Any]) -> str:
    from pipelines.tables import columns_of
    from pipelines.validation.run import check_table
    from pipelines.validation.suites import always_main, always_side, read_suite, without_rows

    context: Context = state["context"]
    spec, reasons, count = context.spec, [], 0
    for name, table in state["raws"][-1].tables.items():
        suite = read_suite(context.suites[name]) if name in context.suites else []
        columns = columns_of(table)
        main = name == spec.source.main
        always = (
            always_main(spec, state["interval"], columns, suite)
            if main
            else always_side(spec, name, columns, suite)
        )
        expectations = (
            [*always, *suite]
            if table.num_rows or spec.empty_batches == "refuse"
            else without_rows([*always, *suite])
        )
        results = check_table(name, table, expectations, str(context.suites.get(name, name)))
        count += len(results)
        reasons += [f"{f.table}: {f.expectation}: {f.observed}" for f in results if f.critical]
    if reasons:
        raise SpecError(
            f"The batch breaks {len(reasons)} critical expectations: " + " | ".join(reasons[:5]),
            remedy=f"mend the data, or the suites in {settings.expectations.name}/.",
        )
    return f"{count} expectations met"


def _features(state: dict[str, Any]) -> str:
    from pipelines.data.feature_rows import build_from
    from pipelines.training.float32 import merged_inputs

    context: Context = state["context"]
    table = build_from(context, state["raws"], state["interval"])
    target = context.spec.target.column
    count_with_label = table.num_rows - table.column(target).null_count
    text = (
        f"{table.num_rows} rows, {len(context.spec.features.inputs)} inputs, {count_with_label}"
        f" with a known {target}"
    )
    merge_warning = merged_inputs(table, context.spec.features.inputs)
    if context.spec.is_snapshot:
        text = "; ".join([text, *describe_sides(context.spec, table)])
        return "; WARNING: ".join(filter(None, [text, merge_warning]))
    few = holdout_too_small(context.spec, count_with_label, LONGEST[context.spec.timing.batch])
    return "; WARNING: ".join(filter(None, [text, few, merge_warning]))
