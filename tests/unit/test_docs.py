"""The documentation says what is true: links and paths lead somewhere, the example is a spec."""

import re
from functools import cache

import pytest

from pipelines.spec import parse_spec
from tests.conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
DOCUMENTS = [*PAGES, ROOT / "CHANGELOG.md"]
LONGEST_LINE = 100
EXAMPLE = "churn"
EXAMPLES = (EXAMPLE, "traffic", "loans")
"""The models that docs/add-a-model.md adds; they are in no checkout."""


def name_of(page):
    return str(page.relative_to(ROOT))


@cache
def sources():
    """Return the checkout's folders of sources, without what is made (`.venv`, `var`)."""
    generated = re.compile(r"\..*|var|.*\.egg-info|__pycache__")
    return [d for d in ROOT.iterdir() if d.is_dir() and not generated.fullmatch(d.name)]


@cache
def tree():
    """Return every file and folder of the sources, each with a slash before it."""
    return [f"/{path.relative_to(ROOT)}" for folder in sources() for path in folder.rglob("*")]


def named_paths(text):
    """Return the paths that a text names.

    Whatever begins with a folder of the checkout, and whatever in backticks is a Python file.
    """
    roots = "|".join(folder.name for folder in sources())
    below = re.findall(rf"(?<![\w/.<>-])(?:\.\./)?((?:{roots})/[\w./-]*\w/?)", text)
    files = re.findall(r"`((?:[\w-]+/)*[\w-]+\.py)`", text)
    return [path for path in [*below, *files] if not any(example in path for example in EXAMPLES)]


def is_there(path):
    """Tell whether the path is in the tree, counted from the checkout or from a folder of it."""
    return any(path_in_tree.endswith(f"/{path.rstrip('/')}") for path_in_tree in tree())


def anchors(page):
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"(?m)^#+ (.+)$", page.read_text())
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    text = page.read_text()
    links = re.findall(r"\]\(([^)#\s]+)", text) + re.findall(r"(?m)^\[[^\]]+\]: ([^#\s]+)", text)
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_to_a_heading_find_it(page):
    links = re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", page.read_text())
    local = [(name, anchor) for name, anchor in links if "://" not in name]
    assert [
        (name, anchor)
        for name, anchor in local
        if anchor not in anchors((page.parent / name) if name else page)
    ] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_path_that_a_document_names_is_there(page):
    assert [path for path in named_paths(page.read_text()) if not is_there(path)] == []


def test_a_path_that_is_not_there_would_be_seen():
    text = "`pipelines/gone.py`, pipelines/steps/, `gone_too.py`, `science/gate/verdict.py`"
    assert [p for p in named_paths(text) if not is_there(p)] == ["pipelines/gone.py"] * 2 + [
        "gone_too.py"
    ]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_no_line_of_a_document_is_too_long(document):
    lines = document.read_text().splitlines()
    assert [
        f"{number}: {line}" for number, line in enumerate(lines, 1) if len(line) > LONGEST_LINE
    ] == []


def test_the_example_of_a_spec_is_a_spec():
    example = re.search(
        r"```yaml\n(name: churn.*?)```",
        (ROOT / "docs" / "add-a-model.md").read_text(),
        flags=re.DOTALL,
    )
    assert parse_spec(example[1].encode(), "docs/add-a-model.md").name == EXAMPLE


def test_every_decision_says_when_a_change_violates_it():
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert records
    assert [
        r.name for r in records if "**A change violates this when it**" not in r.read_text()
    ] == []
