"""`check`: the first thing to run on a new folder under models/."""

from __future__ import annotations

import sys
import traceback
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.check_spark import list_unjudged, say_build, say_unjudged
from pipelines.cli.output import AsJson, print_json, print_table
from pipelines.cli.running import CRASH, set_up_logging
from pipelines.context import Context
from pipelines.errors import BadData, PerennialError, SpecError
from pipelines.intervals import SNAPSHOT, Interval, containing, floor, iso, preceding
from pipelines.plurals import how_many
from pipelines.ports import ConfiguredPorts
from pipelines.settings import load_settings
from pipelines.spec import load_spec, model_names
from pipelines.spec.load import place_of
from pipelines.watch.window import holdout_too_small, too_few_to_judge

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.data.sample import Sample
    from pipelines.settings import Settings
    from pipelines.spec import Spec
    from pipelines.training.rehearsal import Rehearsal


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
    accept: Annotated[
        bool,
        typer.Option(
            "--accept",
            help="Take the types that the source holds now into the model's schema.yaml.",
        ),
    ] = False,
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
    if accept and model is None:
        raise SpecError("--accept needs the model's name.", remedy="perennial check NAME --accept")
    for name in [model] if model else model_names(settings.models):
        code = max(code, _check_model(settings, name, at, findings, accept=accept))
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
    settings: Settings, name: str, at: str | None, findings: list[ModelFinding], *, accept: bool
) -> int:
    """Run the checks in order until one fails; later ones need the earlier ones."""
    state: dict[str, Any] = {}
    checks: list[tuple[str, Callable[[], str]]] = [
        ("spec", lambda: _spec(settings, name, state)),
        ("packages", lambda: _packages(state)),
        ("candidates", lambda: _candidates(state)),
        ("schema", lambda: _schema(state, accept=accept)),
        ("source", lambda: _source(at, state)),
        ("expectations", lambda: _expectations(settings, state)),
        ("features", lambda: _features(state)),
        ("spark", lambda: say_build(state)),
        ("training", lambda: _training(state)),
    ]
    for title, run in checks:
        try:
            detail = run()
            if detail:
                findings.append(ModelFinding(name, title, ok=True, detail=detail))
        except PerennialError as error:
            words = _with_line(settings, name, error)
            findings.append(ModelFinding(name, title, ok=False, detail=words))
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


def _with_line(settings: Settings, name: str, error: PerennialError) -> str:
    """Return what an error says, after the line of model.yaml that it is about, where it is one."""
    if not error.at:
        return str(error)
    place = place_of(settings.models, name, error.at)
    text = str(error)
    for length in range(len(error.at), 0, -1):
        field = ".".join(map(str, error.at[:length]))
        text = text.removeprefix(f"{field}: ")
        if text.startswith(f"{field} (") and place.endswith(field):
            # the message says in which file, behind the same field
            return place + text.removeprefix(field)
    return f"{place}: {text}"


def _spec(settings: Settings, name: str, state: dict[str, Any]) -> str:
    from pipelines.cli.advice import advice

    spec = load_spec(settings.models, name)
    state["context"] = Context(spec=spec, settings=settings, ports=ConfiguredPorts(settings))
    text = f"{spec.task}, {how_many(len(spec.candidates), 'candidate')},"
    text += f" {how_many(len(spec.inputs), 'input')}"
    return "; ".join([text, *(f"WARNING: {warning}" for warning in advice(spec))])


def _packages(state: dict[str, Any]) -> str:
    """Have what the model requires at hand; nothing where it requires nothing."""
    from pipelines.environments.lock import base_lock, packages
    from pipelines.environments.ready import read_lock

    context: Context = state["context"]
    if context.environment is None:
        return ""
    lock = packages(read_lock(context.environment, context.ports.store))
    beside = [f"{n} {v}" for n, v in lock.items() if n not in base_lock()[1]]
    folders = ", ".join(context.paths) or "all in the lock"
    return f"{', '.join(beside)}; environment {context.environment.sha256[:12]} ({folders})"


def _candidates(state: dict[str, Any]) -> str:
    from pipelines.training.estimators import check_parameters
    from pipelines.training.own.process import own_code_of

    context: Context = state["context"]
    spec = context.spec
    with own_code_of(context) as own:
        for candidate in spec.candidates:
            check_parameters(candidate)
            if own is not None and candidate.fenced and not candidate.pipeline:
                own.check(candidate)  # its class is where the required packages are
    return ", ".join(c.name for c in spec.candidates)


