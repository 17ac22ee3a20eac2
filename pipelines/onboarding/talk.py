"""What `init` asks, assumes and warns of: to a person at a terminal, or in words at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass
class Talk:
    """Asks where there is somebody to ask, else assumes; keeps what was said.

    `ask` gets a question, the assumption and the choices, and returns the answer; None where nobody
    is there.
    """

    ask: Callable[[str, str, Sequence[str]], str] | None = None
    findings: list[str] = field(default_factory=list)
    assumptions: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def choose(self, question: str, assumption: str, choices: Sequence[str], option: str) -> str:
        """Return the answer to a question; where nobody is asked, the assumption, and say so.

        `option` is what says it on the command line.
        """
        if self.ask is not None:
            return self.ask(question, assumption, choices)
        self.assumptions.append(f"{question} Assumed: {assumption}. Else pass {option}.")
        return assumption

    def find(self, sentence: str) -> None:
        """Keep what was found."""
        self.findings.append(sentence)

    def assume(self, sentence: str) -> None:
        """Keep what is assumed, and how to say otherwise."""
        self.assumptions.append(sentence)

    def warn(self, sentence: str) -> None:
        """Keep a warning."""
        self.warnings.append(sentence)
