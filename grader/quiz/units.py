"""The units an answer may carry: what is measured, and how many of its base unit one is."""

# Bits and kilo-operations are left out: no item asks for them, and "k" alone is ambiguous.
_FAMILIES: dict[str, dict[str, float]] = {
    "memory": {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "kB": 1e3, "MB": 1e6, "GB": 1e9},
    "parameters": {"parameters": 1, "params": 1},
    "multiply-adds": {"MACs": 1, "MMACs": 1e6, "GMACs": 1e9},
    "operations": {"FLOPs": 1, "MFLOPs": 1e6, "GFLOPs": 1e9},
    "pixels": {"px": 1, "pixels": 1},
    "share": {"%": 1},
    "time": {"s": 1, "ms": 1e-3, "us": 1e-6},
}
UNITS = {unit: (family, factor) for family, units in _FAMILIES.items() for unit, factor in units.items()}
_FOLDED = {unit.casefold(): unit for unit in UNITS}


def find_unit(text: str) -> str | None:
    """Return the unit of that spelling, in capitals or not, and `param` for `params`."""
    folded = text.casefold()
    plural = f"{folded}s" if len(folded) > 2 else ""  # "m" is no "ms"
    return text if text in UNITS else _FOLDED.get(folded) or _FOLDED.get(plural)


def siblings(unit: str) -> list[str]:
    """Return the units that measure the same."""
    return list(_FAMILIES[UNITS[unit][0]])


def converted(number: float, unit: str, wanted: str) -> float | None:
    """Return a number in another unit; None where the two do not measure the same."""
    (family, factor), (other, other_factor) = UNITS[unit], UNITS[wanted]
    return number * factor / other_factor if family == other else None
