"""Packs files into a zip whose bytes depend only on the files: not on the time, the user or the machine."""

import io
import zipfile
from collections.abc import Iterable

FILE, SCRIPT = 0o100644, 0o100755
_EPOCH = (1980, 1, 1, 0, 0, 0)


def pack(files: Iterable[tuple[str, bytes, int]]) -> bytes:
    """Return a zip of (path, content, Unix mode) in their order; mode 0 stores none."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, data, mode in files:
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = mode << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return written.getvalue()
