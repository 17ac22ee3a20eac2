"""The HTML page of a drift check: the verdict first, then what it stands on.

Self-contained, without scripts, all escaped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pipelines.science.drift import score_text, strength, values_gone, values_new
from pipelines.science.metrics import better_by
from pipelines.spec.catalogue import METRICS
from pipelines.spec.drift import P_VALUES
from pipelines.verdicts.words import MEANINGS, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.intervals import Interval
    from pipelines.science.drift import ColumnFact, Decision, DriftFacts, PerformanceFact
    from pipelines.spec.drift import Drift

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title><style>
:root { color-scheme: light dark; --line: #d8dce2; --soft: #5b6472; --track: #e7eaef; --ok: #17803d; --drift: #b45309;
  --alarm: #c81e1e; --none: #4b5563; --bar: #4f7fc4 }
@media (prefers-color-scheme: dark) { :root { --line: #3a4048; --soft: #a3acb8; --track: #2b3038; --ok: #4ade80; --drift: #fbbf24;
  --alarm: #f87171; --none: #cbd5e1; --bar: #7aa5e0 } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; overflow-wrap: anywhere }
h1 { margin-bottom: .2rem } h2 { margin-top: 2.2rem } small, .soft { color: var(--soft) } h2 small { font-weight: 400 }
.verdict { border-left: 6px solid var(--tone); padding: .6rem 1rem; margin: 1.2rem 0 }
.verdict strong { color: var(--tone); font-size: 1.4rem } .verdict ul { margin: .4rem 0 0; padding-left: 1.2rem }
.no_drift { --tone: var(--ok) } .drift { --tone: var(--drift) } .alarm { --tone: var(--alarm) } .not_enough_data { --tone: var(--none) }
table { border-collapse: collapse; width: 100%; font-size: 14px } .scroll { overflow-x: auto }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top }
th { color: var(--soft); font-weight: 600; white-space: nowrap }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; margin: 0 } dt { color: var(--soft) } dd { margin: 0 }
.tag { color: var(--drift); font-weight: 600 } .whole { font-weight: 600 } svg { display: block } .bar { width: 180px; height: 14px }
.track { fill: var(--track) } .fill { fill: var(--bar) } .over { fill: var(--drift) } .tick { stroke: currentColor; stroke-width: 2 }
.axis { stroke: var(--line); stroke-width: 2 } .span { stroke: var(--bar); stroke-width: 8; stroke-linecap: round; opacity: .55 }
.live { fill: var(--bar) } .live.worse { fill: var(--drift) } .say { fill: currentColor; font: 13px system-ui, sans-serif }
.plot { width: 46rem; height: auto } td { overflow-wrap: normal } td:first-child { min-width: 7rem; overflow-wrap: anywhere }
</style></head><body>
<h1>{{ title }}</h1>
<p class="soft">{{ about.source_words }} from {{ about.start }} to {{ about.end }} (UTC, end excluded)
{{- ', against champion version ' ~ about.champion if about.champion }}</p>
<div class="verdict {{ decision.verdict }}"><strong>{{ verdict }}</strong><br>{{ meaning }}
<ul>{% for r in decision.reasons %}<li>{{ r }}</li>{% endfor %}</ul></div>
{% if href %}<p><a href="{{ href }}">Evidently's full page</a> shows the distribution of every input on both sides.</p>{% endif %}
{% if more_broken %}<h2>Everything that is broken</h2><ul>{% for b in facts.broken %}<li>{{ b }}</li>{% endfor %}</ul>{% endif %}
<h2>What was looked at</h2>
<dl><dt>rows</dt><dd>{{ '{:,}'.format(facts.rows) }} <span class="soft">(a verdict needs {{ '{:,}'.format(rules.min_rows) }})</span></dd>
<dt>with a label</dt><dd>{{ '{:,}'.format(about.labelled) }}{% if facts.rows %}
&#32;<span class="soft">({{ '%.1f' | format(100 * about.labelled / facts.rows) }} % of the rows)</span>{% endif %}</dd>
<dt>champion</dt><dd>{{ 'version ' ~ about.champion if about.champion else 'none serves yet' }}</dd>
<dt>source</dt><dd>{{ about.source_words }}</dd>
{% for name, count in about.counts.items() %}<dt>{{ name }}</dt><dd>{{ count }}</dd>{% endfor %}</dl>
{% if notes %}<h2>Notes</h2><ul>{% for n in notes %}<li>{{ n }}</li>{% endfor %}</ul>{% endif %}
{% if performance %}<h2>Performance <small>{{ performance.metric }} on {{ '{:,}'.format(performance.rows) }} labelled rows;
{{ 'more' if performance.greater else 'less' }} is better</small></h2>
<div class="scroll"><svg class="plot" viewBox="0 0 720 104" role="img" aria-label="{{ performance.words }}">
<line class="axis" x1="20" x2="700" y1="52" y2="52"/>
{% if performance.span %}<line class="span" x1="{{ performance.span[0] }}" x2="{{ performance.span[1] }}" y1="52" y2="52"/>{% endif %}
<circle class="live{{ ' worse' if performance.worse }}" cx="{{ performance.live }}" cy="52" r="7"/>
<text class="say" x="{{ performance.live }}" y="84" text-anchor="{{ performance.live_anchor }}">live {{ performance.live_text }}</text>
{% if performance.expected is not none %}
<line class="tick" x1="{{ performance.expected }}" x2="{{ performance.expected }}" y1="36" y2="68"/>
<text class="say" x="{{ performance.expected }}" y="26" text-anchor="{{ performance.expected_anchor }}">promised
{{ performance.expected_text }}</text>{% endif %}</svg></div>
<p>{{ performance.words }}</p>{% endif %}
{% if columns %}<h2>Inputs <small>furthest from the champion's training data first; the line in each bar is the threshold</small></h2>
<div class="scroll"><table><tr><th>input</th><th>method</th><th class="n">score</th><th class="n">threshold</th>
<th>score against threshold</th><th class="n">missing</th><th class="n">in training</th><th></th></tr>
{% for c in columns %}<tr{% if c.whole %} class="whole"{% endif %}><td>{{ c.fact.name }}</td>
<td>{{ c.fact.method }}{% if c.p_value %}&#32;<small>p-value, less is drift</small>{% endif %}</td>
<td class="n">{{ c.score }}</td><td class="n">{{ c.threshold }}</td>
<td>{% if c.width is not none %}<svg class="bar" viewBox="0 0 180 14" role="img" aria-label="{{ c.times }} of the threshold">
<rect class="track" width="180" height="14" rx="3"/>
<rect class="{{ 'over' if c.fact.drifted else 'fill' }}" width="{{ c.width }}" height="14" rx="3"/>
<line class="tick" x1="60" x2="60" y1="0" y2="14"/></svg>{% endif %}</td>
{% if c.whole %}<td></td><td></td>{% else %}<td class="n{{ ' tag' if c.flag }}">{{ c.missing }}</td>
<td class="n">{{ c.missing_reference }}</td>{% endif %}
<td>{% if c.said %}<span class="tag">{{ c.said }}</span>{% endif %}
{% if c.fact.problem %}&#32;<small>{{ c.fact.problem }}</small>{% endif %}
</td></tr>{% endfor %}</table></div>
{% endif %}</body></html>
"""

