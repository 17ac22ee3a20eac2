"""What the composed stack hands on of settings that change what tasks make."""

from __future__ import annotations

import pytest
import yaml

from pipelines.settings import Settings, load_settings
from stack.layout import CHECKOUT

COMPOSED = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())


@pytest.mark.parametrize("service", ["scheduler", "worker", "perennial"])
@pytest.mark.parametrize("field", ["plots", "evidently", "evidently_days"])
def test_what_is_made_for_people_alone_can_be_left_out(service, field):
    name = f"PERENNIAL_{field.upper()}"
    assert COMPOSED["services"][service]["environment"][name] == f"${{{name}:-}}"
    assert getattr(load_settings({name: ""}), field) == Settings.model_fields[field].default
    assert not getattr(load_settings({name: "0"}), field)
