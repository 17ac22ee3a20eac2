"""Make docs/metrics.md: every metric that a spec may name, from the declarations themselves.

`python -m tools.metric_table` writes it; a test compares it with the code.
"""

from __future__ import annotations

from math import isinf
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

from pipelines.spec.metrics import FAMILIES, METRICS

if TYPE_CHECKING:
    from pipelines.spec.metric import Family, Metric

PAGE = Path(__file__).resolve().parents[1] / "docs" / "metrics.md"
HEAD = """# Every metric

Made from the declarations by `python -m tools.metric_table`; a test compares them.
A metric may be named in `train.metric` and in the gate; those marked "always" are computed and
shown for every model of the task.
A number in a name is written as in the example, without exponent or needless zeros.

What it *sees* tells which of a model's faults it can find:

- order: how the scores rank the rows, never what they say by themselves
- probabilities: whether they are true
- labels: the class that the model decides for, by its threshold, not how sure it is
- squares: errors by their squares, so great misses above all
- distances: errors by their size, all alike
- spans: how wide intervals are, or how many rows lie within, but never both
- rows: the rows themselves, of which nobody knows a true value

Where a metric is defined it is scikit-learn's function, weights of rows included.
Where it is not, it has no value, the reason is said in words, and the gate refuses:
nothing is ever counted as 0 in silence.
Only in a mean over classes a class that nobody is called has precision 0, as in scikit-learn;
and a champion that calls no row positive counts as worst, so that it can be replaced.

Gate and watch give every metric an interval: days (or groups of rows) are drawn again and again.
Each end is corrected for bias and skew
([decision 59](decisions/0059-an-interval-is-corrected-a-comparison-is-not.md)).
How often intervals of 90 % and 95 % are right is measured by `benchmarks/metrics.py`
in 1,000 simulations each:

- Of 500 and of 5,000 independent rows they are right as often as they say,
  within three standard errors (87.2 to 92.8 %, 92.9 to 97.1 %).
- Metrics of squares (`mse`, `rmse`, `r2`) are so where errors have no heavy tails.
  Few rows do not show how heavy tails are: where errors are those of Student's t with five degrees
  of freedom, intervals of `rmse` are right in 86 % and 92 % of 500 rows, in 88 % and 93 % of 5,000
  and of 10,000. There take `mae` or `median_error`, whose intervals hold from 500 rows on.
- Of 50 days whose rows are alike they are right in 85 to 93 % and 93 to 97 %
  (300 simulations), whatever the number of rows: there days count.
- Of about ten positive rows those of rankings are too narrow at both ends:
  of 500 rows, 2 % of them positive, intervals of 90 % of `average_precision` held in 86 %.
"""
TITLES = {
    "binary": "Two classes",
    "multiclass": "Several classes",
    "regression": "Values",
    "quantiles": "Quantiles",
    "cluster": "Clusters",
    "anomaly": "Anomalies",
}


def page() -> str:
    """Return the page."""
    parts = [HEAD]
    for task, title in TITLES.items():
        parts.append(f"## {title}: `task: {task}`\n")
        parts += [_entry(m, m.name, task, "") for m in METRICS.values() if task in m.tasks]
        parts += [
            _entry(f.metric, f.example, task, _number(f))
            for f in FAMILIES
            if task in f.metric.tasks
        ]
        parts.append("")
    return "\n".join(parts)


def _entry(metric: Metric, name: str, task: str, number: str) -> str:
    better = "greater" if metric.greater_is_better else "smaller"
    low, high = ("" if isinf(bound) else f"{bound:g}" for bound in metric.bounds)
    span = f"{low or 'below 0'} to {high}" if high else f"from {low}"
    facts = [f"{better} is better", span, f"sees {metric.sees}"]
    facts += ["always"] if task in metric.shown else []
    lines = [f"- `{name}`: {', '.join(facts)}.", f"  {_sentence(metric.means)}"]
    lines += [f"  {_sentence(number)}"] if number else []
    without = [metric.undefined] if metric.undefined else []
    without += [need.broken for need in metric.needs]
    # A line's own indentation is kept by `fill`.
    lines += [f"  Undefined where {' or where '.join(without)}."] if without else []
    lines += [f"  scikit-learn: `{metric.theirs}`."] if metric.theirs else []
    return "\n".join(fill(line, 100, subsequent_indent="  ") for line in lines)


def _number(family: Family) -> str:
    return f"the number: {family.range}"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
