"""How much memory a machine can spare: Linux here, the calls of macOS and Windows by what they return."""

import ctypes
import sys
from types import SimpleNamespace

import pytest

from grader.grading import free_memory


@pytest.mark.parametrize(
    ("whole", "free", "to_spare"),
    [
        (16000, 1601, 1),
        (16000, 1600, 0),
        (16000, 1599, 0),
        (2000, 513, 1),
        (2000, 511, 0),
        (16000, 9600, 8000),
    ],
)
def test_memory_is_short_below_a_tenth_or_half_a_gigabyte(tmp_path, monkeypatch, whole, free, to_spare):
    found = tmp_path / "meminfo"
    found.write_text(f"MemTotal: {whole * 1024} kB\nMemFree: 1 kB\nMemAvailable: {free * 1024} kB\n")
    monkeypatch.setattr(free_memory, "_MEMINFO", found)
    assert free_memory.to_spare_mib() == to_spare
    assert free_memory.is_short() is (to_spare == 0)


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32", "another"])
def test_where_nothing_is_known_of_memory_it_is_short(tmp_path, monkeypatch, platform):
    """The calls of macOS and Windows do not exist here."""
    monkeypatch.setattr(free_memory, "sys", SimpleNamespace(platform=platform))
    monkeypatch.setattr(free_memory, "_MEMINFO", tmp_path / "none")
    assert free_memory.is_short()


def test_macos_is_asked_for_its_size_and_the_share_that_is_free(monkeypatch):
    answers = {b"hw.memsize": 8 * 2**30, b"kern.memorystatus_level": 50}

    def sysctlbyname(name, value, size, new, new_size) -> int:
        assert (new, new_size) == (None, 0)
        assert size._obj.value == ctypes.sizeof(value._obj)
        value._obj.value = answers[name]
        return 0

    monkeypatch.setattr(free_memory, "sys", SimpleNamespace(platform="darwin"))
    monkeypatch.setattr(free_memory.ctypes, "CDLL", lambda _: SimpleNamespace(sysctlbyname=sysctlbyname))
    assert free_memory.to_spare_mib() == 4096 - 819 - 1


def test_windows_is_asked_for_free_memory_and_free_commit(monkeypatch):
    def fill(status) -> int:
        assert status._obj.length == 64  # sizeof(MEMORYSTATUSEX)
        status._obj.whole, status._obj.free, status._obj.free_commit = 8 * 2**30, 4 * 2**30, 2 * 2**30
        return 1

    kernel = SimpleNamespace(GlobalMemoryStatusEx=fill)
    monkeypatch.setattr(free_memory, "sys", SimpleNamespace(platform="win32"))
    monkeypatch.setattr(free_memory.ctypes, "windll", SimpleNamespace(kernel32=kernel), raising=False)
    assert free_memory.to_spare_mib() == 2048 - 819 - 1


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_this_machine_says_how_much_it_has():
    whole, free = free_memory._of_linux()
    assert 0 < free <= whole
