"""Feature versions in git and DVC: users' configurations, and those that could run a command."""

import subprocess

import pytest

from pipelines.errors import Corrupted, PerennialError
from tests.contracts.dvc_repository import WRITER, file, in_remote
from tests.contracts.processes import finish, start

# DVC 3.67 asks pygtrie for the value of a step that is not there; pygtrie 2.5 will raise
# AttributeError some day.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")


class TestConfiguration:
    """What somebody configured for git or DVC neither matters nor runs."""

    def test_what_users_configured_for_themselves_does_not_matter(
        self, dvc_versions, dvc_root, tmp_path
    ):
        home = tmp_path / "home"
        hooks = home / "hooks"
        hooks.mkdir(parents=True)
        (hooks / "pre-commit").write_text("#!/bin/sh\nexit 1\n")
        (hooks / "pre-commit").chmod(0o755)
        core = f"[core]\n hooksPath = {hooks}\n autocrlf = true\n excludesFile = {home}/ignore\n"
        (home / ".gitconfig").write_text(
            f"{core}[commit]\n gpgSign = true\n[user]\n name = Somebody\n"
        )
        (home / "ignore").write_text("*\n")
        (home / ".config/dvc").mkdir(parents=True)
        remote = f"['remote \"other\"']\n url = {home}/other\n"
        (home / ".config/dvc/config").write_text(
            f"[core]\n remote = other\n[cache]\n dir = {home}/cache\n{remote}"
        )
        finish(
            start(
                WRITER,
                dvc_root,
                "p",
                1,
                HOME=str(home),
                GIT_DIR=str(home),
                GIT_AUTHOR_NAME="Somebody",
            )
        )
        finish(start(WRITER, dvc_root, "q", 1, HOME=str(home / "missing")))
        finish(start(WRITER, dvc_root, "r", 1))
        assert set(dvc_versions.files("m")) == {"p-0", "q-0", "r-0"}
        assert in_remote(dvc_root, b"p-0").is_file()
        assert not (home / "cache").exists()
        authors = subprocess.run(
            ["git", "log", "--format=%an"],
            cwd=dvc_root / "repo",
            capture_output=True,
            text=True,
            check=True,
        )
        assert set(authors.stdout.split()) == {"perennial"}

    @pytest.mark.parametrize(
        ("place", "text"),
        [
            (".git/config", '[filter "z"]\n\tclean = touch {mark}\n\tsmudge = touch {mark}\n'),
            (".git/config", "[core]\n\tsshCommand = touch {mark}\n"),
            (".git/config", "[core] fsmonitor = touch {mark}\n"),
            (".git/config", "\tfilemode = true\\\n\tpager = touch {mark}\n"),
            (".git/config", "[include]\n\tpath = {mark}\n"),
            (".git/config", "[alias]\n\tlog = !touch {mark}\n"),
            (".git/info/attributes", "* filter=z\n"),
            (".git/config.worktree", ""),
            (".git/commondir", "../elsewhere\n"),
            (".gitattributes", "* filter=z\n"),
            ("features/.gitattributes", "* ident\n"),
        ],
    )
    def test_a_repository_that_could_run_a_command_is_refused(
        self, dvc_versions, dvc_root, tmp_path, place, text
    ):
        version = dvc_versions.commit("m", {"a": file(b"1")}, "first")
        path, mark = dvc_root / "repo" / place, tmp_path / "ran"
        path.parent.mkdir(exist_ok=True)
        with path.open("a") as changed:
            changed.write(text.format(mark=mark))
        for call in (
            lambda: dvc_versions.commit("m", {"b": file(b"2")}, "never"),
            lambda: dvc_versions.fetch("m", version, ["a"]),
            lambda: dvc_versions.files("m"),
        ):
            with pytest.raises(Corrupted, match=str(path)):
                call()
        assert not mark.exists()

    def test_a_filter_of_somebodys_does_not_run(self, dvc_versions, dvc_root, tmp_path):
        """The attack whole: a command in the configuration, and attributes that apply it to every
        file."""
        dvc_versions.commit("m", {"a": file(b"1")}, "first")
        git, mark = dvc_root / "repo" / ".git", tmp_path / "ran"
        (git / "info").mkdir()
        (git / "info/attributes").write_text("* filter=z\n")
        with (git / "config").open("a") as config:
            config.write(
                f'[filter "z"]\n\tclean = sh -c "touch {mark}; cat"\n\tsmudge = sh -c "touch'
                f' {mark}; cat"\n'
            )
        with pytest.raises(Corrupted):
            dvc_versions.commit("m", {"b": file(b"2")}, "never")
        assert not mark.exists()

    def test_git_looks_for_no_repository_above(self, dvc_versions, dvc_root):
        """A folder that is no repository any more must not make git heal the one around it."""
        version = dvc_versions.commit("m", {"a": file(b"1")}, "first")
        subprocess.run(["git", "init", "-q", str(dvc_root.parent)], check=True)
        (dvc_root / "repo/.git/HEAD").unlink()
        with pytest.raises(PerennialError, match="not a git repository"):
            dvc_versions.fetch("m", version, ["a"])
