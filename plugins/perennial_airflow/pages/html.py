"""The pages' HTML: self-contained, without scripts, everything escaped (names, reasons and data are
hostile).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import jinja2

from perennial_airflow.pages.sentences import in_words, span, when
from perennial_airflow.verdict_log import figure

_BASE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }} · Perennial</title><style>
:root { color-scheme: light dark; --line: #8883; --soft: #8881; --good: #17803d; --warn: #a15c07; --bad: #c81e1e; --plain: #6b7280 }
@media (prefers-color-scheme: dark) { :root { --good: #4ade80; --warn: #fbbf24; --bad: #f87171; --plain: #9ca3af } }
* { box-sizing: border-box } body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 76rem; padding: 1rem 1.5rem 4rem }
a { color: inherit; text-underline-offset: 3px; text-decoration-color: #8888 } a:hover { text-decoration-color: currentColor }
nav { display: flex; gap: 1.2rem; border-bottom: 1px solid var(--line); padding-bottom: .6rem; font-size: 14px; flex-wrap: wrap }
nav .home { font-weight: 650; margin-right: auto; text-decoration: none }
h1 { font-size: 1.6rem; margin: 1.4rem 0 .2rem } h2 { font-size: 1.1rem; margin: 2.2rem 0 .5rem } p { margin: .3rem 0 }
small, .soft { color: var(--plain); font-size: 13px }
.badge { display: inline-block; border: 1px solid currentColor; border-radius: 99px; padding: 0 .55rem; font-size: 12.5px; font-weight: 600;
  white-space: nowrap }
.good { color: var(--good) } .warn { color: var(--warn) } .bad { color: var(--bad) } .plain { color: var(--plain) }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(30rem, 100%), 1fr)); gap: 1rem; margin-top: 1.4rem }
.card { border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.2rem; overflow-wrap: anywhere }
.card h2 { margin: 0; font-size: 1.15rem } dl { display: grid; grid-template-columns: 7.5rem 1fr; gap: .4rem .8rem; margin: .8rem 0 }
dt { color: var(--plain) } dd { margin: 0 } .big { font-size: 1.05rem; font-weight: 600 }
.clamp { display: -webkit-box; -webkit-line-clamp: 3; -webkit-box-orient: vertical; overflow: hidden }
p.bad { white-space: pre-line }
.links { display: flex; gap: 1rem; flex-wrap: wrap; font-size: 14px }
.scroll { overflow-x: auto } table { border-collapse: collapse; width: 100%; font-size: 14px }
th, td { text-align: left; padding: .4rem .7rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
th { color: var(--plain); font-weight: 500 } td.at, td.num { white-space: nowrap; font-variant-numeric: tabular-nums }
td.say { overflow-wrap: anywhere; min-width: 18rem } td.more { min-width: 13rem } td.more a { margin-right: .5rem; white-space: nowrap }
</style></head><body>
<nav><a class="home" href="{{ base }}/perennial/">Perennial</a><a href="{{ base }}/">Airflow</a>
{% if mlflow %}<a href="{{ mlflow }}">MLflow</a>{% endif %}</nav>
{% block body %}{% endblock %}</body></html>
"""

_PARTS = """
{% macro badge(words) %}<span class="badge {{ words.tone }}">{{ words.badge }}</span>{% endmacro %}
{% macro serving(s) %}{% if s.champion %}<span class="big">version {{ s.champion.version }}</span>
since {{ when(s.champion.since) }} <small>release {{ s.champion.release }}</small>
{% else %}<span class="plain">nothing yet</span>{% endif %}
{% endmacro %}
{% macro last(entry, empty) %}{% if entry %}{% set w = in_words(entry) %}{{ badge(w) }} <small>{{ when(entry.at) }}</small>
<div class="clamp">{{ w.text }}</div>{% else %}<span class="plain">{{ empty }}</span>{% endif %}{% endmacro %}
{% macro facts(s, base) %}<dl><dt>Serves</dt><dd>{{ serving(s) }}</dd>
<dt>Drift</dt><dd>{{ last(s.drift, "not looked yet" if s.spec and s.spec.drift else "not watched") }}</dd>
<dt>Verdict</dt><dd>{{ last(s.verdict, "none yet") }}</dd>
<dt>Retraining</dt><dd>{% if s.request %}{% set w = in_words(s.request) %}<span class="badge warn">under way</span>
<small>asked for {{ when(s.request.at) }}</small> <a href="{{ base }}{{ w.links[0][1] }}">its run</a>
{% else %}<span class="plain">none under way</span>{% endif %}</dd></dl>{% endmacro %}
{% macro dags(s, base) %}<a href="{{ base }}/dags/retrain_{{ s.name }}">retrain_{{ s.name }}</a>
{% if s.spec and s.spec.drift %}<a href="{{ base }}/dags/drift_{{ s.name }}">drift_{{ s.name }}</a>{% endif %}
{% if s.spec %}<a href="{{ base }}/dags/rollback_{{ s.name }}">rollback_{{ s.name }}</a>{% endif %}{% endmacro %}
"""