_SOURCES = {"traffic": "served traffic", "batches": "ingested batches"}
_WIDTH, _THRESHOLD = 180.0, 60.0
"""Pixels of a bar, and where in it the threshold stands.

What lies further out than three thresholds fills the bar.
"""
_LEFT, _RIGHT = 60.0, 660.0
"""Where the least and the greatest value of the performance plot stand."""


@dataclass(frozen=True)
class About:
    """Whose window it is.

    `champion` is None where nothing serves; `counts` are further figures to show, by name.
    """

    model: str
    window: Interval
    source: Literal["traffic", "batches"]
    champion: str | None
    labelled: int
    counts: Mapping[str, int | str] = field(default_factory=dict)


def render(
    about: About, facts: DriftFacts, decision: Decision, rules: Drift, *, href: str | None
) -> str:
    """Return the page; the same facts give the same page.

    `href` leads to Evidently's page; None where there is none.
    """
    import jinja2

    verdict, meaning = plain(decision.verdict).capitalize(), MEANINGS[decision.verdict]
    inputs = [_column(c, _values(c, facts, rules)) for c in facts.columns]
    inputs.sort(key=lambda c: (not c["flag"], -strength(c["fact"]), c["fact"].name))
    found = {
        "title": f"Drift of {about.model}",
        "about": _about(about),
        "facts": facts,
        "rules": rules,
        "decision": decision,
        "verdict": verdict,
        "meaning": meaning,
        "href": href,
        "notes": [n for n in facts.notes if n not in decision.reasons],
        "performance": _performance(facts.performance, rules) if facts.performance else None,
        "more_broken": any(b not in decision.reasons for b in facts.broken),
        "columns": (
            ([{**_column(facts.predictions, ""), "whole": True}] if facts.predictions else [])
            + inputs
        ),
    }
    return jinja2.Environment(autoescape=True, trim_blocks=True).from_string(_PAGE).render(found)


