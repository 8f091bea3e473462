"""Makes an interpreter look, to the grader's code, like one of macOS or Windows. It is imported whenever that one starts.

Only modules of the grader see it: of what their platform lacks, an import fails with ImportError and a name with
AttributeError, and /proc is not there. torch, pytest and the standard library go on as on this machine.

`interpreter` makes a virtual environment whose Python imports this file first. What it starts is the same interpreter, so
grading processes and workers are simulated too.
"""

import builtins
import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

CONFIGURATION = Path(__file__).with_name("other_platform.json")
GRADER = "grader"
LOOKED_THROUGH = {"pathlib", "io", "codecs", "posixpath", "genericpath"}  # on behalf of their callers

MODULES = {
    "win32": {
        "fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "spwd", "syslog", "termios", "tty", "_posixsubprocess",
    },
    "darwin": {"spwd", "ossaudiodev"},
}  # fmt: skip
ABSENT = {
    "win32": {
        "os": {
            "fork", "forkpty", "posix_spawn", "posix_spawnp", "register_at_fork", "killpg", "setsid", "getsid", "setpgid",
            "getpgid", "getpgrp", "tcgetpgrp", "tcsetpgrp", "getuid", "geteuid", "getgid", "getegid", "getgroups", "getresuid",
            "setuid", "seteuid", "setgid", "setgroups", "initgroups", "nice", "getpriority", "setpriority", "wait", "wait3",
            "wait4", "waitid", "WNOHANG", "WUNTRACED", "WIFSIGNALED", "WTERMSIG", "WIFEXITED", "WEXITSTATUS", "WIFSTOPPED",
            "mkfifo", "mknod", "openpty", "login_tty", "ttyname", "ctermid", "pread", "pwrite", "preadv", "pwritev", "readv",
            "writev", "sendfile", "copy_file_range", "posix_fadvise", "posix_fallocate", "lockf", "set_blocking", "get_blocking",
            "pipe2", "eventfd", "memfd_create", "pidfd_open", "unshare", "setns", "splice", "sched_getaffinity",
            "sched_setaffinity", "sched_yield", "sched_getscheduler", "uname", "sysconf", "confstr", "pathconf", "fpathconf",
            "statvfs", "fstatvfs", "getloadavg", "chown", "lchown", "fchown", "fchmod", "chroot", "fchdir", "sync", "fdatasync",
            "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_NOFOLLOW", "O_DIRECTORY", "O_PATH", "O_TMPFILE", "O_ASYNC", "O_SYNC",
            "getrandom", "getxattr", "setxattr", "listxattr",
        },
        "signal": {
            "SIGKILL", "SIGALRM", "SIGHUP", "SIGTSTP", "SIGCONT", "SIGCHLD", "SIGPIPE", "SIGQUIT", "SIGSTOP", "SIGUSR1", "SIGUSR2",
            "SIGWINCH", "SIGIO", "SIGPOLL", "SIGTTIN", "SIGTTOU", "SIGXCPU", "SIGSYS", "SIGBUS", "SIGTRAP", "alarm", "setitimer",
            "getitimer", "ITIMER_REAL", "pause", "pthread_sigmask", "pthread_kill", "sigwait", "sigwaitinfo", "sigtimedwait",
            "sigpending", "siginterrupt", "pidfd_send_signal", "SIG_BLOCK", "SIG_SETMASK", "SIG_UNBLOCK",
        },
        "socket": {
            "AF_UNIX", "send_fds", "recv_fds", "SCM_RIGHTS", "SCM_CREDENTIALS", "SO_PEERCRED", "SO_PASSCRED", "MSG_DONTWAIT",
            "MSG_NOSIGNAL", "CMSG_SPACE", "CMSG_LEN",
        },
        "select": {"poll", "epoll", "kqueue", "POLLIN", "POLLOUT", "POLLHUP", "POLLERR"},
        "time": {"tzset", "clock_gettime", "clock_settime", "CLOCK_MONOTONIC", "CLOCK_PROCESS_CPUTIME_ID"},
    },
    "darwin": {
        "os": {
            "sched_getaffinity", "sched_setaffinity", "sched_getscheduler", "pidfd_open", "memfd_create", "unshare", "setns",
            "eventfd", "posix_fadvise", "posix_fallocate", "copy_file_range", "splice", "pipe2", "getrandom", "waitid", "getresuid",
            "getxattr", "setxattr", "listxattr", "O_TMPFILE", "O_PATH", "fdatasync",
        },
        "signal": {"sigtimedwait", "sigwaitinfo", "SIGPOLL", "SIGPWR", "SIGSTKFLT", "pidfd_send_signal"},
        "socket": {"SO_PEERCRED", "SO_PASSCRED", "SCM_CREDENTIALS", "SOCK_CLOEXEC", "SOCK_NONBLOCK"},
        "select": {"epoll"},
        "resource": {"prlimit", "RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_SIGPENDING"},
    },
}  # fmt: skip


