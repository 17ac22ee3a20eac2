"""The documentation says what is true: links lead somewhere, and the example of a spec is one."""

import re

import pytest

from pipelines.spec import parse_spec
from tests.conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_the_example_of_a_spec_is_a_spec():
    example = re.search(
        r"```yaml\n(.*?)```", (ROOT / "docs" / "add-a-model.md").read_text(), flags=re.DOTALL
    )
    assert parse_spec(example[1].encode(), "docs/add-a-model.md").name == "churn"


def test_every_decision_says_when_a_change_violates_it():
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert records
    assert [
        r.name for r in records if "**A change violates this when it**" not in r.read_text()
    ] == []
