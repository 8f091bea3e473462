"""The units an answer may carry: what is measured, and how many of its base unit one is."""

import re

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
# Units in words; a plural is the same with an s.
_WORDS = {
    "byte": "B", "kibibyte": "KiB", "mebibyte": "MiB", "gibibyte": "GiB", "kilobyte": "kB", "megabyte": "MB",
    "gigabyte": "GB", "parameter": "parameters", "param": "params", "multiply-add": "MACs", "mac": "MACs",
    "mmac": "MMACs", "gmac": "GMACs", "flop": "FLOPs", "mflop": "MFLOPs", "gflop": "GFLOPs", "pixel": "pixels",
    "percent": "%", "per cent": "%", "second": "s", "sec": "s", "millisecond": "ms", "microsecond": "us",
    "\u03bcs": "us",
}  # fmt: skip
# What is counted stands between "how many" and the verb, in a few words.
_COUNTED = re.compile(
    r"\bhow many ((?:(?!(?:does|do|did|is|are|was|were|has|have|had|can|could|will|would|must|may)\b)[a-z-]+ ?){1,5})"
)
_COUNTS = ("parameters", "multiply-adds", "operations", "pixels")


def find_unit(text: str) -> str | None:
    """Return the unit of that spelling: in capitals or not, in words, as a singular or a plural."""
    if text in UNITS:
        return text
    folded = re.sub(r"\s*-\s*|\s+", " ", text.strip().rstrip(".").casefold()).replace(
        "multiply add", "multiply-add"
    )
    singular = folded[:-1] if folded.endswith("s") else folded
    return _FOLDED.get(folded) or _WORDS.get(folded) or _WORDS.get(singular) or _FOLDED.get(singular)


def counts_one(text: str) -> bool:
    """Tell whether a text is a unit of things that are counted one by one: `28 pixels` is the number 28."""
    unit = find_unit(text)
    return unit is not None and UNITS[unit][0] in _COUNTS and UNITS[unit][1] == 1


def counted_in(question: str) -> list[str]:
    """Return what a question counts, in its words: "input pixels" of "How many input pixels wide is it?"."""
    return [found[1] for found in _COUNTED.finditer(" ".join(question.casefold().split()))]


def names_counted(text: str, question: str) -> bool:
    """Tell whether a text names what the question counts: `9030 numbers` for "How many numbers does it learn?"."""
    words = _singular(text)
    return bool(words.strip()) and any(
        f" {words} " in f" {_singular(thing)} " for thing in counted_in(question)
    )


def _singular(text: str) -> str:
    return " ".join(word.removesuffix("s") for word in text.casefold().rstrip(".").split())


def siblings(unit: str) -> list[str]:
    """Return the units that measure the same."""
    return list(_FAMILIES[UNITS[unit][0]])


def converted(number: float, unit: str, wanted: str) -> float | None:
    """Return a number in another unit; None where the two do not measure the same."""
    (family, factor), (other, other_factor) = UNITS[unit], UNITS[wanted]
    return number * factor / other_factor if family == other else None
