"""What code prints, compared as a person would: numbers by value, brackets by shape, white space not at all."""

import math
import re

MAX_LENGTH = 2000
# torch prints four decimals.
_DECIMALS_OF_TORCH = 0.5e-4
_WRAPPER = re.compile(r"(?:torch\.)?(?:tensor|Size|array|Parameter)\(")
_ARGUMENT = re.compile(r",\s*(?:dtype|device|grad_fn|requires_grad|size)=(?:<[^<>]*>|\([^()]*\)|[^,()\s]+)")
_TOKEN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?(?![\w.])|\w+|[^\w\s]")
_BRACKETS = {"(": "[", ")": "]"}


def tokens(text: str) -> list[str | float]:
    """Return numbers, words and brackets of printed text. What torch writes around values is left out."""
    text = text.replace("\N{MINUS SIGN}", "-")[:MAX_LENGTH]
    found: list[str | float] = []
    for token in _TOKEN.findall(_unwrapped(_ARGUMENT.sub("", text))):
        if token in {",", "'", '"', ";"}:
            continue
        found.append(_value(_BRACKETS.get(token, token)))
    return found


def _value(token: str) -> str | float:
    try:
        return float(token) if token[-1].isdigit() or token.endswith(".") else token.casefold()
    except ValueError:
        return token.casefold()


def _unwrapped(text: str) -> str:
    """Take `tensor(` and its bracket away, from the inside out."""
    while match := _WRAPPER.search(text):
        depth, end = 1, match.end()
        while end < len(text) and depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        inner = text[match.end() : end - 1] if not depth else text[match.end() :]
        text = f"{text[: match.start()]} {inner} {text[end:]}"
    return text


def same_output(given: str, key: str) -> bool:
    """Tell whether two printed texts say the same; numbers may be rounded to four decimals, as torch rounds them."""
    one, other = tokens(given), tokens(key)
    return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))


def _same(a: str | float, b: str | float) -> bool:
    """Compare a token with the key's: whole numbers exactly, others as far as torch prints them."""
    if isinstance(a, float) and isinstance(b, float) and not b.is_integer():
        return math.isclose(a, b, rel_tol=_DECIMALS_OF_TORCH, abs_tol=_DECIMALS_OF_TORCH)
    return a == b
