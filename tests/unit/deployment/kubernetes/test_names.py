"""Names in a cluster: valid whatever a model is called, and no two alike."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.bundle.manifest import Release
from pipelines.deployment.kubernetes import names
from pipelines.refs import NAME_PATTERN, Ref
from pipelines.settings import Settings

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
MODELS = st.from_regex(re.compile(NAME_PATTERN), fullmatch=True)
SETTINGS = Settings(store="s3://bucket/state")


def _is_valid(name):
    # Kubernetes appends a hyphen and up to 16 characters for pods
    return bool(LABEL.fullmatch(name)) and len(name) <= 63


@given(MODELS)
def test_every_model_has_a_valid_name(model):
    assert _is_valid(names.object_name(model))
    for value in names.of_model(model, SETTINGS).values():
        assert len(value) <= 63
        assert LABEL.fullmatch(value)


@given(MODELS, MODELS)
def test_no_two_models_have_the_same_name(one, other):
    assert (names.object_name(one) == names.object_name(other)) == (one == other)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("sales", "perennial-sales"),
        ("flight_delays", "perennial-flight-delays"),
        ("a" * 36, f"perennial-{'a' * 36}"),
    ],
)
def test_a_plain_name_is_kept(model, name):
    assert names.object_name(model) == name


def test_names_that_would_be_alike_are_told_apart_by_a_hash():
    hostile = ["a_b", "a__b", "a_b_", "a___b", "a_" * 24, "a" * 48, "a" * 47 + "b", "x_"]
    found = {names.object_name(model) for model in hostile}
    assert len(found) == len(hostile)
    assert all(map(_is_valid, found))


def test_an_object_is_known_by_labels_and_annotations():
    bundle = Ref(uri="objects/ab/ab.json", sha256="ab" * 32)
    release = Release(model="a__b", number=7, version="3", bundle=bundle, reason="a test")
    found = {
        "metadata": {
            "labels": names.labels(release, SETTINGS),
            "annotations": names.told_of(release),
        }
    }
    assert names.is_of_model(found, "a__b", SETTINGS)
    assert names.is_of_release(found, release)
    assert not names.is_of_model(found, "a_b", SETTINGS)
    assert not names.is_of_model(found, "a__b", Settings(store="s3://bucket/other"))
    other = release.model_copy(update={"bundle": Ref(uri="objects/cd/cd.json", sha256="cd" * 32)})
    assert not names.is_of_release(found, other)
    assert not names.is_of_release(found, release.model_copy(update={"number": 8}))
