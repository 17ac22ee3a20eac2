"""The catalogue of steps: it and the folder say the same."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import subprocess
import sys
from typing import TYPE_CHECKING

from pipelines import messages, steps
from pipelines.steps import catalogue
from pipelines.steps.catalogue import STEPS, Step

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

HEAVY = {"airflow", "numpy", "pandas", "pyarrow", "sklearn", "mlflow", "sqlalchemy", "evidently"}


def modules() -> dict[str, ModuleType]:
    """The steps' modules by name, those that stand above the others too."""
    names = {module.name for module in pkgutil.iter_modules(steps.__path__)} - {"catalogue"}
    paths = {name: f"pipelines.steps.{name}" for name in names}
    paths |= {s.name: s.module for s in STEPS.values() if s.room != "pipelines.steps"}
    return {name: importlib.import_module(path) for name, path in paths.items()}


def differences(
    declared: Mapping[str, Step], modules_by_name: Mapping[str, ModuleType]
) -> list[str]:
    """What the declarations and the modules do not agree on, in words."""
    faults = [
        f"{name} lies in the folder and is not declared"
        for name in modules_by_name.keys() - declared
    ]
    faults += [
        f"{name} is declared and has no module" for name in declared.keys() - modules_by_name
    ]
    for name in modules_by_name.keys() & declared.keys():
        signature = inspect.signature(modules_by_name[name].run)
        kinds = (signature.parameters["request"].annotation, signature.return_annotation)
        expected = (declared[name].request.__name__, declared[name].result.__name__)
        if kinds != expected:
            faults.append(f"{name} takes and gives {kinds}, declared are {expected}")
    return sorted(faults)


def test_each_step_of_the_folder_is_declared_and_takes_and_gives_what_it_says():
    assert differences(STEPS, modules()) == []


def test_a_difference_between_folder_and_catalogue_is_found():
    in_folder = modules()
    declared = {name: step for name, step in STEPS.items() if name != "gate"}
    declared["gates"] = STEPS["gate"]
    declared["close"] = Step("close", "", messages.CloseRequest, messages.GateResult)
    assert differences(declared, in_folder) == [
        (
            "close takes and gives ('CloseRequest', 'CloseResult'), declared are ('CloseRequest',"
            " 'GateResult')"
        ),
        "gate lies in the folder and is not declared",
        "gates is declared and has no module",
    ]


def test_every_declared_type_is_a_message():
    for step in STEPS.values():
        for kind in (step.request, step.result):
            assert getattr(messages, kind.__name__) is kind, step.name


def test_a_step_needs_what_its_request_holds():
    assert {step.name: step.needs for step in STEPS.values()} == {
        "ingest": (),
        "validate": ("ingest",),
        "features": ("ingest", "validate"),
        "train": ("features",),
        "search": ("features",),
        "gate": ("features", "train"),
        "approve": ("gate",),
        "package": ("features", "train", "gate"),
        "deploy": ("gate", "package"),
        "close": ("features", "gate", "approve", "deploy"),
        "rollback": (),
        "drift": ("ingest", "validate"),
        "decide": ("drift",),
        "report": ("drift", "decide"),
        "prove": (),
        "plan_replay": (),
        "prepare_replay": (),
        "replay": (),
    }
    assert STEPS["close"].required == ()
    assert STEPS["gate"].required == ("features", "train")


def test_only_the_first_step_of_a_run_and_those_of_a_replay_read_what_a_trigger_sent():
    reading = [step.name for step in STEPS.values() if step.reads_conf]
    assert reading == ["ingest", "rollback", "prove", "plan_replay", "prepare_replay", "replay"]


def test_a_link_to_mlflow_names_a_field_that_is_there():
    links = [
        (step, link)
        for step in STEPS.values()
        for link in step.links
        if isinstance(link, catalogue.MlflowLink)
    ]
    assert {step.name for step, _ in links} > {"train", "gate", "drift"}
    for step, link in links:
        result = STEPS[link.of].result if link.of else step.result
        assert link.field in result.model_fields, step.name
        assert link.of is None or link.of in step.needs, step.name


def test_whoever_parses_dags_loads_no_step_and_nothing_heavy():
    program = "import json, sys, pipelines.steps.catalogue; print(json.dumps(sorted(sys.modules)))"
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    loaded = set(json.loads(process.stdout))
    assert loaded & HEAVY == set()
    assert {name for name in loaded if name.startswith("pipelines.steps.")} == {
        "pipelines.steps.catalogue"
    }
