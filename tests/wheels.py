"""Wheels and a package index of a test's own, as files: nothing is asked of any network."""

from __future__ import annotations

import base64
import hashlib
import os
import zipfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


class Index:
    """A simple index (PEP 503) in a folder, which uv asks in place of the configured one."""

    def __init__(self, root: Path) -> None:
        """Begin without a package."""
        self.root = root
        self._links: dict[str, list[str]] = {}

    @property
    def url(self) -> str:
        """What uv is configured with."""
        return self.root.as_uri()

    def add(
        self,
        name: str,
        version: str,
        modules: Mapping[str, str] | None = None,
        *,
        needs: Sequence[str] = (),
        python: str = ">=3.11",
        yanked: str | None = None,
    ) -> Path:
        """Add a wheel with these modules (path: text); one of the package's name by default."""
        files = dict(modules or {f"{name}/__init__.py": f"VERSION = {version!r}\n"})
        info = f"{name}-{version}.dist-info"
        needed = "".join(f"Requires-Dist: {need}\n" for need in needs)
        files[f"{info}/METADATA"] = (
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: {python}\n"
            + needed
        )
        files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        record = "".join(f"{path},{_hash(text)},{len(text)}\n" for path, text in files.items())
        files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        wheel = folder / f"{name}-{version}-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for path, text in files.items():
                archive.writestr(zipfile.ZipInfo(path), text)
        self._link(wheel, python, yanked)
        return wheel

    def add_sources(self, name: str, version: str) -> None:
        """Add a package that comes as sources only."""
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        sources = folder / f"{name}-{version}.tar.gz"
        sources.write_bytes(b"")
        self._link(sources, ">=3.11", None)

    def _link(self, file: Path, python: str, yanked: str | None) -> None:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        requires = python.replace(">", "&gt;").replace("<", "&lt;")
        mark = f' data-yanked="{yanked}"' if yanked is not None else ""
        link = (
            f'<a href="{file.name}#sha256={digest}" data-requires-python="{requires}"{mark}>'
            f"{file.name}</a>"
        )
        links = self._links.setdefault(file.parent.name, [])
        links.append(link)
        (file.parent / "index.html").write_text(f"<html><body>{''.join(links)}</body></html>")


def _hash(text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
    return f"sha256={digest.decode()}"


def only_index(url: str) -> Iterator[None]:
    """Let uv know this index alone, without cache or retry, until the generator goes on."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
            patch.delenv(name)
        patch.setenv("UV_DEFAULT_INDEX", url)
        patch.setenv("UV_HTTP_RETRIES", "0")
        yield
