import pytest
from pydantic import TypeAdapter, ValidationError

from pipelines.spec.drift import Cron

SCHEDULE = TypeAdapter(Cron)


@pytest.mark.parametrize(
    "text", ["hourly", "@daily", "monthly", "0 3 * * 1", "*/15 6-18 * * MON-FRI"]
)
def test_schedules_that_airflow_takes(text):
    assert SCHEDULE.validate_python(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "0 25 * * *",
        "0 3 * * MONDAY",
        "often",
        "0 3 * *",
        "* * * * * *",
        "@fortnightly",
        "{{ 7*7 }}",
    ],
)
def test_schedules_that_would_take_every_dag_down_are_spec_errors(text):
    with pytest.raises(ValidationError, match="five cron fields"):
        SCHEDULE.validate_python(text)