_OVERVIEW = """{% extends "base" %}{% import "parts" as parts with context %}{% block body %}
<h1>What serves, and why</h1><p class="soft">{{ states | length }} model{{ "" if states | length == 1 else "s" }}</p>
<div class="cards">{% for s in states %}<section class="card">
<h2><a href="{{ base }}/perennial/models/{{ s.name }}">{{ s.name }}</a></h2>
{% if s.problem %}<p class="bad">{{ s.problem }}</p>{% else %}<p class="soft">{{ s.spec.description }} · {{ s.spec.owner }}</p>{% endif %}
{{ parts.facts(s, base) }}<div class="links"><a href="{{ base }}/perennial/models/{{ s.name }}">history</a>{{ parts.dags(s, base) }}</div>
</section>{% else %}<p>There is no model that you may read. A model is a folder with a <code>model.yaml</code>.</p>
{% endfor %}</div>{% endblock %}
"""

_MODEL = """{% extends "base" %}{% import "parts" as parts with context %}{% block body %}{% set s = state %}
<h1>{{ s.name }}</h1>
{% if s.problem %}<p class="bad">{{ s.problem }}</p>{% elif s.spec %}<p class="soft">{{ s.spec.description }} · {{ s.spec.owner }}</p>
{% else %}<p class="bad">The folder models/{{ s.name }} is gone; the record stays.</p>{% endif %}
{{ parts.facts(s, base) }}<div class="links">{{ parts.dags(s, base) }}</div>
{% if checks %}<h2>Drift checks</h2><div class="scroll"><table>
<tr><th>window</th><th>verdict</th><th>rows</th><th>labelled</th><th>inputs drifted</th><th>metric, live</th><th>expected</th><th></th></tr>
{% for e in checks %}{% set w = in_words(e) %}{% set d = e.decision %}<tr><td class="at">{{ span(d.window) }}</td><td>{{ parts.badge(w) }}</td>
<td class="num">{{ d.rows }}</td><td class="num">{{ d.labelled }}</td>
<td>{% if d.drifted %}{{ d.drifted | join(", ") }}{% else %}<span class="plain">none</span>{% endif %}</td>
<td class="num">{% if d.live is number %}{{ d.metric }} {{ figure(d.live) }}{% endif %}</td>
<td class="num">{% if d.expected is number %}{{ figure(d.expected) }}{% endif %}</td>
<td class="more">{% for name, path in w.links %}<a href="{{ base }}{{ path }}">{{ name }}</a> {% endfor %}</td></tr>{% endfor %}
</table></div>{% endif %}
<h2>Every decision, newest first</h2>
{% if entries %}<div class="scroll"><table><tr><th>no.</th><th>at</th><th>what</th><th>said</th><th></th></tr>
{% for e in entries %}{% set w = in_words(e) %}<tr><td class="num">{{ e.seq }}</td><td class="at">{{ when(e.at) }}</td>
<td>{{ parts.badge(w) }}</td><td class="say">{{ w.text }}</td>
<td class="more">{% for name, path in w.links %}<a href="{{ base }}{{ path }}">{{ name }}</a> {% endfor %}</td></tr>{% endfor %}
</table></div>{% if entries | length == limit %}<p class="soft">These are the newest {{ limit }}; all of them, with the check that nobody
touched the record: <code>perennial history {{ s.name }}</code></p>{% endif %}
{% else %}<p class="plain">Nothing was decided yet.</p>{% endif %}{% endblock %}
"""

_PROBLEM = """{% extends "base" %}{% block body %}<h1>{{ title }}</h1><p>{{ said }}</p>{% endblock %}
"""

_LOGIN = """{% extends "base" %}{% block body %}<h1>{{ title }}</h1>
<p>These pages show what you may read in Airflow; so Airflow must know who you are.</p>
<p class="big"><a href="{{ login }}">Log in to Airflow</a></p>{% endblock %}
"""


def render(template: str, **values: Any) -> str:
    """Return a page: `overview`, `model`, `problem` or `login`, each with title, base and mlflow,
    and what it shows.
    """
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> jinja2.Environment:
    templates = {
        "base": _BASE,
        "parts": _PARTS,
        "overview": _OVERVIEW,
        "model": _MODEL,
        "problem": _PROBLEM,
        "login": _LOGIN,
    }
    environment = jinja2.Environment(
        loader=jinja2.DictLoader(templates),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals.update(in_words=in_words, when=when, span=span, figure=figure)
    return environment
