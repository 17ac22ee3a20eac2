"""What a document tells one to type is there: the command, its options, and what it names."""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from itertools import pairwise

import pytest
import typer
import yaml

import stack.cli
from pipelines.cli.app import app as perennial
from tests.commands_in_text import commands_in
from tests.conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PLACEHOLDER = re.compile(r"[A-Z]+|[<{…].*|.*…")
"""A word in a reader's stead: MODEL, NAME, <day>, …"""


def is_literal(word):
    return not PLACEHOLDER.fullmatch(word) and not word.startswith("$")


@cache
def group_of(app):
    return typer.main.get_command(app)


def faults_of_typer(group, words):
    """Return what is wrong with the words behind the name of a program or of a group."""
    if not words or words[0] in {"--help", "--version"} or not is_literal(words[0]):
        return []
    if words[0] not in group.commands:
        return [f"no command {words[0]}"]
    command = group.commands[words[0]]
    if hasattr(command, "commands"):
        return faults_of_typer(command, words[1:])
    if command.ignore_unknown_options:
        return []
    return faults_of_words(command, words[1:])


def faults_of_words(command, words):
    """Return what is wrong with the options and arguments of a command."""
    options = {name: p for p in command.params for name in (*p.opts, *p.secondary_opts)}
    places = [p for p in command.params if p.param_type_name == "argument"]
    faults, given, left = [], 0, list(words)
    while left:
        word = left.pop(0)
        if word.startswith("-"):
            name, has_value, value = word.partition("=")
            option = options.get(name)
            if option is None:
                faults += [f"no option {name}"] if name != "--help" else []
            elif not option.is_flag:
                value = value if has_value else (left.pop(0) if left else "")
                faults += faults_of_value(option, name, value)
        elif not (places and places[-1].nargs == -1):
            given += 1
            faults += faults_of_value(places[given - 1], "it", word) if given <= len(places) else []
    few = given <= len(places)
    return faults + ([] if few else [f"{given} arguments, and it takes {len(places)}"])


def faults_of_value(parameter, name, value):
    choices = parameter.type_descriptor.choices
    wrong = choices and is_literal(value) and value not in choices
    return [f"{name} takes no {value!r}"] if wrong else []


@cache
def makefile():
    return (ROOT / "Makefile").read_text()


def faults_of_make(words):
    targets = set(re.findall(r"(?m)^([a-z-]+(?: [a-z-]+)*):(?!=)", makefile()))
    known = {name for names in targets for name in names.split()}
    faults = [f"no target {w}" for w in words if "=" not in w and is_literal(w) and w not in known]
    names = [w.partition("=")[0] for w in words if "=" in w]
    return faults + [
        f"no variable {name}"
        for name in names
        if not name.startswith("PERENNIAL_") and f"$({name})" not in makefile()
    ]


def faults_of_module(words):
    name, options = words[0], [w.partition("=")[0] for w in words[1:] if w.startswith("--")]
    if name == "pipelines":
        return faults_of_typer(group_of(perennial), words[1:])
    if name == "stack":
        return faults_of_typer(group_of(stack.cli.app), words[1:])
    if not is_literal(name.rpartition(".")[2]):
        return []
    found = importlib.util.find_spec(name)
    if found is None:
        return [f"no module {name}"]
    if name.partition(".")[0] != "benchmarks":
        return []
    text = (ROOT / f"{name.replace('.', '/')}.py").read_text() + "--help"
    return [f"no option {option}" for option in options if f'"{option}"' not in text]


@cache
def composed():
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


VALUED = {"--env-file", "--profile", "--scale", "--tail", "--entrypoint", "-f", "-p", "-e", "-v"}
"""Options of compose that our documents give a value to."""
OF_SERVICES = {"build", "exec", "logs", "ps", "restart", "run", "start", "stop", "up", "kill", "rm"}


def faults_of_compose(words):
    services, faults, command, left = composed()["services"], [], "", list(words)
    profiles = {name for service in services.values() for name in service.get("profiles", [])}
    plain = True
    while left:
        word = left.pop(0)
        if word.startswith("-"):
            name, has_value, value = word.partition("=")
            if name in VALUED:
                value = value if has_value else left.pop(0)
            if name == "--profile" and value not in profiles:
                faults.append(f"no profile {value}")
            if name == "--scale" and value.partition("=")[0] not in services:
                faults.append(f"no service {value}")
            plain = plain and name != "--entrypoint"
        elif not is_literal(word):
            continue
        elif not command:
            command = word
        elif command in OF_SERVICES and word not in services:
            faults.append(f"no service {word}")
        elif command == "run":
            of_ours = plain and word == "perennial"
            return faults + (faults_of_typer(group_of(perennial), left) if of_ours else [])
    return faults


