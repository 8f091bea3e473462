"""Maps numbers to levels of a color scale, for the pictures of a terminal and of a page."""

import math
from dataclasses import dataclass

from grader.core.model import Picture, Plane

LEVELS = 11  # odd, so that the middle level of a two-sided scale means 0 and nothing else
_MIDDLE = LEVELS // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A scale from `low` to `high`. A two-sided one is centered at 0: negative below the middle, positive above."""

    low: float
    high: float
    two_sided: bool

    def level(self, value: float) -> int:
        """Return the level of a number, 0 to LEVELS - 1. The middle of a two-sided scale is for 0 alone."""
        if self.two_sided:
            bound = max(-self.low, self.high) or 1.0
            steps = min(_MIDDLE, max(1, round(abs(value) / bound * _MIDDLE))) if value else 0
            return _MIDDLE + (steps if value > 0 else -steps)
        return round(self.share(value) * (LEVELS - 1))

    def share(self, value: float) -> float:
        """Return the position of a number between `low` and `high`, in [0, 1]; 0.5 where they are equal."""
        return (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5

    @property
    def ends(self) -> tuple[float, float]:
        """The numbers at both ends of the legend."""
        bound = max(-self.low, self.high)
        return (-bound, bound) if self.two_sided else (self.low, self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One of the three planes of a picture, with its scale."""

    name: str
    plane: Plane
    scale: Scale


def panels(picture: Picture) -> tuple[Panel, ...]:
    """Return the expected and the actual plane on one scale, and their difference on another."""
    low, high = extent(picture.expected + picture.got)
    shared = Scale(low=low, high=high, two_sided=low < 0 < high)
    low, high = extent(picture.difference)
    errors = Scale(low=min(low, 0.0), high=max(high, 0.0), two_sided=True)
    return (
        Panel(name="expected", plane=picture.expected, scale=shared),
        Panel(name="got", plane=picture.got, scale=shared),
        Panel(name="difference", plane=picture.difference, scale=errors),
    )


def extent(plane: Plane) -> tuple[float, float]:
    """Return the smallest and the largest number of a plane; zeros where it has none."""
    numbers = [value for row in plane for value in row if value is not None]
    return (min(numbers), max(numbers)) if numbers else (0.0, 0.0)


def shrunk(panel: Panel, height: int, width: int) -> Plane:
    """Return a plane of at most `height` x `width` values, each of a square block of the original.

    A block becomes its mean, in the difference the value farthest from 0, and None where it holds a None.
    """
    plane, extreme = panel.plane, panel.name == "difference"
    side = max(math.ceil(len(plane) / height), math.ceil(len(plane[0]) / width))
    return tuple(
        tuple(
            _block_value(
                [value for row in plane[top : top + side] for value in row[left : left + side]], extreme
            )
            for left in range(0, len(plane[0]), side)
        )
        for top in range(0, len(plane), side)
    )


def _block_value(block: list[float | None], extreme: bool) -> float | None:
    numbers = [value for value in block if value is not None]
    if len(numbers) < len(block):
        return None
    return max(numbers, key=abs) if extreme else math.fsum(numbers) / len(numbers)


def caption(picture: Picture) -> str:
    """Return the caption of a picture: the call, the plane, and its size."""
    plane = f", {picture.plane}" if picture.plane else ""
    size = f"{picture.height} x {picture.width}"
    if picture.block_height * picture.block_width > 1:
        size += f", drawn in blocks of {picture.block_height} x {picture.block_width}"
    return f"As a picture, from {picture.call}{plane} ({size}):"


def described(panel: Panel) -> str:
    """Describe a panel in words, for a screen reader."""
    low, high = extent(panel.plane)
    cells = [value for row in panel.plane for value in row]
    absent = sum(value is None for value in cells)
    odd = f", {absent} NaN or infinite" if absent else ""
    size = f"{len(panel.plane)} rows of {len(panel.plane[0])} values"
    if panel.name != "difference":
        return f"{panel.name}: {size} from {low:.4g} to {high:.4g}{odd}"
    wrong = sum(value != 0 for value in cells)
    if not any(cells):
        return f"{panel.name}: {size}, {wrong} of them wrong{odd}"
    places = ((r, c) for r, line in enumerate(panel.plane) for c in range(len(line)))
    row, column = max(places, key=lambda place: abs(panel.plane[place[0]][place[1]] or 0.0))
    largest = f"the largest is {panel.plane[row][column]:+.4g}, row {row}, column {column}"
    return f"{panel.name}: {wrong} of {len(cells)} values wrong{odd}; {largest}"
