"""Processes that come after are told how many threads native pools may have."""

import subprocess
import sys

from pipelines.training.threads import announce_threads

PRINT = "from sklearn.utils._openmp_helpers import _openmp_effective_n_threads as n; print(n())"


def test_a_process_that_is_started_then_has_no_more_threads(monkeypatch):
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "")
    announce_threads(1)
    done = subprocess.run([sys.executable, "-c", PRINT], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
