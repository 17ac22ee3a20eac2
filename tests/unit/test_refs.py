import pytest
from pydantic import ValidationError

from pipelines.refs import Ref, Value, canonical, digest
from pipelines.run_names import safe_id
from pipelines.step_record import last_record, record_line


class Answer(Value):
    rows: int


def test_the_result_is_the_last_line_that_is_a_record_of_the_step():
    lines = [
        "INFO reading",
        record_line("ingest", Answer(rows=1)),
        '{"perennial_record": 1, "step": "validate", "result": {"rows": 9}}',
        record_line("ingest", Answer(rows=2)),
        "warning: printed at interpreter exit",
        '{"perennial_record": "half a reco',
    ]
    assert last_record(lines, "ingest") == {"rows": 2}
    assert last_record(lines, "gate") is None


def test_one_text_for_one_value_and_no_nan():
    assert canonical({"b": 1, "a": [1.5, "é"]}) == canonical({"a": [1.5, "é"], "b": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical({"a": float("nan")})


def test_a_digest_depends_on_every_part():
    ref = Ref(uri="objects/a", sha256="0" * 64)
    assert digest("a", ref) == digest("a", Ref(uri="objects/a", sha256="0" * 64))
    assert digest("a", ref) != digest("b", ref)
    assert digest("ab", "c") != digest("a", "bc")


@pytest.mark.parametrize("uri", ["../x", "/etc/passwd", "a/../../b", "a\\b", "a\x00", ""])
def test_a_reference_cannot_leave_its_store(uri):
    with pytest.raises(ValidationError):
        Ref(uri=uri, sha256="0" * 64)


@pytest.mark.parametrize(
    "text", ["../../x", "a b; rm -rf /", "{{ 7*7 }}", "x" * 300, ".hidden", "é"]
)
def test_a_safe_id_is_a_plain_file_name_and_tells_different_texts_apart(text):
    identifier = safe_id(text)
    assert "/" not in identifier
    assert not identifier.startswith(".")
    assert len(identifier) < 130
    assert identifier != safe_id(text + "!")


def test_a_plain_id_stays_as_it_is():
    assert safe_id("manual__2013-04-01T00:00:00+00:00") == "manual__2013-04-01T00:00:00+00:00"
