"""One history of features for all hosts: what each commits, in git's bundles under the next number.

The bundles lie in the bucket of the store. The first writer of a number wins: whoever comes second
takes over what the first one did, and does its own work anew on top of it. So no host has anything
of the repository that the others cannot have, and a host that is lost takes nothing with it.

In a host's repository a reference `refs/history/000012` says which commit stands behind the
twelfth bundle. Commits beyond it are of a writer that was killed: nobody has seen them.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pipelines.errors import Corrupted
from pipelines.versions.git import Git

if TYPE_CHECKING:
    from collections.abc import Callable

BELOW = "features"
"""The folder that writers write in."""
MARKS = "refs/history"
DIGITS = 6
WHOLE_EVERY = 100
"""After so many bundles a whole one is written, so that a new host need not read them all."""


class History(Protocol):
    """Where the bundles of all hosts lie."""

    def read(self, number: int) -> bytes | None:
        """Return a bundle; None before it was written."""
        ...

    def add(self, number: int, data: bytes) -> bool:
        """Write a bundle unless it is there; tell whether this call did."""
        ...

    def newest_whole(self) -> tuple[int, bytes] | None:
        """Return the newest bundle that needs no other, and the number that it reaches to."""
        ...

    def add_whole(self, number: int, data: bytes) -> None:
        """Write a bundle that needs no other."""
        ...


class Reach(NamedTuple):
    """How far a repository has followed the history: the number, and its commit."""

    number: int
    revision: str


class SharedHistory:
    """A host's repository, as it follows the history of all hosts."""

    def __init__(
        self,
        folder: Path,
        history: History,
        locks: Callable[[], tuple[int, ...]],
        whole_every: int = WHOLE_EVERY,
    ) -> None:
        """Follow with the repository in `folder`, which need not be there yet.

        After so many bundles as `whole_every` says a whole one is written.
        """
        self._whole_every = whole_every
        self._folder, self._history, self._locks = folder, history, locks
        self._git = Git(folder, locks)

    @property
    def revision(self) -> str:
        """The newest commit that all hosts have; empty before there is one."""
        return self._find_reach().revision

    @property
    def is_behind(self) -> bool:
        """Whether other hosts have written what this one has not read: one question."""
        return self._history.read(self._find_reach().number + 1) is not None

    def catch_up(self) -> None:
        """Read what other hosts wrote, and forget what this one did not get to write.

        Raises Corrupted where the repository is not of this history.
        """
        if not self._is_there():
            self._begin()
        if not self._is_there():
            return
        reach = self._find_reach()
        while (data := self._history.read(reach.number + 1)) is not None:
            reach = self._follow(reach, data)
        if reach.number:
            self._git.heal(BELOW, reach.revision)

    def add(self, git: Git | None = None) -> bool:
        """Write what was committed; False where another host was first, and nothing was written.

        `git` is a repository that is still to be put in its place.
        """
        git = git or self._git
        reach = _find_reach(git)
        revision = git.head()
        if revision == reach.revision:
            return True
        number = reach.number + 1
        if not self._history.add(number, git.bundle(reach.revision)):
            return False
        _mark(git, reach, Reach(number, revision))
        if number % self._whole_every == 0:
            self._history.add_whole(number, git.bundle(""))
        return True

    def _is_there(self) -> bool:
        return (self._folder / ".git").is_dir()

    def _find_reach(self) -> Reach:
        return _find_reach(self._git) if self._is_there() else Reach(0, "")

    def _begin(self) -> None:
        """Make the repository from what other hosts wrote, where they wrote anything.

        It appears whole, by one renaming.
        """
        whole = self._history.newest_whole()
        if whole is None:
            first = self._history.read(1)
            if first is None:
                return
            whole = 1, first
        for leftover in self._folder.parent.glob(".repo-*"):
            shutil.rmtree(leftover)
        draft = Path(tempfile.mkdtemp(prefix=".repo-", dir=self._folder.parent))
        git = Git(draft, self._locks)
        number, data = whole
        _mark(git, Reach(0, ""), Reach(number, git.begin(data)))
        draft.rename(self._folder)

    def _follow(self, reach: Reach, data: bytes) -> Reach:
        revision = self._git.unbundle(data)
        own = reach.revision or self._git.head()
        is_ours = self._git.follows(revision, own)
        if not is_ours and (reach.revision or not self._git.follows(own, revision)):
            raise self._is_another()
        now = Reach(reach.number + 1, revision)
        _mark(self._git, reach, now)
        return now

    def _is_another(self) -> Corrupted:
        return Corrupted(
            f"The features' repository {self._folder} is not the one whose history the bucket"
            " holds.",
            remedy=(
                "move the folder away: this host then takes the bucket's history. What only it had"
                " must be built again."
            ),
        )


def _find_reach(git: Git) -> Reach:
    marks = git.marks(MARKS)
    if not marks:
        return Reach(0, "")
    name = max(marks)
    return Reach(int(name.rpartition("/")[2]), marks[name])


def _mark(git: Git, before: Reach, now: Reach) -> None:
    old = [f"{MARKS}/{before.number:0{DIGITS}d}"] if before.number else []
    git.mark({f"{MARKS}/{now.number:0{DIGITS}d}": now.revision}, remove=old)
