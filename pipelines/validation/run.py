"""Run expectations with Great Expectations and return plain values: what was expected, what was found, which rows broke it."""

from __future__ import annotations

import json
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any

from pipelines.errors import SpecError
from pipelines.refs import Value

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.validation.suites import Expectation


class Finding(Value):
    """One expectation's result. `rows` are the positions of all rows that broke it (empty for expectations on a table)."""

    table: str
    expectation: str
    severity: str
    success: bool
    observed: str
    bad: int
    rows: list[int]

    @property
    def critical(self) -> bool:
        """Whether the batch must not go on."""
        return not self.success and self.severity == "critical"


def check_table(name: str, table: pa.Table, expectations: list[Expectation], shown: str) -> list[Finding]:
    """Return a finding for each expectation on the table. Raises SpecError where Great Expectations refuses the suite."""
    import great_expectations as gx

    suite = gx.ExpectationSuite(name=name, expectations=[_built(e, shown) for e in expectations])
    own = f"{name}-{next(_NUMBERS)}"
    definition = _context().data_sources.add_pandas(own).add_dataframe_asset(own).add_batch_definition_whole_dataframe("all")
    # The batch validates by itself: a ValidationDefinition would also store every result in its context, for a fifth more time.
    batch = definition.get_batch(batch_parameters={"dataframe": _frame(table)})
    everything = {"result_format": "COMPLETE", "return_unexpected_index_query": False}
    results = batch.validate(suite, result_format=everything)
    return [_finding(name, r) for r in results.results]


def _built(expectation: Expectation, shown: str) -> Any:
    """Return Great Expectations' own object. A suite given plain values logs and *drops* what it does not know."""
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    try:
        return ExpectationConfiguration(**expectation).to_domain_obj()
    except Exception as error:
        why = f"{expectation['type']}: {str(error)[:400]}"
        raise SpecError(f"{shown}: {why}.", remedy="mend the expectation; `perennial check` runs the suite.") from error


_NUMBERS = count()  # names within one context must differ


@lru_cache(maxsize=1)
def _context() -> Any:
    """Return this process's context: each new one costs a temporary folder."""
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    return context


def _frame(table: pa.Table) -> Any:
    """Return the pandas frame that is judged: times lose their zone (all are UTC), since expectations are written without one."""
    import pyarrow as pa

    fields = [pa.field(f.name, pa.timestamp("us") if pa.types.is_timestamp(f.type) else f.type) for f in table.schema]
    return table.cast(pa.schema(fields)).to_pandas()


def _finding(table: str, result: Any) -> Finding:
    body = result.result or {}
    why = _raised(result.exception_info)
    rows = [int(i) for i in body.get("unexpected_index_list") or []]
    severity = str(getattr(result.expectation_config.severity, "value", "critical")).lower()
    return Finding(
        table=table,
        expectation=_in_words(result.expectation_config),
        # An expectation that cannot be judged was not met: an exception is never a pass, and never a mere warning.
        severity="critical" if why else severity,
        success=bool(result.success),
        observed=(why or _observed(body))[:300],
        bad=int(body.get("unexpected_count") or len(rows)),
        # With `mostly` an expectation may be met although rows broke it; those are no bad rows.
        rows=[] if result.success else rows,
    )


def _raised(info: Any) -> str:
    if not isinstance(info, dict):
        return ""
    parts = [info] if "raised_exception" in info else [v for v in info.values() if isinstance(v, dict)]
    return "; ".join(str(p.get("exception_message")) for p in parts if p.get("raised_exception"))


def _in_words(config: Any) -> str:
    kwargs = {k: v for k, v in config.kwargs.items() if k not in {"batch_id", "column"} and v is not None}
    column = config.kwargs.get("column")
    what = str(config.type).removeprefix("expect_").replace("_", " ")
    extra = ", ".join(f"{k}={json.dumps(v, default=str)}" for k, v in sorted(kwargs.items()))
    return f"{f'{column}: ' if column else ''}{what}{f' ({extra})' if extra else ''}"


def _observed(body: dict[str, Any]) -> str:
    if body.get("unexpected_count"):
        return f"{body['unexpected_count']} bad rows ({float(body.get('unexpected_percent') or 0):.2f} %)"
    return str(body["observed_value"]) if "observed_value" in body else ""
