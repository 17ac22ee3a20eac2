import subprocess

from pipelines.checkout import commit_of


def test_the_commit_of_a_checkout_and_of_nothing_else(tmp_path, monkeypatch):
    assert commit_of(tmp_path) is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@localhost"]
    subprocess.run([*git, "init", "-q"], check=True)
    assert commit_of(tmp_path) is None, "it has no commit yet"
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    commit = commit_of(tmp_path)
    assert commit is not None
    assert len(commit) == 40
    (tmp_path / "inner").mkdir()
    assert commit_of(tmp_path / "inner") is None, "that is another one's checkout"
    monkeypatch.setenv("PATH", "")
    assert commit_of(tmp_path) is None
