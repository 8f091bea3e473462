"""Writes files so that no one ever finds half of one, whatever ends us."""

import os
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, or put it in the place of the one there: all of it, or nothing. Raises OSError."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(data)
    os.replace(fresh, path)  # noqa: PTH105 - atomic on every platform
