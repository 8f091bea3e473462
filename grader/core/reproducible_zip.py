"""Packs files into a zip whose bytes depend on nothing but the files: no time, no user, no machine."""

import io
import zipfile
from collections.abc import Iterable

FILE, SCRIPT = 0o100644, 0o100755
_EPOCH = (1980, 1, 1, 0, 0, 0)


def pack(files: Iterable[tuple[str, bytes, int]]) -> bytes:
    """Return a zip of files in their order, each with its path, its content, and its mode on Unix; 0 is none."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, data, mode in files:
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = mode << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return written.getvalue()