def interpreter(folder: Path, platform: str, linux_only: set[str]) -> str:
    """Make a virtual environment with the packages of this one, on a simulated platform; return its Python.

    `linux_only` are the modules of the grader that must not be imported there.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = (folder / "lib").glob("python*/site-packages")
    root = Path(__file__).parent.parent
    shown = [str(root), *(path for path in sys.path if path.endswith("site-packages"))]
    (packages / "other_platform.py").write_bytes(Path(__file__).read_bytes())
    (packages / CONFIGURATION.name).write_text(
        json.dumps({"platform": platform, "linux_only": sorted(linux_only)})
    )
    line = "import other_platform; other_platform.simulate()"
    (packages / "simulated.pth").write_text("\n".join([*shown, line, ""]), encoding="utf-8")
    return str(folder / "bin" / "python")


class Seen(ModuleType):
    """A module as the grader sees it: without some names, and with others replaced."""

    def __init__(self, real: ModuleType, absent: set[str], replaced: dict[str, object]) -> None:
        super().__init__(real.__name__)
        vars(self).update(_real=real, _absent=absent, _replaced=replaced)
        for name in ("__name__", "__doc__", "__spec__", "__loader__", "__package__"):
            vars(self).pop(name, None)

    def __getattr__(self, name: str) -> object:
        if name in self._absent:
            raise AttributeError(f"module {self._real.__name__!r} has no attribute {name!r} on this platform")
        return self._replaced[name] if name in self._replaced else getattr(self._real, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._real, name, value)


def simulate() -> None:
    """Change what modules of the grader import, in this interpreter."""
    configuration = json.loads(CONFIGURATION.read_text(encoding="utf-8"))
    platform, linux_only = configuration["platform"], set(configuration["linux_only"])
    replaced: dict[str, dict[str, Any]] = {"sys": {"platform": platform}}
    if platform == "win32":
        replaced["os"] = {"name": "nt"}
        replaced["subprocess"] = {
            "Popen": _WindowsPopen,
            "CREATE_NEW_PROCESS_GROUP": 0x200,
            "CREATE_NO_WINDOW": 0x8000000,
        }
        replaced["platform"] = {"system": lambda: "Windows"}
    else:
        replaced["platform"] = {"system": lambda: "Darwin"}
    absent = ABSENT[platform]
    seen = {
        name: Seen(importlib.import_module(name), absent.get(name, set()), replaced.get(name, {}))
        for name in {*absent, *replaced}
    }
    real_import = builtins.__import__

    def find(name, globals=None, locals=None, fromlist=(), level=0):  # noqa: A002 - the names of __import__
        if not _is_graders(globals):
            return real_import(name, globals, locals, fromlist, level)
        top = name.partition(".")[0]
        wanted = {name, *(f"{name}.{one}" for one in fromlist or ())}
        if top in MODULES[platform] or wanted & linux_only:
            raise ImportError(f"{name} does not exist on {platform}")
        found = real_import(name, globals, locals, fromlist, level)
        return seen.get(top, found) if "." not in name or not fromlist else found

    builtins.__import__ = find
    sys.addaudithook(_no_proc)


def _is_graders(namespace: dict[str, object] | None) -> bool:
    package = (namespace or {}).get("__package__")
    return isinstance(package, str) and package.partition(".")[0] == GRADER


def _no_proc(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse files of Linux's /proc and /sys to the grader."""
    if event not in ("open", "os.listdir", "os.scandir") or not str(arguments[0]).startswith(
        ("/proc/", "/sys/")
    ):
        return
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") in LOOKED_THROUGH:
        frame = frame.f_back
    if frame is not None and _is_graders(frame.f_globals):
        raise FileNotFoundError(2, "No such file or directory", str(arguments[0]))


class _WindowsPopen(subprocess.Popen):
    """Starts a process with what Windows takes, and refuses what it does not."""

    def __init__(self, *arguments: Any, creationflags: int = 0, **options: Any) -> None:
        del creationflags
        for name in ("preexec_fn", "pass_fds", "user", "group", "umask"):
            if options.get(name):
                raise ValueError(f"{name} is not supported on Windows platforms")
        super().__init__(*arguments, **options)
