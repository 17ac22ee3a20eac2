"""`pipeline: make` names a function of the folder's `model.py` in place of an estimator."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from pipelines.spec import Candidate


def candidate(**fields):
    return Candidate.model_validate({"name": "own", **fields})


@pytest.mark.parametrize("form", ["make", {"function": "make"}])
def test_both_forms_name_the_function(form):
    own = candidate(pipeline=form)
    assert own.pipeline.function == "make"
    assert own.estimator == "model.py:make"
    assert not own.declaration.dummy


def test_it_is_read_again_as_it_was_written():
    own = candidate(pipeline="make", search={"columns__numbers__clip__low": [0.0, 0.1]})
    assert Candidate.model_validate(own.model_dump(mode="json")) == own


RIDGE = "sklearn.linear_model.Ridge"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "`estimator` is missing; name one, a function of model.py by `pipeline`"),
        ({"pipeline": "make", "estimator": RIDGE}, "leave `estimator` out, or the other one"),
        ({"estimator": "model.py:make"}, "is named by `pipeline: {function: NAME}`"),
        ({"pipeline": "make", "encode": "onehot"}, "leave `encode` out"),
        ({"pipeline": {"function": "os.system('x')"}}, "pipeline.function"),
        ({"pipeline": {"file": "model.py"}}, "pipeline"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(fields, words):
    with pytest.raises(ValidationError, match=words.replace("{", r"\{")):
        candidate(**fields)
