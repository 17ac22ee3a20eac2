"""The little of git that the features' repository needs.

It is cut off from whatever the user configured for themselves.
"""

from __future__ import annotations

import os
import re
import subprocess
from tempfile import NamedTemporaryFile, TemporaryFile
from typing import TYPE_CHECKING

from pipelines.errors import Corrupted, PerennialError, StorageFull
from pipelines.full_disk import is_full

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

_CONFIG = {
    "core.attributesFile": os.devnull,
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.autocrlf": "false",
    "core.fsync": "all",
    "commit.gpgSign": "false",
    "gc.autoDetach": "false",  # garbage is collected before the lock is given back, not behind it
    "maintenance.autoDetach": "false",
    "init.defaultBranch": "main",
}
_IDENTITY = {
    f"GIT_{who}_{what}": text
    for who in ("AUTHOR", "COMMITTER")
    for what, text in (("NAME", "perennial"), ("EMAIL", "perennial@localhost"))
}


_OWN_LINE = re.compile(
    r"\s*([#;].*)?|\[core\]|\s*(repositoryformatversion\s*=\s*0|bare\s*=\s*false"
    r"|(filemode|logallrefupdates|ignorecase|precomposeunicode|symlinks)\s*=\s*(true|false))\s*",
    re.IGNORECASE | re.ASCII,
)
"""The lines that `git init` writes.

Any other can name a command (a filter, a pager, an editor, another file of such lines).
"""

_ATTRIBUTES = (
    ".gitattributes",
    ".dvc/.gitattributes",
    "features/.gitattributes",
    ".git/info/attributes",
)
"""Files that a repository of ours does not have.

By them git changes contents, or runs a filter on them.
"""

_ELSEWHERE = (".git/commondir", ".git/config.worktree")


_DAMAGE = (
    "not a git repository",
    "corrupt",
    "bad object",
    "bad signature",
    "smaller than expected",
    "unexpected line in",
    "unterminated line in",
    "too long, exceeds",
    "unable to unpack",
    "unable to read",
    "inflate",
)
"""What git says of objects, references and indexes that were changed or cut off."""