def _about(about: About) -> dict[str, Any]:
    start, end = (f"{moment:%Y-%m-%d %H:%M}" for moment in (about.window.start, about.window.end))
    return {**vars(about), "start": start, "end": end, "source_words": _SOURCES[about.source]}


def _values(fact: ColumnFact, facts: DriftFacts, rules: Drift) -> str:
    if values_gone(fact, facts.rows, rules):
        return "values missing"
    return "new values" if values_new(fact, rules) else ""


def _column(fact: ColumnFact, values: str) -> dict[str, Any]:
    far = strength(fact)
    return {
        "fact": fact,
        "flag": values,
        "said": ", ".join([*(["drifted"] if fact.drifted else []), *([values] if values else [])]),
        "p_value": fact.method in P_VALUES,
        "score": score_text(fact),
        "threshold": f"{fact.threshold:g}",
        "width": None if fact.score is None else round(max(0.0, min(far * _THRESHOLD, _WIDTH)), 1),
        "times": f"{far:.2f} times",
        "missing": f"{fact.missing:.1%}",
        "missing_reference": f"{fact.missing_reference:.1%}",
    }


def _performance(fact: PerformanceFact, rules: Drift) -> dict[str, Any]:
    """Return where things stand in the plot, and the same in words."""
    greater = METRICS[fact.metric].greater_is_better
    marks = [v for v in (fact.live, fact.bad_end, fact.good_end, fact.expected) if v is not None]
    low, reach = min(marks), max(marks) - min(marks)

    def at(value: float) -> float:
        return round(_LEFT + (_RIGHT - _LEFT) * ((value - low) / reach if reach else 0.5), 1)

    ends = (fact.bad_end, fact.good_end)
    span = sorted(at(v) for v in ends if v is not None)
    return {
        "metric": fact.metric,
        "rows": fact.rows,
        "greater": greater,
        "worse": fact.worse,
        "span": span if len(span) == len(ends) else None,
        "live": at(fact.live),
        "live_text": f"{fact.live:.4g}",
        "live_anchor": _anchor(at(fact.live)),
        "expected": None if fact.expected is None else at(fact.expected),
        "expected_text": "" if fact.expected is None else f"{fact.expected:.4g}",
        "expected_anchor": "middle" if fact.expected is None else _anchor(at(fact.expected)),
        "words": _said(fact, rules, "lower" if greater else "higher"),
    }


def _anchor(x: float) -> str:
    """Return which side of a text stands at x, so that it stays within the plot."""
    edge = (_RIGHT - _LEFT) / 10
    return "start" if x < _LEFT + edge else "end" if x > _RIGHT - edge else "middle"


def _said(fact: PerformanceFact, rules: Drift, worse: str) -> str:
    rule = rules.performance
    said = f"Live it is {fact.live:.4g}"
    if fact.good_end is not None:
        said += f", and {fact.good_end:.4g} at best (one-sided {rule.confidence:.0%} interval)"
    if fact.expected is None:
        return f"{said}. The champion promised nothing that it could be compared with."
    if fact.worse:
        end = f"even at best it is {worse} by more than that"
    else:
        kept = float(better_by(fact.metric, fact.live, fact.expected)) >= 0
        end = "that is kept" if kept else "that is not proven to be missed"
    return (
        f"{said}. The champion promised {fact.expected:.4g}, and {rule.tolerance:g} {worse} is"
        f" tolerated: {end}."
    )
