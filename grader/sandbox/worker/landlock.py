"""Landlock: the worker may read the interpreter and the libraries students use, and nothing else.

Source: Linux kernel documentation, userspace-api/landlock; ABI 1 (5.13) to 6 (6.12).
"""

import ctypes
import importlib.metadata
import os
import re
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from grader.sandbox.worker.linux import system_call

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3

# The number of file-system rights of each ABI; a kernel refuses a ruleset with a right that it does not know.
_RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_NETWORK_RIGHTS = 0b11  # bind and connect TCP, from ABI 4
_SCOPES = 0b11  # abstract sockets and signals, from ABI 6

LIBRARIES = ("torch", "numpy")
_UNWANTED_STDLIB = {"site-packages", "dist-packages", "test", "idlelib", "ensurepip", "lib2to3", "turtledemo"}
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
_PROCESSOR = ("/proc/cpuinfo", "/sys/devices/system/cpu")  # torch chooses its kernels by these
_SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def abi() -> int:
    """Return the Landlock ABI of this kernel. Raises OSError where it has no Landlock."""
    return system_call(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_CREATE_RULESET_VERSION))


def ruleset(version: int) -> int:
    """Return the descriptor of a ruleset for an ABI: it allows reading `readable()`, and no other access."""
    attributes = _Ruleset(fs=(1 << _RIGHTS_BY_ABI[min(version, max(_RIGHTS_BY_ABI))]) - 1)
    size = 8
    if version >= 4:
        attributes.net, size = _NETWORK_RIGHTS, 16
    if version >= 6:
        attributes.scoped, size = _SCOPES, 24
    descriptor = system_call(
        _CREATE_RULESET, ctypes.byref(attributes), ctypes.c_size_t(size), ctypes.c_uint32(0)
    )
    for path in readable():
        _allow(descriptor, path)
    return descriptor


def _allow(descriptor: int, path: Path) -> None:
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # not every distribution has each of these folders
    rights = _READ_FILE | _READ_DIR if path.is_dir() else _READ_FILE
    rule = _PathBeneath(allowed=rights, parent=parent)
    try:
        system_call(
            _ADD_RULE,
            ctypes.c_int(descriptor),
            ctypes.c_int(_RULE_PATH_BENEATH),
            ctypes.byref(rule),
            ctypes.c_uint32(0),
        )
    finally:
        os.close(parent)


def restrict(descriptor: int) -> None:
    """Restrict this process to a ruleset, permanently."""
    system_call(_RESTRICT_SELF, ctypes.c_int(descriptor), ctypes.c_uint32(0))


def readable() -> Iterator[Path]:
    """Yield what a worker may read: never a course, never the grader, never a whole site-packages."""
    stdlib = Path(sysconfig.get_path("stdlib")).resolve()
    yield from (child for child in stdlib.iterdir() if child.name not in _UNWANTED_STDLIB)
    yield from (Path(device) for device in (*_DEVICES, *_PROCESSOR))
    yield from _shared_libraries()
    yield Path("/usr/share/zoneinfo")
    for name in _with_dependencies(LIBRARIES):
        yield from _installed(name)


def _shared_libraries() -> Iterator[Path]:
    """Yield the folders of shared libraries, or only the libraries of a folder that holds more than those.

    Debian has a folder for each architecture. Elsewhere they lie in /usr/lib64 or /usr/lib, and those of a Python that
    was not installed by the system (conda, uv, pyenv) in its own `lib`.
    """
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    for root in map(Path, _SYSTEM):
        folder = root / multiarch
        if multiarch and folder.is_dir():
            yield folder.resolve()
        else:
            yield from root.glob("*.so*")
    own = {Path(sys.base_prefix) / "lib", Path(sysconfig.get_config_var("LIBDIR") or sys.base_prefix)}
    for library in sorted(own):
        yield from library.glob("*.so*")


def _with_dependencies(names: tuple[str, ...]) -> list[str]:
    """Return the names of distributions and of everything that they require, by their metadata."""
    found: dict[str, None] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found[name] = None
        try:
            requirements = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # a requirement of another platform
        for requirement in requirements:
            if "extra ==" not in requirement:
                waiting.append(re.match(r"[\w.-]+", requirement)[0].lower())  # type: ignore[index]
    return list(found)


def _installed(name: str) -> Iterator[Path]:
    """Yield the top-level files and folders of a distribution."""
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return
    listed = distribution.read_text("top_level.txt")
    tops = listed.split() if listed else [name.replace("-", "_").replace(".", "/")]
    if name.startswith("nvidia-"):
        tops = ["nvidia"]
    for top in tops:
        for candidate in (top, f"{top}.py", f"{top}.libs"):
            path = Path(str(distribution.locate_file(candidate)))
            if path.exists():
                yield path.resolve()