class Git:
    """A repository with one writer, who holds a lock of his own."""

    def __init__(self, folder: Path, locks: Callable[[], tuple[int, ...]]) -> None:
        """Use the repository in `folder` (its work tree).

        `locks` returns the file descriptors of the locks that the calling thread holds. Each git
        holds them too: where its writer is killed, nobody mends or writes before it has ended.
        """
        self.folder = folder
        self._locks = locks

    def blobs(self, *names: str) -> list[bytes | None]:
        """Return the contents of objects named as `revision:path` (or `revision^{commit}`).

        None for one that is not there.
        """
        output = self._run("cat-file", "--batch", stdin="".join(f"{n}\n" for n in names).encode())
        contents: list[bytes | None] = []
        for _ in names:
            header, _, output = output.partition(b"\n")
            if header.endswith(b" missing"):
                contents.append(None)
                continue
            size = int(header.rsplit(b" ", 1)[1])
            contents.append(output[:size])
            output = output[size + 1 :]
        return contents

    def head(self) -> str:
        """Return the newest commit."""
        return self._run("rev-parse", "HEAD").decode().strip()

    def newest(self, path: str) -> str:
        """Return the newest commit that touched the path."""
        return self._run("log", "-1", "--format=%H", "HEAD", "--", path).decode().strip()

    def revisions(self, path: str) -> list[str]:
        """Return every commit that touched the path."""
        return self._run("log", "--format=%H", "HEAD", "--", path).decode().split()

    def create(self, message: str) -> None:
        """Make a repository of the folder, everything in it as the first commit."""
        self._run("init", "--quiet", "--template=", ".")
        self.commit(["."], message)

    def begin(self, data: bytes) -> str:
        """Make a repository from a bundle that holds all, and return its newest commit."""
        self._run("init", "--quiet", "--template=", ".")
        revision = self.unbundle(data)
        self._run("reset", "--quiet", "--hard", revision)
        return revision

    def bundle(self, since: str) -> bytes:
        """Return git's bundle of the commits since a revision; of all, where it is empty."""
        return self._run("bundle", "create", "--quiet", "-", "main", *([f"^{since}"] * bool(since)))

    def unbundle(self, data: bytes) -> str:
        """Take the objects of a bundle and return its newest commit; nothing points to it yet."""
        with NamedTemporaryFile(prefix="perennial-bundle-") as file:
            file.write(data)
            file.flush()
            return self._run("bundle", "unbundle", file.name).split()[0].decode()

    def follows(self, revision: str, earlier: str) -> bool:
        """Tell whether a commit stands on an earlier one, or is that one."""
        return not self._run("rev-list", "-1", earlier, f"^{revision}")

    def mark(self, names: Mapping[str, str], remove: Collection[str] = ()) -> None:
        """Make references with these names and commits, and remove others, all or none."""
        lines = [f"update {name} {revision}\n" for name, revision in names.items()]
        lines += [f"delete {name}\n" for name in remove]
        self._run("update-ref", "--stdin", stdin="".join(lines).encode())

    def marks(self, below: str) -> dict[str, str]:
        """Return the references below a name, sorted, with their commits."""
        lines = self._run("for-each-ref", "--format=%(refname) %(objectname)", below).decode()
        return dict(line.split(" ", 1) for line in lines.splitlines())

    def commit(self, paths: list[str], message: str) -> str:
        """Commit the paths as they are in the work tree and return the revision."""
        self._run("add", "--", *paths)
        text = message.replace("\x00", " ").encode(errors="replace")
        self._run(
            "commit",
            "--quiet",
            "--no-verify",
            "--allow-empty-message",
            "--cleanup=verbatim",
            "--file=-",
            stdin=text,
        )
        return self.head()

    def heal(self, below: str, revision: str = "HEAD") -> None:
        """Take away what a writer that was killed left behind, and go back to a revision.

        Locks, a torn index, changes in the work tree, commits beyond it.
        """
        inner = self.folder / ".git"
        # A lock below objects/ would end all collecting of garbage; the index is a copy of HEAD
        for stale in [*inner.rglob("*.lock"), inner / "packed-refs.new", inner / "index"]:
            stale.unlink(missing_ok=True)
        self._run("reset", "--quiet", "--hard", revision)
        self._run("clean", "--quiet", "--force", "-d", "--", below)

    def _check(self) -> None:
        """Raise Corrupted where git could run somebody's commands in the repository."""
        inner, config = self.folder / ".git", self.folder / ".git" / "config"
        if not os.path.lexists(inner):
            return  # it is about to be made
        if inner.is_symlink() or not inner.is_dir():
            raise _change_error(inner, "is no folder")
        for name in (*_ATTRIBUTES, *_ELSEWHERE):
            if os.path.lexists(self.folder / name):
                raise _change_error(self.folder / name, "is there")
        if config.is_symlink() or (config.exists() and not config.is_file()):
            raise _change_error(config, "is no plain file")
        text = config.read_text(encoding="utf-8", errors="replace") if config.exists() else ""
        for line in text.split("\n"):
            if not _OWN_LINE.fullmatch(line):
                raise _change_error(config, f"holds the line {line.strip()[:80]!r}")

    def _run(self, *arguments: str, stdin: bytes = b"") -> bytes:
        self._check()
        settings = {**_CONFIG, "safe.directory": str(self.folder)}
        command = [
            "git",
            *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
            *arguments,
        ]
        try:
            # A file, not a pipe: where the writer is killed, git still reads the whole of it
            with TemporaryFile() as whole:
                whole.write(stdin)
                whole.seek(0)
                process = subprocess.run(
                    command,
                    cwd=self.folder,
                    env=_environment(self.folder),
                    stdin=whole,
                    capture_output=True,
                    check=False,
                    pass_fds=self._locks(),
                )
        except FileNotFoundError as error:
            raise PerennialError(
                "git is not there.", remedy="install git and put it on PATH."
            ) from error
        if process.returncode == 0:
            return process.stdout
        complaint = process.stderr.decode(errors="replace").strip()
        if is_full(complaint):
            raise StorageFull(
                f"No space is left for the features' repository {self.folder}.",
                remedy="free space there, then run again.",
            )
        if any(words in complaint for words in _DAMAGE):
            first_line = complaint.split("\n", 1)[0]
            raise Corrupted(
                f"The features' repository {self.folder} is damaged: {first_line}.",
                remedy="restore it from a backup.",
            )
        raise PerennialError(f"git {arguments[0]} failed in {self.folder}: {complaint}")


def _change_error(path: Path, what: str) -> Corrupted:
    return Corrupted(
        f"{path} {what}: no repository of features has that, and git could run a command by it.",
        remedy="find out who wrote it; then take it away, or restore the repository from a backup.",
    )


def _environment(folder: Path) -> dict[str, str]:
    """Return the environment of git.

    Nothing of the user's, who may have hooks, signatures or a GIT_DIR set, nor of a folder above.
    """
    isolation = {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_CEILING_DIRECTORIES": str(folder.parent),
        "GIT_TERMINAL_PROMPT": "0",
    }
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **_IDENTITY, **isolation}
