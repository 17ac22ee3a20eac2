"""What metrics.py may do wrong, and how it is told."""

import textwrap

import numpy as np
import pytest

from pipelines.errors import SpecError
from pipelines.science.metrics import score
from pipelines.training.own_metrics import measure_rows
from tests.snapshots import loans, make_snapshot

FRAME = loans(60)
Y = FRAME["fault"].to_numpy()
P = np.linspace(0.01, 0.99, 60)


@pytest.fixture
def world(tmp_path, ports):
    return make_snapshot(tmp_path, ports)


def measured(
    world, code, declared="metrics: {cost: {better: smaller, unit: EUR}}", y=Y, p=P, at=0.5
):
    """Return the metric `cost` of some loans as metrics.py and the spec say it."""
    import pyarrow as pa

    folder = world.home / "models" / "loans"
    (folder / "metrics.py").write_text(textwrap.dedent(code))
    spec = folder / "model.yaml"
    spec.write_text(spec.read_text().partition("metrics:")[0] + declared + "\n")
    rows = pa.Table.from_pandas(FRAME, preserve_index=False)
    return score(measure_rows(world.context, rows, y, None).find("cost"), y, p, threshold=at)


def test_a_cost_sees_the_decision_and_the_inputs_and_what_it_changes_is_a_copy(world):
    code = """
        import numpy as np

        def cost(y, prediction, rows):
            assert list(rows.columns) == ["income", "late", "region"]
            paid = np.where(y > prediction, rows["income"].to_numpy(), 0.0) + (prediction > y) * 10
            y[:], prediction[:], rows["income"] = 0, 1, 0.0
            print('{"a record": 1}')
            return paid
    """
    missed = (Y == 1) & (P <= 0.7)
    false = (Y == 0) & (P > 0.7)
    expected = (FRAME["income"].to_numpy() * missed + 10 * false).mean()
    assert measured(world, code, at=0.7) == pytest.approx(expected)


def test_a_metric_may_see_probabilities_and_have_another_function(world):
    code = "def surprise(y, prediction, rows):\n    return (y - prediction) ** 2\n"
    declared = "metrics: {cost: {better: smaller, sees: probabilities, function: surprise}}"
    assert measured(world, code, declared) == pytest.approx(((Y - P) ** 2).mean())


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("", r"has no function 'cost'"),
        ("import not_there\n", r"metrics.py: ModuleNotFoundError.*line 1"),
        ("def cost(y, prediction, rows):\n    return 1 / 0\n", r"ZeroDivisionError.*line 2"),
        (
            "def cost(y, prediction, rows):\n    return rows['nothing']\n",
            r"KeyError.*line 2.*`rows` has income",
        ),
        ("def cost(y):\n    return y\n", r"TypeError.*positional"),
        (
            "import sys\n\ndef cost(y, prediction, rows):\n    sys.exit(3)\n",
            r"sys.exit\(3\).*line 4",
        ),
        ("import os\n\ndef cost(y, prediction, rows):\n    os._exit(3)\n", r"exit code 3"),
        (
            "def cost(y, prediction, rows):\n    return 4.5\n",
            r"single number 4.5.*line 1",
        ),
        ("def cost(y, prediction, rows):\n    return y[:5]\n", r"5 values for 60 rows.*line 1"),
        ("def cost(y, prediction, rows):\n    return rows[['late']]\n", r"60 by 1 values"),
        (
            "def cost(y, prediction, rows):\n    return y * float('nan')\n",
            r"60 of 60 values",
        ),
        ("def cost(y, prediction, rows):\n    return rows['region']\n", r"no numbers"),
        ("def cost(y, prediction, rows):\n    pass\n", r"returned nothing"),
    ],
)
def test_what_is_wrong_with_a_metric_is_told_with_file_and_line(world, code, words):
    with pytest.raises(SpecError, match=words) as raised:
        measured(world, code)
    assert "models/loans/metrics.py" in str(raised.value)
    assert raised.value.at == ("metrics", "cost")


def test_a_metric_that_hangs_is_ended(world):
    from dataclasses import replace

    import pyarrow as pa

    folder = world.home / "models" / "loans"
    (folder / "metrics.py").write_text("def cost(y, prediction, rows):\n    while True: pass\n")
    world.respec("candidates:", "metrics: {cost: {better: smaller}}\ncandidates:")
    context = world.context
    slow = replace(
        context, settings=context.settings.model_copy(update={"user_code_timeout_seconds": 1})
    )
    with pytest.raises(SpecError, match=r"cost took longer than 1 s.*PERENNIAL_USER_CODE"):
        measure_rows(slow, pa.Table.from_pandas(FRAME, preserve_index=False), Y, None)
