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
from grader.sandbox.protocol.orders import LAYERS, NO_PIDFD, WORKER_FAILED, Missing

STOPS = {
    "process": "a submission crashes, hangs or lies in a process of its own, with deadlines",
    "limits": "memory, processor time and output of a submission are limited",
    "seccomp": "no sockets, no new processes, no signals to others, no file written",
    "Landlock": "no file can be read but Python, torch and what they need",
    "namespaces": "the machine's other processes and its network are invisible",
}
_LIMITS_ELSEWHERE = {  # on Linux they are those of STOPS
    "darwin": "processor time, processes, descriptors and output of a submission are limited, its memory is not",
    "win32": "the output of a submission is limited; its memory, processes and threads are not",
}
_LEVEL_2 = ". Level 2 is enough to grade other people's work"
_KINDS = ("user", "pid", "net", "ipc")  # of the namespaces that keepers and workers enter
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
    for name, stops in (STOPS | {"limits": _LIMITS_ELSEWHERE.get(sys.platform, STOPS["limits"])}).items():
        if name in absent:
            advice = remedy(absent[name], level=isolation.level)
            found.append(Layer(name=name, stops=stops, reason=absent[name].reason, remedy=advice))
        elif name in isolation.layers:
            found.append(Layer(name=name, stops=stops))
    return found


def machine() -> str:
    """Return in one line which machine, user and Python were tested."""
    user = ("root" if os.getuid() == 0 else f"user {os.getuid()}") if hasattr(os, "getuid") else "this user"
    return f"{platform.system()} {platform.release()}, {platform.machine()}, {user}, Python in {sys.prefix}"


def remedy(missing: Missing, read: Callable[[str], str] | None = None, *, level: int = 2) -> str:
    """Return what to do about a missing layer, on a machine that reaches `level`.

    `read` returns a setting below /proc/sys, or another file by its whole path; "" where there is none.
    """
    refused = missing.code in ("EPERM", "EACCES")
    if "isolation was limited" in missing.reason or "MAX_ISOLATION" in missing.reason:
        return "Unset CONVGRADER_MAX_ISOLATION"
    if missing.reason.startswith("this is "):
        return (
            "Grade on Linux, or in a Linux container or virtual machine; for your own work level 0 is enough"
        )
    if missing.reason.startswith(NO_PIDFD):
        return _CONTAINER if refused else "Use Linux 5.3 or later; from 5.13 on, level 2 is reached"
    if missing.reason.startswith(WORKER_FAILED):
        return f"Report this as a bug of the grader. Until then it grades at level {level}"
    if missing.layer not in LAYERS or "layers before it" in missing.reason:
        return "Fix the layers above first"
    if "self test" in missing.reason:
        return "Do not grade other people's code on this machine, and report this as a bug of the grader"
    if missing.layer == "seccomp":
        return _seccomp(missing)
    if missing.layer == "Landlock":
        return _CONTAINER if refused else _landlock(missing.code, read or _setting)
    return _namespaces(missing.code, read or _setting) + (_LEVEL_2 if level == 2 else "")


def _seccomp(missing: Missing) -> str:
    if "no system call table" in missing.reason:
        return "Grade on an x86_64 or aarch64 machine with a 64-bit Python"
    if missing.code in ("EPERM", "EACCES"):
        return _CONTAINER
    if missing.code == "ENOSYS":
        return (
            "Where this processor is emulated (qemu-user, an image for another one), use an image for the machine's "
            "own, which must be x86_64 or aarch64; else use a kernel built with CONFIG_SECCOMP_FILTER"
        )
    return "Use a kernel built with CONFIG_SECCOMP_FILTER, as those of all distributions are"


def _landlock(code: str, read: Callable[[str], str]) -> str:
    if code not in ("EOPNOTSUPP", "ENOTSUP"):  # one number, two names
        return "Use Linux 5.13 or later, built with CONFIG_SECURITY_LANDLOCK"
    # The value replaces the built-in list: `lsm=landlock` alone would switch the others off.
    active = read("/sys/kernel/security/lsm")
    value = (
        f"lsm=landlock,{active}"
        if active
        else "lsm=landlock, and after a comma what /sys/kernel/security/lsm holds"
    )
    return f"The kernel has Landlock switched off: put this on its command line, and reboot: {value}"


def _namespaces(code: str, read: Callable[[str], str]) -> str:
    for name, off, change in (
        *(
            (f"user/max_{kind}_namespaces", "0", f"sysctl user.max_{kind}_namespaces=10000")
            for kind in _KINDS
        ),
        ("kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile that allows userns",
        ),
    ):
        if read(name) == off:
            return f"This machine forbids namespaces to ordinary users: as root, {change}"
    if code in ("EPERM", "EACCES"):
        return _CONTAINER
    if code in ("ENOSYS", "EINVAL", "EBADF"):
        return "Use Linux 5.8 or later, with user, PID, network, IPC and UTS namespaces"
    if code in ("ENOSPC", "EUSERS"):
        return "The limit of namespaces is reached: as root, raise those that `sysctl user` shows"
    return "Use a kernel with user, PID, network, IPC and UTS namespaces"


def _setting(name: str) -> str:
    try:
        return (Path("/proc/sys") / name).read_text(encoding="ascii").strip()
    except OSError:
        return ""
