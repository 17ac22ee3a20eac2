"""Texts of specs, data and people are data in Markdown and HTML: no tag, link or heading."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from pipelines.cards import markdown, page
from pipelines.cards.document import Card, Mark, Section, Table
from pipelines.store.memory import MemoryStore

HOSTILE = [
    "<script>alert(1)</script>",
    "[click](javascript:alert(1))",
    "![x](http://evil.example/x.png)",
    "a | b",
    "# heading",
    "- item",
    "1. item",
    "---",
    "***bold***",
    "_it_ __it__",
    "`code` ``x``",
    "~~gone~~",
    "<http://evil.example>",
    "http://evil.example www.evil.example a@evil.example",
    "&lt;b&gt; &amp;",
    "line\nbreak\r\n\n# next",
    "\x1b[2J\u202e",
    "\\| \\`",
    "> quote",
    "[x]: http://evil.example",
    "$x$ C#",
]
ALLOWED = {
    "html", "h1", "h2", "p", "ul", "li", "strong", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip


def card(text):
    table = Table(columns=[text, "n"], rows=[[text, "1"]], numbers=[1])
    section = Section(title="Metrics", facts=[(text, text)], table=table, notes=[text])
    return Card(
        model="m",
        version=text,
        purpose=text,
        run=text,
        run_id="",
        entries=1,
        marks=[Mark(tone="bad", text=text)],
        sections=[section],
    )


def words(html):
    from html.parser import HTMLParser

    tags, said = set(), []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):  # noqa: ARG002
            tags.add(tag)

        def handle_data(self, data):
            said.append(data)

    Reader().feed(html)
    return tags, [" ".join(each.split()) for each in said if each.strip()]


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_shows_every_text_as_it_is(text):
    parser = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough")
    for rendered in (markdown.render(card(text)), markdown.render_brief(card(text))):
        tags, said = words(parser.render(rendered))
        assert tags <= ALLOWED
        shown = " ".join(markdown.on_one_line(text).split())
        assert sum(each == shown for each in said) >= 3, "purpose, mark, cells"


@pytest.mark.parametrize("text", HOSTILE)
def test_the_page_shows_every_text_as_it_is(text):
    html = page.render(MemoryStore(), card(text))
    tags, _ = words(html)
    assert not tags & {"script", "a", "img", "b", "http:"}
    assert "<script" not in html


def test_numbers_stay_readable():
    assert markdown.escape("0.7972") == "0.7972"
    assert markdown.escape("roc_auc 2013-04-01T00:00:00Z") == "roc_auc 2013-04-01T00:00:00Z"


def test_the_short_form_fits_mlflow():
    long = card("x" * 3_000)
    assert len(markdown.render_brief(long)) <= markdown.BRIEF + 2
    assert "artifact card/card.md" in markdown.render_brief(card("short"))
