"""Every error that Perennial raises on purpose, as one tree.

PerennialError                  exit 70   something named went wrong
├── GiveUp                      exit 65   a retry cannot help
│   ├── SpecError                         model.yaml is wrong
│   ├── RequestError                      a request, a trigger's conf or a command line is wrong
│   ├── BadData                           data broke their expectations or cannot be read
│   ├── Corrupted                         stored bytes are not what their hash says
│   ├── Denied                            a service refuses: a right is missing
│   ├── Conflict                          somebody else decided first (compare-and-set lost)
│   ├── Refused                           the server would not take a release; the old one stays
│   ├── NotReproduced                     a version that was built again came out otherwise
│   ├── KeyUnusable                       the key that signs bundles is missing, expired or no key
│   ├── Untrusted                         a bundle has no signature of a trusted key
│   └── ModelFailed                       the process of a model's own code hung, died or lied
└── TryAgain                    exit 75   a service or resource is away; a retry may help
    ├── Unreachable                       a source, a remote or a service does not answer
    ├── StorageFull                       no space left
    └── Busy                              a lock was not free in time

An error carries its message and, where there is one, the remedy. It is raised at the border, `from`
its cause, with the path, model or column in the message. Refusal by the gate is a result, never an
error.
"""

from __future__ import annotations

from typing import ClassVar


class PerennialError(Exception):
    """Something named went wrong."""

    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, *, remedy: str = "", at: tuple[str | int, ...] = ()) -> None:
        """Keep the message and the remedy apart, so that a UI can show both.

        `at` is the place in model.yaml (keys and positions from the top) that the remedy is about.
        """
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.at = at

    def __str__(self) -> str:
        """Show the message, then the remedy."""
        return f"{self.message} Remedy: {self.remedy}" if self.remedy else self.message


class GiveUp(PerennialError):
    """A retry cannot help."""

    exit_code = 65


class SpecError(GiveUp):
    """A model's spec is wrong."""


class RequestError(GiveUp):
    """A request, a trigger's conf or a command line is wrong."""


class BadData(GiveUp):
    """Data broke their expectations or cannot be read."""


class Corrupted(GiveUp):
    """Stored bytes are not what their hash says."""


class Denied(GiveUp):
    """A service refuses what was asked: a right is missing, or the credentials are wrong."""


class Conflict(GiveUp):
    """Somebody else decided first."""


class Refused(GiveUp):
    """The server would not take a release; the old one stays."""


class NotReproduced(GiveUp):
    """A version that was built again came out otherwise."""


class KeyUnusable(GiveUp):
    """The key that signs bundles is missing, expired, retired or no key."""


class Untrusted(GiveUp):
    """A bundle has no signature that counts, so nothing of it is read."""


class ModelFailed(GiveUp):
    """The process of a model's own code did not answer; the model may be asked again."""


class TryAgain(PerennialError):
    """A service or resource is away; a retry may help."""

    exit_code = 75


class Unreachable(TryAgain):
    """A source, a remote or a service does not answer."""


class StorageFull(TryAgain):
    """No space is left; nothing was published."""


class Busy(TryAgain):
    """A lock was not free in time."""