def faults_of_helm(words):
    """Return the values of `--set` that the chart's values.yaml has not."""
    values = yaml.safe_load((ROOT / "docker" / "chart" / "values.yaml").read_text())
    faults = []
    for given in [w for before, w in pairwise(words) if before == "--set"]:
        for name in [pair.partition("=")[0] for pair in given.split(",")]:
            place = values
            for part in name.split("."):
                place = place.get(part) if isinstance(place, dict) else None
            if place is None:
                faults.append(f"no value {name}")
    return faults


def faults_of(words):
    head, rest = words[0].rpartition("/")[2], words[1:]
    if head == "perennial":
        return faults_of_typer(group_of(perennial), rest)
    if head == "make":
        return faults_of_make(rest)
    if head.startswith("python") and rest[:1] == ["-m"]:
        return faults_of_module(rest[1:])
    if head == "docker" and rest[:1] == ["compose"]:
        return faults_of_compose(rest[1:])
    if head == "helm":
        return faults_of_helm(rest)
    return []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_document_is_there(page):
    shown = commands_in(page.read_text())
    assert [(" ".join(words), faults) for words in shown if (faults := faults_of(words))] == []


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("perennial flet --state red", "no command flet"),
        (".venv/bin/perennial fleet --colour red", "no option --colour"),
        ("perennial fleet --state crimson", "--state takes no 'crimson'"),
        ("perennial who-served demo twice --at 2024-01-01", "2 arguments, and it takes 1"),
        ("perennial quarantine demo 2024-01-07T00 admitt --by ann", "it takes no 'admitt'"),
        ("perennial keys renew", "no command renew"),
        ("docker compose run --rm perennial statos", "no command statos"),
        ("docker compose up -d --scale workers=3", "no service workers=3"),
        ("docker compose --profile kelp up", "no profile kelp"),
        ("docker compose logs scheduling", "no service scheduling"),
        ("make bench-scales", "no target bench-scales"),
        ("make up EXECUTORS=celery", "no variable EXECUTORS"),
        ("python -m benchmarks.huge", "no module benchmarks.huge"),
        ("python -m benchmarks.large --row 5", "no option --row"),
        (".venv/bin/python -m stack pause", "no command pause"),
        ("helm install p docker/chart --set airflow.executer=celery", "no value airflow.executer"),
    ],
)
def test_a_command_that_is_not_there_would_be_seen(command, fault):
    [words] = commands_in(f"```sh\n{command}   # a word\n```\n")
    assert faults_of(words) == [fault]
    [words] = commands_in(f"Then `{command}` helps.")
    assert faults_of(words) == [fault]


def test_the_commands_of_a_document_are_found():
    text = (
        "```sh\numask 077\nA=1 make up \\\n  EXECUTOR=x  # b\ncat >f <<'EOF'\nmake no\nEOF\n```\n"
    )
    assert commands_in(text + "and `perennial status MODEL`, but `perennial`.") == [
        ["umask", "077"],
        ["make", "up", "EXECUTOR=x"],
        ["cat"],
        ["f"],
        ["perennial", "status", "MODEL"],
    ]


SOURCES = ("*.py", "*.sh", "*.yml", "*.yaml", "*.tpl", "Makefile")


@cache
def known_settings():
    """Return every variable that something in the checkout reads, sets or hands on."""
    from pipelines.settings import Settings

    folders = [d for d in ROOT.iterdir() if d.is_dir() and d.name not in {"docs", "var"}]
    folders = [folder for folder in folders if not folder.name.startswith(".")]
    files = [f for folder in folders for kind in SOURCES for f in folder.rglob(kind)]
    texts = [f.read_text() for f in [*files, ROOT / "docker-compose.yml", ROOT / "Makefile"]]
    found = {name for text in texts for name in re.findall(r"(?:PERENNIAL|AIRFLOW)_\w+", text)}
    return found | {f"PERENNIAL_{name.upper()}" for name in Settings.model_fields}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_variable_of_a_document_is_one(page):
    named = set(re.findall(r"\b(?:PERENNIAL|AIRFLOW_)_[A-Z0-9_]*[A-Z0-9]\b(?!_)", page.read_text()))
    assert named - known_settings() == set()


def test_every_variable_of_the_composed_stack_is_documented():
    text = (ROOT / "docker-compose.yml").read_text()
    documents = " ".join(page.read_text() for page in PAGES)
    named = set(re.findall(r"PERENNIAL_\w+", documents))
    for names, end in re.findall(r"PERENNIAL_\{([A-Z_,]+)\}(\w+)", documents):
        named |= {f"PERENNIAL_{name}{end}" for name in names.split(",")}
    read = set(re.findall(r"\$\{(PERENNIAL_[A-Z_]+)", text))
    assert {name for name in read - named if "_SECRET_" not in name} == set()
