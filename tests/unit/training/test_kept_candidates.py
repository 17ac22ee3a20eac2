"""What a bundle keeps of a candidate, so that a champion can be fitted again."""

from pipelines.spec import Candidate
from pipelines.training.own.candidates import keep_candidate, read_candidate


def candidate(**fields):
    return Candidate.model_validate(fields)


def test_a_vote_comes_back_with_its_parts_and_weights_and_without_their_search():
    linear = candidate(
        name="linear",
        estimator="sklearn.linear_model.LogisticRegression",
        search={"C": [0.1, 1.0]},
        calibrate="sigmoid",
    )
    bayes = candidate(
        name="bayes",
        estimator="sklearn.naive_bayes.GaussianNB",
        steps=[{"step": "bins", "columns": ["income"], "count": 4}],
    )
    both = candidate(name="both", vote={"linear": 2, "bayes": 1})
    both.place([linear, bayes, both], in_time=False)
    again = read_candidate(keep_candidate(both))
    assert again.vote == {"linear": 2, "bayes": 1}
    assert [part.name for part in again.parts] == ["linear", "bayes"]
    assert again.parts[0].calibrate == "sigmoid"
    assert again.parts[0].search == {}
    assert again.parts[1].steps == bayes.steps
    assert not again.in_time
