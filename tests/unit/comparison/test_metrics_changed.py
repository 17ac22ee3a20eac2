"""Two versions whose own metrics were counted by different functions: the comparison says so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.cli.version_tables import print_versions
from pipelines.comparison import version_lines, versions_page
from pipelines.comparison.version_facts import find_bundle
from pipelines.comparison.versions import compare_versions
from tests.snapshots import loans, make_snapshot
from tests.unit.steps.learning import ports

pytestmark = pytest.mark.slow

COST = """
import numpy as np


def cost(y, prediction, rows):
    return np.where(y > prediction, MISS, 0.0) + np.where(y < prediction, 10.0, 0.0)
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Versions of the same rows, the later with an input more; a miss costs more by then."""
    world = make_snapshot(tmp_path_factory.mktemp("metrics"), ports())
    world.respec("candidates:", "metrics: {cost: {better: smaller, unit: EUR}}\ncandidates:")
    world.respec("roc_auc: 0.6", "roc_auc: 0.5")
    world.respec("inputs: [income, late, region]", "inputs: [income, region]")
    file = world.home / "models" / "loans" / "metrics.py"
    file.write_text(COST.replace("MISS", "20.0"))
    world.crown(loans(900))
    world.respec("inputs: [income, region]", "inputs: [income, late, region]")
    file.write_text(COST.replace("MISS", "40.0"))
    world.later("r2")
    world.crown(loans(900))
    pair = [(v, find_bundle(world.context, v)) for v in ("1", "2")]
    return compare_versions(world.context, *pair, now=world.now)


def test_the_table_names_metrics_py_beside_code_and_features(found):
    origin = {line.name: line for line in version_lines.origin(found)}
    line = origin["metrics.py"]
    assert line.differs
    assert len(line.before) == len(line.after) == 12
    assert not origin["features revision"].differs


def test_the_page_the_json_and_the_terminal_say_that_it_changed(found, capsys):
    words = "metrics.py changed between the two"
    assert words in versions_page.render(found)
    assert version_lines.figures(found)["metrics_changed"].startswith(words)
    print_versions(found)
    assert words in " ".join(capsys.readouterr().out.split())


def test_nothing_is_said_where_it_is_the_same_or_not_known(found):
    before = found.before
    for code, shown in ((found.after.metrics_code, None), ("", "-"), (None, "not written down")):
        other = replace(found, before=replace(before, metrics_code=code))
        assert version_lines.metrics_changed(other) == ""
        assert "metrics.py changed" not in versions_page.render(other)
        origin = {line.name: line for line in version_lines.origin(other)}
        assert shown is None or origin["metrics.py"].before == shown


def test_a_version_without_metrics_of_its_own_has_no_line_to_compare(tmp_path, ports):
    world = make_snapshot(tmp_path, ports)
    assert world.context.metrics_tags == {}
    (tmp_path / "models" / "loans" / "metrics.py").write_text(COST)
    assert world.context.metrics_tags == {}, "a file that the spec does not name counts nothing"
