"""The user's own code (`build`, `read`, own metrics), run in a child process.

The child has a time-out and may end however it likes.
"""

from pipelines.user_code.worker import (
    call_build,
    call_build_file,
    call_judge_for_spark,
    call_metric,
    call_read,
    load,
)

__all__ = [
    "call_build",
    "call_build_file",
    "call_judge_for_spark",
    "call_metric",
    "call_read",
    "load",
]