def _schema(state: dict[str, Any], *, accept: bool) -> str:
    from pipelines.spec.schema import load_schema

    context: Context = state["context"]
    if accept:
        from pipelines.data.accepting import accept_schema

        changes = accept_schema(context)
        return "; ".join(changes) or "nothing has changed"
    schema = load_schema(context.folder)
    if schema is None:
        name = context.spec.name
        return (
            "no schema.yaml: each batch's own values decide its types; fix them by perennial check"
            f" {name} --accept"
        )
    return ", ".join(
        f"{table} {how_many(len(columns), 'column')}" for table, columns in schema.tables.items()
    )


def _source(at: str | None, state: dict[str, Any]) -> str:
    from pipelines.data.feature_rows import read_raw
    from pipelines.sources import open_source

    context: Context = state["context"]
    interval = _interval(context.spec, at)
    source = open_source(context.spec, context.settings, paths=context.paths)
    raws = read_raw(context, interval, source)
    state |= {"interval": interval, "raws": raws, "source": source}
    rows = {n: t.num_rows for n, t in raws[-1].tables.items()}
    batch = "the snapshot: " if interval == SNAPSHOT else f"batch {interval.name}: "
    text = batch + ", ".join(f"{n} {c} rows" for n, c in rows.items())
    return "; WARNING: ".join([text, *raws[-1].notices])


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
    unjudged: list[str] = []
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
        unjudged += say_unjudged(context, table, expectations)
        count += len(results)
        reasons += [f"{f.table}: {f.expectation}: {f.observed}" for f in results if f.critical]
    if reasons:
        raise SpecError(
            f"The batch breaks {how_many(len(reasons), 'critical expectation')}: "
            + " | ".join(reasons[:5]),
            remedy=f"mend the data, or the suites in {settings.expectations.name}/.",
        )
    met = f"{how_many(count, 'expectation')} met"
    return "; WARNING: ".join(filter(None, [met, list_unjudged(unjudged)]))


def _features(state: dict[str, Any]) -> str:
    from pipelines.cli.snapshots import describe_sides
    from pipelines.data.feature_rows import build_from
    from pipelines.data.labelled_rows import has_label, is_there
    from pipelines.training.float32 import merged_inputs
    from pipelines.watch.unique_texts import warn_of_unique_texts

    context: Context = state["context"]
    table = build_from(context, state["raws"], state["interval"])
    state["table"] = table
    state["labels"] = int(has_label(table, context.spec).sum())
    text = f"{table.num_rows} rows, {len(context.spec.inputs)} inputs"
    if context.spec.has_target:
        known = int(is_there(table[context.spec.target.column]).sum())
        text += f", {known} with a known {context.spec.target.column}"
    merge_warning = merged_inputs(table, context.spec.inputs)
    if context.spec.is_snapshot:
        text = "; ".join([text, *describe_sides(context.spec, table)])
    unique = warn_of_unique_texts(context.spec, table)
    return "; WARNING: ".join(filter(None, [text, merge_warning, unique]))


def _training(state: dict[str, Any]) -> str:
    """Do what `train` would do on a sample: refuse what it would refuse."""
    from pipelines.cli.advice import LONGEST
    from pipelines.data.feature_rows import intervals_behind
    from pipelines.data.sample import read_sample, sample_of_snapshot
    from pipelines.steps.ingest import intervals_for
    from pipelines.training.own.process import own_code_of
    from pipelines.training.rehearsal import rehearse
    from pipelines.training.threads import limit_threads

    context: Context = state["context"]
    spec, newest = context.spec, state["interval"]
    if spec.is_snapshot:
        with limit_threads(context.settings.threads), own_code_of(context) as own:
            sample = sample_of_snapshot(spec, state["table"])
            found = rehearse(context, sample, own)
            return _rehearse_training(spec, sample, found, "the snapshot", "")
    learn, judge, _ = intervals_for(spec, newest.end)
    raws = dict(zip(intervals_behind(spec, newest), state["raws"], strict=True))
    with limit_threads(context.settings.threads), own_code_of(context) as own:
        sample = read_sample(context, learn, judge, raws, state["source"])
        few = ""
        if sample.held_out is None:
            few = holdout_too_small(spec, state["labels"], LONGEST[spec.timing.batch])
        elif words := too_few_to_judge(
            spec, sample.held_out, len(learn) + len(judge), sample.counts.waiting
        ):
            raise BadData(f"{words}.", at=("gate", "min_rows"))
        found = rehearse(context, sample, own)
    return _rehearse_training(spec, sample, found, how_many(sample.batches, "batch"), few)


def _rehearse_training(spec: Spec, sample: Sample, found: Rehearsal, whose: str, few: str) -> str:
    text = f"{how_many(found.fits, 'small fit')} on {how_many(sample.rows, 'row')} of {whose}"
    text += f" ({how_many(found.skipped, 'setting')} not tried: no time)" if found.skipped else ""
    labels = sample.counts.in_words(spec)
    return "; WARNING: ".join(
        filter(None, [", ".join(filter(None, [text, labels])), few, *found.warnings])
    )
