"""How much memory this machine can spare for a process that only waits."""

import ctypes
import sys
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_LEAST_FREE_MIB, _LEAST_FREE_SHARE = 512, 0.1
_MIB = 2**20


def is_short() -> bool:
    """Tell whether so little memory is free that a process that only waits should give its own back."""
    return to_spare_mib() <= 0


def to_spare_mib() -> int:
    """Return how much memory is free beyond what should stay so; 0 where nothing is known of it."""
    found = _whole_and_free_mib()
    if found is None:
        return 0
    whole, free = found
    return max(0, int(free - max(_LEAST_FREE_MIB, _LEAST_FREE_SHARE * whole)))


def _whole_and_free_mib() -> tuple[int, int] | None:
    try:
        if sys.platform == "win32":
            return _of_windows()
        return _of_macos() if sys.platform == "darwin" else _of_linux()
    except (OSError, ValueError, LookupError, AttributeError):
        return None


def _of_linux() -> tuple[int, int]:
    lines = dict(line.split(":", 1) for line in _MEMINFO.read_text(encoding="ascii").splitlines())
    whole, free = (int(lines[key].split()[0]) // 1024 for key in ("MemTotal", "MemAvailable"))
    return whole, free


def _of_macos() -> tuple[int, int]:
    """Ask sysctl(3), as the program memory_pressure does: the level is the percentage that can be had."""
    whole = _sysctl("hw.memsize", ctypes.c_uint64()) // _MIB
    return whole, whole * _sysctl("kern.memorystatus_level", ctypes.c_uint32()) // 100


def _sysctl(name: str, value: ctypes.c_uint64 | ctypes.c_uint32) -> int:
    size = ctypes.c_size_t(ctypes.sizeof(value))
    if ctypes.CDLL(None).sysctlbyname(name.encode(), ctypes.byref(value), ctypes.byref(size), None, 0):
        raise OSError(f"sysctl {name} is not there")
    return value.value


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX of Windows."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("load_percent", ctypes.c_uint32),
        *(
            (name, ctypes.c_uint64)
            for name in (
                "whole",
                "free",
                "whole_commit",
                "free_commit",
                "whole_virtual",
                "free_virtual",
                "extended",
            )
        ),
    )


def _of_windows() -> tuple[int, int]:
    status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
    if not kernel.GlobalMemoryStatusEx(ctypes.byref(status)):
        raise OSError("GlobalMemoryStatusEx failed")
    return status.whole // _MIB, min(status.free, status.free_commit) // _MIB
