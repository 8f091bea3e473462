"""Known mistakes: wrong variants of a reference, each with the sentence that helps the one who made it."""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

Variant = TypeVar("Variant", bound=Callable[..., object])


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One known mistake. `variant` replaces the reference's `name`."""

    id: str
    name: str
    attribute: str
    message: str
    variant: Callable[..., object]


# Filled while a mistakes.py is imported; a process imports the mistakes of exactly one exercise.
KNOWN: list[Mistake] = []


def mistake(name: str) -> Callable[[Variant], Variant]:
    """Register a wrong variant of the reference's `name`; the first paragraph of its docstring is the diagnosis."""

    def register(variant: Variant) -> Variant:
        text = inspect.getdoc(variant) or ""
        message = " ".join(text.split("\n\n", 1)[0].split())
        attribute = variant.__name__
        KNOWN.append(
            Mistake(id=_kebab(attribute), name=name, attribute=attribute, message=message, variant=variant)
        )
        return variant

    return register


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).replace("_", "-").lower()
