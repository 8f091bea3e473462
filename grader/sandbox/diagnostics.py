"""What each isolation layer stops, why one is unavailable on this machine, and how to make it available.

Sources: man pages seccomp(2), landlock(7), user_namespaces(7); the kernel's admin-guide on sysctls.
"""

import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from grader.core.model import Isolation
from grader.sandbox.protocol.orders import LAYERS, Missing

STOPS = {
    "process": "a submission crashes, hangs or lies in a process of its own, with deadlines",
    "limits": "memory, processor time and output of a submission are limited",
    "seccomp": "no sockets, no new processes, no signals to others, no file written",
    "Landlock": "no file can be read but Python, torch and what they need",
    "namespaces": "the machine's other processes and its network are invisible",
}
_CONTAINER = (
    "In a container, the runtime's seccomp profile refuses it: allow it there (Docker: --security-opt "
    "seccomp=PROFILE, or a newer Docker, whose default profile allows it)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer of isolation. `reason` and `remedy` are empty where it is available."""

    name: str
    stops: str
    reason: str = ""
    remedy: str = ""


def layers(isolation: Isolation, missing: tuple[Missing, ...]) -> list[Layer]:
    """Return every layer with what it stops, and for a missing one the reason and the remedy."""
    absent = {one.layer: one for one in missing}
    found = []
    for name, stops in STOPS.items():
        if name in absent:
            reason = absent[name].reason
            found.append(Layer(name=name, stops=stops, reason=reason, remedy=remedy(absent[name])))
        elif name in isolation.layers:
            found.append(Layer(name=name, stops=stops))
    return found


def machine() -> str:
    """Return in one line which machine, user and Python were tested."""
    user = ("root" if os.getuid() == 0 else f"user {os.getuid()}") if hasattr(os, "getuid") else "this user"
    return f"{platform.system()} {platform.release()}, {platform.machine()}, {user}, Python in {sys.prefix}"


def remedy(missing: Missing, read: Callable[[str], str] | None = None) -> str:
    """Return what to do about a missing layer. `read` returns a setting below /proc/sys, "" where there is none."""
    if "isolation was limited" in missing.reason or "MAX_ISOLATION" in missing.reason:
        return "Unset CONVGRADER_MAX_ISOLATION"
    if missing.reason.startswith("this is "):
        return (
            "Grade on Linux, or in a Linux container or virtual machine; for your own work level 0 is enough"
        )
    if missing.layer not in LAYERS or "layers before it" in missing.reason:
        return "Fix the layers above first"
    if "self test" in missing.reason:
        return "Do not grade other people's code on this machine, and report this as a bug of the grader"
    by_layer = {"seccomp": _seccomp, "Landlock": _landlock, "namespaces": _namespaces}
    return by_layer[missing.layer](missing.code, read or _setting)


def _seccomp(code: str, _: Callable[[str], str]) -> str:
    if code == "ENOSYS":
        return "Grade on an x86_64 or aarch64 machine with a 64-bit Python"
    if code in ("EPERM", "EACCES"):
        return _CONTAINER
    return "Use a kernel built with CONFIG_SECCOMP_FILTER, as those of all distributions are"


def _landlock(code: str, _: Callable[[str], str]) -> str:
    if code in ("EOPNOTSUPP", "ENOTSUP"):  # one number, two names
        return "The kernel has Landlock switched off: add landlock to the list lsm= of its command line, and reboot"
    if code in ("EPERM", "EACCES"):
        return _CONTAINER
    return "Use Linux 5.13 or later, built with CONFIG_SECURITY_LANDLOCK"


def _namespaces(code: str, read: Callable[[str], str]) -> str:
    for name, off, change in (
        ("user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=10000"),
        ("kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile that allows userns",
        ),
    ):
        if read(name) == off:
            return f"This machine forbids user namespaces to ordinary users: as root, {change}"
    if code in ("EPERM", "EACCES", "ENOSYS"):
        return f"{_CONTAINER}. Level 2 is enough to grade other people's work"
    return "Level 2 is enough to grade other people's work"


def _setting(name: str) -> str:
    try:
        return (Path("/proc/sys") / name).read_text(encoding="ascii").strip()
    except OSError:
        return ""
