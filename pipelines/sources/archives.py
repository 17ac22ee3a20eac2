"""What compressed files and zip archives hold, within a limit of bytes."""

from __future__ import annotations

import io
import zipfile
from typing import IO

from pipelines.errors import BadData

_CHUNK = 2**20
_ZIP = b"PK\x03\x04"
_MARKS = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bz2"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\x00", "xz"),
)
"""With what compressed files begin, whatever their names say."""

_OWN_ZIPS = (".parquet", ".xlsx", ".xlsm", ".xlsb", ".ods")
"""Endings of formats whose files are zip archives themselves, or may begin like one."""


def content_of(file: IO[bytes], subject: str, most: int) -> bytes:
    """Return the file's bytes.

    Raises BadData beyond `most` of them; what the file itself raises goes through.
    """
    data = io.BytesIO()
    _copy(file, data, subject, most)
    return data.getvalue()


def _copy(file: IO[bytes], target: IO[bytes], subject: str, most: int) -> None:
    while chunk := file.read(min(_CHUNK, most + 1 - target.tell())):
        target.write(chunk)
        if target.tell() > most:
            raise too_large(subject, most)


def too_large(subject: str, most: int) -> BadData:
    """Return the error of a file that takes more memory than reading may take."""
    return BadData(
        f"{subject} unpacks to more than {most} bytes.",
        remedy=(
            "split the file, or give the step more memory (resources.memory in model.yaml, or the"
            " machine)."
        ),
    )


def unpack(data: bytes, name: str, most: int) -> bytes:
    """Return what a compressed file holds, by its first bytes or its name; other files as they are.

    Of a zip archive, its only file. Raises BadData beyond `most` bytes, and where it cannot be
    decompressed.
    """
    if is_archive(data, name):
        return _only_member(data, name, most)
    kind = compression_of(data, name)
    if kind is None:
        return data
    unpacked = io.BytesIO()
    unpack_stream(io.BytesIO(data), unpacked, kind, name, most)
    return unpacked.getvalue()


def is_archive(data: bytes, name: str) -> bool:
    """Tell whether the bytes begin a zip archive, and the format is none of those that are one."""
    return data.startswith(_ZIP) and not name.lower().endswith(_OWN_ZIPS)


def compression_of(data: bytes, name: str) -> str | None:
    """Return how a file is compressed, by its first bytes or its name; None where it is not."""
    from fsspec.utils import infer_compression

    kind = next((word for mark, word in _MARKS if data.startswith(mark)), None)
    kind = kind or ("zstd" if name.lower().endswith(".zst") else infer_compression(name))
    return None if kind == "zip" else kind


def unpack_stream(source: IO[bytes], target: IO[bytes], kind: str, name: str, most: int) -> None:
    """Write what a compressed stream holds.

    Raises BadData beyond `most` bytes, and where it cannot be decompressed.
    """
    import pyarrow as pa
    from fsspec.compression import compr

    try:
        with (
            pa.CompressedInputStream(pa.PythonFile(source, mode="r"), kind)
            if kind == "zstd"
            else compr[kind](source, mode="rb")
        ) as stream:
            _copy(stream, target, name, most)
    except BadData:
        raise
    # Each of the libraries has errors of its own, and the bytes alone can be their cause.
    except Exception as error:
        raise BadData(
            f"{name} is no readable compressed file: {first_line(error)}.",
            remedy="the file may be cut short.",
        ) from error


def first_line(error: Exception) -> str:
    """Return the first line of a library's message, with its type where it says nothing."""
    return (str(error).splitlines() or [""])[0][:300].removesuffix(".") or type(error).__name__


def _only_member(archive: bytes, subject: str, most: int) -> bytes:
    """Return the one file of a zip archive. Raises BadData where there are several."""
    names = _files_of(archive, subject)
    if len(names) != 1:
        raise BadData(
            f"{subject} is a zip archive of {len(names)} files: {', '.join(names[:20])}.",
            remedy="name one of them: `member: …` in the source.",
        )
    return member_of(archive, names[0], subject, most)


def name_within(data: bytes, name: str) -> str:
    """Return the name by which a file's format is told: of a zip archive, that of its only file."""
    if not is_archive(data, name):
        return name
    names = _files_of(data, name)
    return names[0] if len(names) == 1 else name


def _files_of(archive: bytes, subject: str) -> list[str]:
    """Return the names of an archive's files, without folders and what macOS adds."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as zip_file:
            return [
                info.filename
                for info in zip_file.infolist()
                if not info.is_dir() and not info.filename.startswith("__MACOSX/")
            ]
    # As in `member_of`: the bytes alone can be the cause.
    except Exception as error:
        raise BadData(
            f"{subject} is no readable zip archive: {first_line(error)}.",
            remedy="the file may be cut short.",
        ) from error


def member_of(archive: bytes, member: str, subject: str, most: int) -> bytes:
    """Return one member of a zip archive.

    Raises BadData naming the archive's members where it is missing or too large.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as zip_file:
            info = _member(zip_file, member, subject, most)
            return unpack(zip_file.read(info), member, most)
    except BadData:
        raise
    # Zipfile raises eight kinds of errors on bytes that are no archive.
    # These alone can be their cause.
    except Exception as error:
        raise BadData(
            f"{subject} is no readable zip archive: {first_line(error)}.",
            remedy="the file may be cut short.",
        ) from error


def _member(archive: zipfile.ZipFile, member: str, subject: str, most: int) -> zipfile.ZipInfo:
    names = archive.namelist()
    if member not in names:
        listing = ", ".join(names[:20])
        raise BadData(f"{subject} has no member {member!r}.", remedy=f"it has: {listing}.")
    info = archive.getinfo(member)
    if info.file_size > most:
        raise too_large(f"{subject}: member {member!r} ({info.file_size} bytes)", most)
    return info
