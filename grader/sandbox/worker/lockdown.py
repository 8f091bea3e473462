"""Locks a worker down, layer by layer, and tests beforehand which layers work on this machine."""

import contextlib
import ctypes
import errno
import os
import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib.machinery import PathFinder

import msgspec

from grader.sandbox.protocol.orders import LAYERS, Missing
from grader.sandbox.worker import landlock, linux, seccomp

# The first are shared by all workers of a keeper, the second new for every worker.
_KEEPER_NAMESPACES = linux.CLONE_NEWUSER | linux.CLONE_NEWPID | linux.CLONE_NEWNET | linux.CLONE_NEWUTS
HOST_NAME = "worker"  # what a worker sees at level 3
_WORKER_NAMESPACES = linux.CLONE_NEWPID | linux.CLONE_NEWIPC
SECCOMP, LANDLOCK, NAMESPACES = LAYERS
# What an error means that the kernel has only numbers for.
_IN_WORDS = {
    (LANDLOCK, errno.ENOSYS): "this kernel has no Landlock",
    (LANDLOCK, errno.EOPNOTSUPP): "Landlock is switched off in this kernel",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """The layers that workers of this zygote are locked down with. `base_bytes` is the address space of the zygote."""

    level: int
    layers: tuple[str, ...]
    missing: tuple[Missing, ...]
    landlock_fd: int | None
    base_bytes: int


def prepare(*, max_level: int = 3, limited_by: str = "") -> Confinement:
    """Return which layers work here, up to a level. Called in the zygote; a forked child tries them all.

    `limited_by` is the reason for a `max_level` below 3.
    """
    _prime_import_caches()
    if machine := seccomp.machine():
        seccomp.program(machine, 1)  # cached for the forks: at level 3 a worker is process 1 of its namespace
    refusals: dict[str, Missing] = {}
    version = 0
    try:
        version = landlock.abi()
    except OSError as error:
        _note(refusals, LANDLOCK, error.strerror or str(error), error)
    wanted = Confinement(
        level=max_level,
        layers=(),
        missing=(),
        landlock_fd=landlock.ruleset(version) if version and max_level >= 2 else None,
        base_bytes=linux.virtual_memory_bytes(),
    )
    refusals |= _probe(wanted)
    for layer in LAYERS[max_level:]:
        _note(refusals, layer, limited_by or f"isolation was limited to level {max_level}")
    level = next((n for n, layer in enumerate(LAYERS) if layer in refusals), len(LAYERS))
    for layer in LAYERS[level:]:
        if layer not in refusals:
            _note(refusals, layer, "it needs the layers before it")
    return Confinement(
        level=level,
        layers=("process", "limits", *LAYERS[:level]),
        missing=tuple(refusals[layer] for layer in LAYERS[level:]),
        landlock_fd=wanted.landlock_fd if level >= 2 else None,
        base_bytes=wanted.base_bytes,
    )


def _prime_import_caches() -> None:
    """Have every path finder list its folder now: a worker may read the libraries, but not list their folder."""
    PathFinder.find_spec("a_module_that_does_not_exist")


def _note(refusals: dict[str, Missing], layer: str, reason: str, error: OSError | None = None) -> None:
    code = errno.errorcode.get(error.errno or 0, "") if error else ""
    if error:
        reason = _IN_WORDS.get((layer, error.errno or 0), reason)
    refusals[layer] = Missing(layer=layer, reason=reason, code=code)


def _probe(confinement: Confinement) -> dict[str, Missing]:
    """Lock down a forked child, layer by layer, and test each; return the reason for each layer that is unavailable."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        refusals: dict[str, Missing] = {}
        try:
            refusals = _try_layers(confinement, writing)
        except BaseException as error:  # noqa: BLE001 - any failure is reported as the reason
            for layer in LAYERS:
                _note(refusals, layer, f"the self test failed: {error}")
        finally:
            os.write(writing, msgspec.msgpack.encode(refusals))
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    if answer:
        return msgspec.msgpack.decode(answer, type=dict[str, Missing])
    return {layer: Missing(layer=layer, reason="the self test died") for layer in LAYERS}


def _try_layers(confinement: Confinement, kept: int) -> dict[str, Missing]:
    """Apply every wanted layer to this process and test it; return the reason for each that is unavailable."""
    secret = os.path.abspath(__file__)  # noqa: PTH100 - a string, so that nothing is imported below
    landlock_fd = confinement.landlock_fd
    refusals: dict[str, Missing] = {}
    if confinement.level >= 3:
        _try(refusals, NAMESPACES, lambda: _try_namespaces(confinement), lambda: "")
    linux.close_all_but({0, 1, 2, kept} | ({landlock_fd} if landlock_fd is not None else set()))
    linux.drop_capabilities()
    linux.forbid_new_privileges()
    if landlock_fd is not None:
        _try(refusals, LANDLOCK, lambda: landlock.restrict(landlock_fd), lambda: _readable(secret))
    if confinement.level >= 1:
        _try(refusals, SECCOMP, seccomp.install, _unfiltered)
    return refusals


def _try(
    refusals: dict[str, Missing], layer: str, apply: Callable[[], None], still_possible: Callable[[], str]
) -> None:
    """Apply a layer and try what it must refuse; if it cannot be applied or refuses nothing, note it as missing."""
    try:
        apply()
    except OSError as error:
        _note(refusals, layer, error.strerror or str(error), error)
        return
    if possible := still_possible():
        _note(refusals, layer, f"the self test could still {possible}")


def _readable(path: str) -> str:
    """Return what Landlock should have refused and did not; "" if it refused."""
    try:
        os.close(os.open(path, os.O_RDONLY))
    except PermissionError:
        return ""
    return "read a file that workers may not read"


def _unfiltered() -> str:
    """Return what the seccomp filter should have refused and did not; "" if it refused all."""
    if linux.libc.socket(1, 1, 0) >= 0 or ctypes.get_errno() != errno.EPERM:
        return "open a socket"
    if linux.libc.kill(os.getpid(), 0) >= 0:
        return "send a signal"
    with contextlib.suppress(PermissionError):
        os.close(os.open(os.devnull, os.O_WRONLY))
        return "open a file for writing"
    try:
        child = os.fork()
    except PermissionError:
        return ""
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return "start a process"


def enter_namespaces(confinement: Confinement) -> None:
    """Enter a new user, network, UTS and PID namespace, at level 3. The next child is the first process of the last.

    Raises OSError where that fails, also if only the name of the host cannot be replaced.
    """
    if confinement.level < 3:
        return
    user, group = os.getuid(), os.getgid()
    linux.unshare(_KEEPER_NAMESPACES)
    linux.map_identity(user, group)
    linux.name_host(HOST_NAME)


def fork_isolated(own_pidfd: int, confinement: Confinement) -> int:
    """Fork a child into a PID and an IPC namespace of its own; return its process id, or 0 in the child.

    For a child of a process that called `enter_namespaces`.
    """
    if confinement.level >= 3:
        _unshare_for_next_child(own_pidfd)
    return os.fork()


def _unshare_for_next_child(own_pidfd: int) -> None:
    """Have the next child be the first of a new PID namespace.

    After one unshare(CLONE_NEWPID) the kernel refuses another, until setns has returned to the initial namespace.
    """
    linux.enter_namespace(own_pidfd, linux.CLONE_NEWPID)
    linux.unshare(_WORKER_NAMESPACES)


def _try_namespaces(confinement: Confinement) -> None:
    """Do in two children what a keeper and its parent do. Raises OSError for what this machine refuses."""

    def keeper() -> None:
        own_pidfd = linux.pidfd_open(os.getpid())
        for _ in range(2):
            _unshare_for_next_child(own_pidfd)

    def parent() -> None:
        enter_namespaces(confinement)
        _in_child(keeper)

    _in_child(parent)


def _in_child(action: Callable[[], None]) -> None:
    """Run an action in a child. Raises the OSError that it raises."""
    child = os.fork()
    if child == 0:
        code = errno.EIO
        try:
            action()
            code = 0
        except OSError as error:
            code = error.errno or code
        finally:
            os._exit(code)
    if code := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise OSError(abs(code), os.strerror(abs(code)))


def lock_down(
    confinement: Confinement,
    *,
    keep: Collection[int],
    memory_limit_mib: int,
    cpu_limit_s: int,
    cpu: int | None,
) -> None:
    """Lock this process down, permanently. `keep` are the descriptors that stay open."""
    landlock_fd = confinement.landlock_fd
    linux.close_all_but({*keep} | ({landlock_fd} if landlock_fd is not None else set()))
    tempfile.tempdir = "/tmp"  # libraries ask for its name, though nothing can be written there  # noqa: S108
    linux.drop_capabilities()
    linux.die_with_parent()  # after the capabilities: a change of credentials clears PDEATHSIG
    linux.forbid_new_privileges()
    linux.make_undumpable()
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    if confinement.level >= 2 and landlock_fd is not None:
        landlock.restrict(landlock_fd)
        os.close(landlock_fd)
    linux.limit(confinement.base_bytes + memory_limit_mib * 2**20, cpu_limit_s)
    if confinement.level >= 1:
        seccomp.install()
