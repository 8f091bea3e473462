"""Writes files atomically: a reader finds the old content or the new, even if this process is killed meanwhile."""

import os
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Create or replace a file in one step. Raises OSError."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(data)
    os.replace(fresh, path)  # noqa: PTH105 - atomic on every platform
