"""A candidate that is a finished model: a file in the folder, and nothing to fit."""

import pytest
from pydantic import ValidationError

from pipelines.spec import Candidate
from pipelines.spec.estimators import FINISHED
from pipelines.tasks import CLASSIFY, REGRESS


def candidate(**fields):
    return Candidate.model_validate({"name": "net", **fields})


def test_a_finished_model_stands_in_the_place_of_an_estimator():
    net = candidate(onnx="nets/net.onnx")
    assert net.estimator == FINISHED
    assert net.declaration.tasks == CLASSIFY | REGRESS
    assert candidate(**net.model_dump()) == net


@pytest.mark.parametrize(
    "path",
    ["../net.onnx", "/net.onnx", "a/../net.onnx", ".hidden.onnx", "a//net.onnx", "net.pkl", "",
     "net.onnx\n", "a\\net.onnx", "./net.onnx", "net.onnx/", "n" * 300 + ".onnx"],
)  # fmt: skip
def test_a_path_that_leads_out_of_the_folder_or_to_another_kind_of_file_is_refused(path):
    with pytest.raises(ValidationError, match=r"onnx|estimator"):
        candidate(onnx=path)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "`estimator` is missing; name one, a function of model.py by `pipeline`"),
        ({"estimator": FINISHED}, "named by `onnx: FILE`"),
        ({"estimator": "sklearn.linear_model.Ridge", "onnx": "n.onnx"}, "keep one"),
        ({"onnx": "n.onnx", "params": {"alpha": 1}}, "leave out params"),
        ({"onnx": "n.onnx", "search": {"alpha": [1]}}, "leave out search"),
        ({"onnx": "n.onnx", "encode": "onehot"}, "leave out encode"),
    ],
)
def test_what_is_for_fits_does_not_go_with_a_finished_model(fields, says):
    with pytest.raises(ValidationError) as error:
        candidate(**fields)
    assert says in str(error.value)
