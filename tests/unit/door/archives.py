"""Archives of a build, plain ones and such as no library writes."""

from __future__ import annotations

import io
import tarfile


def header(name, size, kind=b"0", field=None):
    """A header that no library writes.

    This size, whatever it is, or these bytes in the place of the size.
    """
    block = bytearray(tarfile.TarInfo(name).tobuf(tarfile.USTAR_FORMAT))
    block[156:157] = kind
    block[124:136] = field or (
        (256**12 + size).to_bytes(12, "big") if size < 0 else b"%011o\0" % size
    )
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(data):
    return data + bytes(-len(data) % 512)


DOCKERFILE = header("Dockerfile", 7) + padded(b"FROM a\n")
END = bytes(1024)


class Counted(io.BytesIO):
    """A file that remembers the longest piece that was read of it at once."""

    longest = 0

    def read(self, size=-1):
        found = super().read(size)
        self.longest = max(self.longest, len(found))
        return found
