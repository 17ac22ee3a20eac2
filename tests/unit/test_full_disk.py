import errno

import pytest

from pipelines.full_disk import is_full


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (OSError(errno.ENOSPC, "no"), True),
        (OSError(errno.EDQUOT, "no"), True),
        (OSError(errno.EFBIG, "no"), True),
        (OSError(errno.EACCES, "no"), False),
        (ValueError("no space left"), False),
        ("fatal: write error: No space left on device", True),
        ("write /var/lib/docker/x: disk quota exceeded", True),
        ("(sqlite3.OperationalError) database or disk is full", True),
        ("error: pathspec 'quota' did not match", False),
    ],
)
def test_a_full_disk_is_known_by_its_error_or_by_what_a_program_says(cause, expected):
    assert is_full(cause) is expected
