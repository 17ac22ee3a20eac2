"""The HTML page of a validation.

Self-contained, everything escaped (values in data are hostile).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ title }}</title><style>
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem }
h2 { margin-top: 2.2rem } table { border-collapse: collapse; width: 100%; font-size: 14px }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8884; vertical-align: top }
.ok { color: #17803d } .critical { color: #c81e1e; font-weight: 600 } .warning { color: #b45309; font-weight: 600 }
.scroll { overflow-x: auto } small { opacity: .75 }
</style></head><body>
<h1>{{ title }}</h1>
<p>{{ batches | length }} batches; {{ broken }} broke a critical expectation, {{ warned }} a warning.
A batch that broke a critical expectation goes to quarantine; warnings are noted and the run goes on.</p>
{% for b in batches %}
<h2>{{ b.name }} <small>version {{ b.version }}, {{ b.rows }} rows</small>
{% if b.critical %}<span class="critical">quarantine</span>{% elif b.warnings %}<span class="warning">accepted with warnings</span>
{% else %}<span class="ok">accepted</span>{% endif %}</h2>
{% if b.problem %}<p class="critical">{{ b.problem }}</p>{% endif %}
{% if b.findings %}<table><tr><th>table</th><th>expectation</th><th>result</th><th>found</th></tr>
{% for f in b.findings %}<tr><td>{{ f.table }}</td><td>{{ f.expectation }}</td>
<td>{% if f.success %}<span class="ok">met</span>{% else %}<span class="{{ f.severity }}">{{ f.severity }}</span>{% endif %}</td>
<td>{{ f.observed }}</td></tr>{% endfor %}</table>{% endif %}
{% for t in b.bad %}<h3>Bad rows of {{ t.table }}
<small>the first {{ t.rows | length }} of {{ t.count }}; all are in the quarantine's Parquet file</small></h3>
<div class="scroll"><table><tr>{% for c in t.columns %}<th>{{ c }}</th>{% endfor %}</tr>
{% for row in t.rows %}<tr>{% for v in row %}<td>{{ v }}</td>{% endfor %}</tr>{% endfor %}</table></div>{% endfor %}
{% endfor %}</body></html>
"""


def render(title: str, batches: Sequence[dict[str, Any]]) -> str:
    """Return the page.

    Each batch has name, version, rows, problem, critical, warnings, findings, and as `bad` a list
    with table, columns, rows, count.
    """
    import jinja2

    template = jinja2.Environment(autoescape=True, trim_blocks=True).from_string(_PAGE)
    broken = sum(bool(b["critical"]) for b in batches)
    return template.render(
        title=title,
        batches=batches,
        broken=broken,
        warned=sum(bool(b["warnings"]) for b in batches),
    )
