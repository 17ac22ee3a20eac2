"""The HTML page of a verdict.

Self-contained, everything escaped (names and reasons carry words from data).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.intervals import iso
from pipelines.verdicts import words

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.messages import GateResult

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ title }}</title><style>
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
h2 { margin-top: 2.2rem } table { border-collapse: collapse; width: 100%; font-size: 14px }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8884; vertical-align: top }
.ok { color: #17803d; font-weight: 600 } .bad { color: #c81e1e; font-weight: 600 }
.number { font-variant-numeric: tabular-nums } small { opacity: .75 }
</style></head><body>
<h1>{{ title }}</h1>
<p><span class="{{ 'ok' if promoted else 'bad' }}">{{ 'Promoted' if promoted else 'Refused' }}</span>:
{{ who }}, judged against {{ opponent }}.</p>
{% if j.incident %}<p><span class="bad">Incident</span>: {{ j.incident }}.
A person must look at it: what serves now may fail likewise.</p>{% endif %}
{% if j.reasons %}<h2>Why it was refused</h2><ul>{% for r in j.reasons %}<li>{{ r }}</li>{% endfor %}</ul>
<p>{{ 'The champion serves on.' if j.champion else 'Nothing serves.' }}</p>{% endif %}
<h2>What was looked at</h2>
<table><tr><th>check</th><th>result</th><th>found</th></tr>
{% for c in j.checks %}<tr><td>{{ c.name }}</td>
<td><span class="{{ 'ok' if c.passed else 'bad' }}">{{ 'pass' if c.passed else 'FAIL' }}</span></td>
<td>{{ c.detail }}</td></tr>{% endfor %}</table>
{% if j.metrics %}<h2>The challenger's scores <small>on the held-out rows</small></h2>
<table><tr><th>metric</th><th>score</th></tr>
{% for name, value in j.metrics | dictsort %}<tr><td>{{ name }}</td>
<td class="number">{{ 'not finite' if value is none else '%.6g' | format(value) }}</td></tr>{% endfor %}</table>{% endif %}
<p><small>The run {{ run }} lives in {{ as_of }}{% if because %}; it was started because: {{ because }}{% endif %}.
{% if j.run_id %}The challenger's run in MLflow is {{ j.run_id }}.{% endif %}</small></p>
</body></html>
"""


def render(model: str, run: str, judged: GateResult, *, as_of: datetime, because: str) -> str:
    """Return the page; the same verdict gives the same page."""
    import jinja2

    facts = {
        "title": f"Verdict on {model}",
        "run": run,
        "j": judged,
        "promoted": judged.verdict == "promote",
        "who": (
            f"the challenger {words.challenger(judged.candidate, judged.version)}"
            if judged.candidate
            else "there is no challenger"
        ),
        "opponent": words.opponent(judged),
        "as_of": iso(as_of),
        "because": because,
    }
    return jinja2.Environment(autoescape=True, trim_blocks=True).from_string(_PAGE).render(facts)
