"""How long a folder takes by itself, on a machine that others use, and whether it has changed."""

import time

import pytest

from pipelines.spec.folders import MOST_FILES, Stopwatch, fingerprint


def test_the_time_in_which_others_had_the_processors_does_not_count():
    now, wait = iter([100.0, 109.0]), iter([3.0, 10.0])
    watch = Stopwatch(now=lambda: next(now), wait=lambda: next(wait))
    assert watch.seconds == 2.0


def test_a_wait_for_a_disk_counts():
    watch = Stopwatch()
    time.sleep(0.2)
    assert watch.seconds > 0.15


@pytest.fixture(params=[1, MOST_FILES], ids=["a few files", "a heap of files"])
def folder(request, tmp_path):
    (tmp_path / "model.yaml").write_text("name: m\n")
    for number in range(request.param):
        (tmp_path / f"rows-{number}.csv").touch()
    return tmp_path


def test_a_folder_is_another_one_when_its_spec_changes_or_a_file_comes_or_goes(folder):
    seen = [fingerprint(folder)]
    assert fingerprint(folder) == seen[0]
    (folder / "model.yaml").write_text("name: other\n")
    seen.append(fingerprint(folder))
    (folder / "more.csv").touch()
    seen.append(fingerprint(folder))
    (folder / "rows-0.csv").unlink()
    seen.append(fingerprint(folder))
    assert len(set(seen)) == len(seen)


def test_a_heap_of_files_is_not_looked_at_one_by_one(tmp_path):
    for number in range(MOST_FILES + 1):
        (tmp_path / f"{number}.csv").touch()
    assert len(fingerprint(tmp_path).splitlines()) == 2
    assert fingerprint(tmp_path / "gone") == "FileNotFoundError"
