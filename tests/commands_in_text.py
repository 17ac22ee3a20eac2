"""The commands that a document shows: those of its blocks for a shell, and those in backticks."""

from __future__ import annotations

import re
import shlex

PUNCTUATION = "();<>|&\n"
BLOCKS = re.compile(r"(?ms)^ *```(\w*)\n(.*?)^ *```")
BEGINNINGS = (
    "perennial ",
    ".venv/bin/perennial ",
    "make ",
    "python -m ",
    ".venv/bin/python -m ",
    "docker compose ",
    "helm ",
)
"""How what stands in backticks begins, where it is a command and no name."""


def commands_in(text: str) -> list[list[str]]:
    """Return each command that the text shows, as its words."""
    found = []
    for language, block in BLOCKS.findall(text):
        if language == "sh":
            found += split(block)
    spans = re.findall(r"`([^`]+)`", BLOCKS.sub("", text).replace("\n", " "))
    for span in spans:
        if span.startswith(BEGINNINGS):
            found += split(span)
    return found


def split(block: str) -> list[list[str]]:
    """Return the commands of a piece for a shell, without what is set before and around them."""
    block = re.sub(r"(?ms)<<'?(\w+)'?.*?^\1$", "", block)
    block = re.sub(r"\\\n\s*", " ", block)
    block = re.sub(r"(?m)(^|\s)#.*$", "", block)
    lexer = shlex.shlex(block, posix=True, punctuation_chars=PUNCTUATION)
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t", True, ""
    commands: list[list[str]] = [[]]
    for word in lexer:
        if word and set(word) <= set(PUNCTUATION):
            commands.append([])
        else:
            commands[-1].append(word)
    return [command for words in commands if (command := _without_settings(words))]


def _without_settings(words: list[str]) -> list[str]:
    while words and re.match(r"export$|\w+=", words[0]):
        words = words[1:]
    return words
