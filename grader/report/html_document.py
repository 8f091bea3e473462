"""The frame of every HTML page: a document that loads nothing and runs nothing, and its smallest parts."""

import base64
import hashlib
from pathlib import Path

from grader.report.html_markup import Markup, tag

# Markup that was left unescaped by mistake would still load and run nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
NOTHING = Markup("")


def document(title: str, *body: str, style: str = "", script: str = "", connects: bool = False) -> str:
    """Return a page of these parts, with page.css and the given `style`.

    The policy of a page with a script allows that script alone, and the style in its head alone. With `connects`, the
    script may exchange data with the server of the page.
    """
    style = Path(__file__).with_name("page.css").read_text(encoding="utf-8") + style
    policy = _policy(style, script, connects=connects) if script else _POLICY
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Markup(style)),
    )
    code = [tag("script", Markup(script))] if script else []
    return "<!doctype html>\n" + tag("html", head, "\n", tag("body", *body, *code), lang="en") + "\n"


def _policy(style: str, script: str, *, connects: bool) -> str:
    """Allow this style and this script, and nothing else."""
    allowed = [
        f"{kind}-src 'sha256-{_digest(text)}'" for kind, text in (("style", style), ("script", script))
    ]
    if connects:
        allowed.append("connect-src 'self'")
    return "; ".join(["default-src 'none'", *allowed, "base-uri 'none'", "form-action 'none'"])


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def skip(text: str, target: str) -> Markup:
    """Return a link that skips to `target`, for people who use a keyboard."""
    return tag("a", text, href=f"#{target}", class_="skip")


def bar(points: float, max_points: float) -> Markup:
    """Draw a share as a bar, which screen readers skip: the numbers beside it say the same."""
    share = points / max_points if max_points else 0.0
    filled = tag("span", style=f"width: {100 * share:.1f}%")
    return tag("span", filled, class_="bar full" if share >= 1 else "bar", aria_hidden="true")


def opening(summary: Markup, *body: str) -> Markup:
    """Return a section that a reader opens by its first line."""
    return tag("details", tag("summary", summary), tag("div", *body, class_="body"))
