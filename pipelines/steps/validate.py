"""`validate`: hold every batch of the plan against its expectations, and quarantine what breaks a
critical one.

Great Expectations' own `success` ignores severity, so the severities are judged here. A broken
batch ends the run; its bad rows, with the expectations that each broke, are kept. Earlier versions
and the champion are untouched.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import Field

from pipelines.data.batches import read_manifest, read_plan, read_table
from pipelines.data.manifests import BatchManifest, BatchRef, TableRef
from pipelines.data.type_differences import type_findings
from pipelines.engine import engine_of, work_folder
from pipelines.errors import BadData
from pipelines.incidents import note_quarantine
from pipelines.intervals import iso
from pipelines.ledger import Quarantine, Validation, record_step
from pipelines.messages import ValidateRequest, ValidateResult
from pipelines.refs import Ref, Value, canonical, digest, sha256
from pipelines.run_names import watch_run
from pipelines.spark.place import spark_of
from pipelines.spark.session import end_sessions
from pipelines.store.pages import publish_page
from pipelines.store.results import once
from pipelines.tables import from_parquet, rows_at, to_parquet
from pipelines.validation.large import check_file, rows_of_file
from pipelines.validation.on_spark import check_on_spark
from pipelines.validation.page import render
from pipelines.validation.results import MOST_POSITIONS, ExpectationResult
from pipelines.validation.run import TableRows, check_table
from pipelines.validation.suites import always_main, always_side, read_suite, without_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.context import Context


VALIDATION_FORMAT = 3
SHOWN_ROWS = 50
MAX_WARNINGS = 12
_VALUE_BYTES = 32
"""Bytes of memory that a value takes while its table is judged in memory, as a rule."""


class TableFindings(Value):
    """What was found on one table."""

    findings: list[ExpectationResult]


class BatchFindings(Value):
    """What was found on one batch.

    `bad` holds, by table, a Parquet of every bad row with the expectations it broke.
    """

    rows: int
    problem: str | None
    findings: list[ExpectationResult]
    bad: dict[str, Ref]
    notices: list[str] = Field(default_factory=list)

    def with_findings(self, findings: list[ExpectationResult]) -> BatchFindings:
        """Return what was found with what only a look at the other batches can tell."""
        return (
            self.model_copy(update={"findings": [*self.findings, *findings]}) if findings else self
        )

    @property
    def critical(self) -> list[str]:
        """The reasons for quarantine, in words."""
        broken = [f"{f.table}: {f.expectation}: {f.observed}" for f in self.findings if f.critical]
        return [self.problem, *broken] if self.problem else broken

    @property
    def warnings(self) -> list[str]:
        """What is worth a look, in words."""
        return [
            *self.notices,
            *(
                f"{f.table}: {f.expectation}: {f.observed}"
                for f in self.findings
                if not f.success and not f.critical
            ),
        ]


def run(context: Context, request: ValidateRequest) -> ValidateResult:
    """Validate every batch of the plan. Raises BadData naming each broken batch and its reasons."""
    store = context.ports.store
    plan = read_plan(store, request.ingest.plan)
    suites = {table: read_suite(path) for table, path in context.suites.items()}
    odd = type_findings(store, context.spec, plan)
    try:
        results = [
            (
                batch,
                findings_of(context, batch, suites, force=request.ingest.force).with_findings(
                    odd.get(batch.interval.name, [])
                ),
            )
            for batch in plan.batches
        ]
    finally:
        end_sessions()  # a session holds the cluster's workers, which the next step needs
    title = f"Validation of {plan.model} as of {iso(plan.as_of)}"
    html = render(title, [_page_batch(context, b, f) for b, f in results]).encode()
    run = watch_run(request.run) if request.ingest.window else request.run
    page = publish_page(store, model=plan.model, kind="validation", run=run, page=html)
    for batch, findings in results:
        state = "QUARANTINE" if findings.critical else "accepted"
        context.log.info(
            "batch %s: %d rows, %s, %d warnings",
            batch.interval.name,
            findings.rows,
            state,
            len(findings.warnings),
        )
    critical = [(b, f) for b, f in results if f.critical]
    if critical:
        raise _quarantine(context, critical, page)
    warnings = [f"{b.interval.name}: {w}" for b, f in results for w in f.warnings]
    for warning in warnings:
        context.log.warning("%s", warning)
    subject = [w[:200] for w in warnings[:MAX_WARNINGS]] + (
        [f"… and {len(warnings) - MAX_WARNINGS} more"] if len(warnings) > MAX_WARNINGS else []
    )
    count = sum(len(f.findings) for _, f in results)
    rows = sum(f.rows for _, f in results)
    entry = Validation(
        run=request.run,
        plan=request.ingest.plan,
        batches=len(results),
        rows=rows,
        expectations=count,
        warnings=len(warnings),
        suites={table: sha256(path.read_bytes()) for table, path in context.suites.items()},
    )
    record_step(context.ports.ledger, plan.model, entry)
    return ValidateResult(
        batches=len(results),
        rows=rows,
        expectations=count,
        warnings=subject,
        page=page,
    )


def findings_of(
    context: Context,
    batch: BatchRef,
    suites: dict[str, list[dict[str, Any]]],
    *,
    force: bool = False,
) -> BatchFindings:
    """Return what is found on one batch by itself: judged once, and anew with `force`."""
    spec, store = context.spec, context.ports.store
    key = digest(
        VALIDATION_FORMAT,
        batch.manifest,
        suites,
        spec.raw_event_time,
        spec.key,
        spec.source.main,
        sorted(spec.source.side),
    )
    if spec.empty_batches == "allow":
        key = digest(key, spec.empty_batches, spec.source.side)
    return once(
        store,
        "validate",
        key,
        BatchFindings,
        lambda: _judge(context, batch, suites, force=force),
        force=force,
    )


def _judge(
    context: Context, batch: BatchRef, suites: dict[str, list[dict[str, Any]]], *, force: bool
) -> BatchFindings:
    spec, store = context.spec, context.ports.store
    manifest = read_manifest(store, batch)
    if manifest.problem:
        return BatchFindings(rows=0, problem=manifest.problem, findings=[], bad={})
    findings: list[ExpectationResult] = []
    for name, ref in manifest.tables.items():
        suite = suites.get(name, [])
        columns = ref.columns
        main = name == spec.source.main
        always = (
            always_main(spec, batch.interval, columns, suite)
            if main
            else always_side(spec, name, columns, suite)
        )
        subject = f"expectations/{context.suites[name].name}" if name in suites else name
        expectations = [*always, *suite]
        if not ref.rows and spec.empty_batches == "allow":
            expectations = without_rows(expectations)
        # A table that holds at all times comes with every batch; the same bytes are judged once.
        key = digest(VALIDATION_FORMAT, "table", ref.data, expectations)
        result = once(
            store,
            "validate",
            key,
            TableFindings,
            partial(_check_table, context, name, ref, expectations, subject),
            force=force,
        )
        findings += result.findings
    bad = {
        name: rows
        for name in manifest.tables
        if (rows := _bad_rows(context, manifest, name, findings))
    }
    return BatchFindings(
        rows=manifest.tables[spec.source.main].rows,
        problem=None,
        findings=findings,
        bad=bad,
        notices=manifest.notices,
    )


def _check_table(
    context: Context, name: str, ref: TableRef, expectations: list[dict[str, Any]], subject: str
) -> TableFindings:
    store, engine = context.ports.store, engine_of(context.spec.resources, context.settings)
    spark = spark_of(context.spec.resources, context.settings, "validate")
    fits = ref.rows * len(ref.columns) * _VALUE_BYTES <= engine.memory
    if fits and (spark is None or not ref.rows):
        table = read_table(store, ref)
        return TableFindings(findings=check_table(name, table, expectations, subject))
    with work_folder(context.settings.spill) as folder:
        path = store.path(ref.data)
        if spark is None:
            context.log.info("table %s: large: judged part by part", name)
            findings = check_file(name, path, expectations, subject, engine, folder)
        else:
            here = (
                TableRows(name, read_table(store, ref))
                if fits
                else rows_of_file(name, path, engine, folder)
            )
            findings = check_on_spark(name, path, expectations, subject, spark, here)
    return TableFindings(findings=findings)


def _bad_rows(
    context: Context, manifest: BatchManifest, name: str, findings: list[ExpectationResult]
) -> Ref | None:
    """Store the rows of the table that broke an expectation, with all that they broke, and return
    the Ref; None without any.

    Of each expectation those whose positions its finding keeps.
    """
    import pyarrow as pa

    expectations_by_row: dict[int, list[str]] = {}
    for finding in findings:
        if finding.table == name:
            for row in finding.rows:
                expectations_by_row.setdefault(row, []).append(finding.expectation)
    if not expectations_by_row:
        return None
    order = sorted(expectations_by_row)
    rows = rows_at(context.ports.store.path(manifest.tables[name].data), order)
    table = rows.append_column(
        "broken_expectations",
        pa.array([expectations_by_row[i] for i in order], type=pa.list_(pa.string())),
    )
    return context.ports.store.put(to_parquet(table), ".parquet")


def _quarantine(
    context: Context, broken: list[tuple[BatchRef, BatchFindings]], page: Ref
) -> BadData:
    """Record each broken batch in the store and the ledger, and return the error that ends the
    run.
    """
    store, model = context.ports.store, context.spec.name
    reasons: list[str] = []
    entries: list[tuple[str, Quarantine]] = []
    for batch, findings in broken:
        quarantine = Quarantine(
            interval=batch.interval,
            version=batch.version,
            batch=batch.manifest,
            reasons=[r[:500] for r in findings.critical],
            bad_rows=findings.bad,
            page=page,
        )
        # A changed suite finds other reasons: an entry of its own.
        why = sha256(canonical(quarantine.reasons))[:16]
        store.publish(
            f"quarantine/{model}/{batch.interval.name}-{batch.manifest.sha256[:16]}-{why}",
            canonical(quarantine.body()),
        )
        entries.append((f"{batch.interval.name}:{batch.manifest.sha256}:{why}", quarantine))
        reasons += [f"{batch.interval.name}: {r}" for r in findings.critical]
        for reason in findings.critical:
            context.log.error("batch %s: %s", batch.interval.name, reason)
    for entry in context.ports.ledger.append_many(model, entries):
        note_quarantine(context.ports.ledger, model, entry)
    # A message of readable length.
    more = f" (and {len(reasons) - 5} more)" if len(reasons) > 5 else ""  # noqa: PLR2004
    return BadData(
        f"{len(broken)} of the batches broke critical expectations and went to quarantine: "
        + " | ".join(reasons[:5])
        + more,
        remedy=(
            f"the page {store.path(page)} shows all; mend the source (a new version of the batch is"
            " read by the next run) or the suite."
        ),
    )


def _page_batch(context: Context, batch: BatchRef, findings: BatchFindings) -> dict[str, Any]:
    """Return one batch as the page shows it."""
    return {
        "name": batch.interval.name,
        "version": batch.version,
        "rows": findings.rows,
        "problem": findings.problem,
        "critical": findings.critical,
        "warnings": findings.warnings,
        "findings": findings.findings,
        "bad": [
            _page_rows(name, from_parquet(context.ports.store.get(ref)), findings.findings)
            for name, ref in findings.bad.items()
        ],
    }


def _page_rows(name: str, bad: pa.Table, findings: list[ExpectationResult]) -> dict[str, Any]:
    """Return one table's bad rows as the page shows them."""
    rows = [list(r.values()) for r in bad.slice(0, SHOWN_ROWS).to_pylist()]
    return {
        "table": name,
        "columns": bad.column_names,
        "rows": rows,
        "count": bad.num_rows,
        "complete": all(len(f.rows) < MOST_POSITIONS for f in findings if f.table == name),
    }
