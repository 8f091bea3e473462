"""The language of the tree: American spelling, and the field's words in place of private ones (DESIGN, conventions)."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = {".py", ".md", ".yaml", ".yml", ".toml", ".txt", ".css", ".js", ".html", ".sh", ""}

# A pattern, and what to write instead. Patterns match whole words, in any case.
PRIVATE = {
    r"nobody|no-one": "name the thing: the process, the socket, the user",
    r"of ours": "the grader's, of this repository",
    r"to be had": "available",
    r"lets? go|letting go": "close, release, end",
    r"hear|hears|heard|hearing": "receive, read",
    r"told": "reported, given, named",
    r"(?<!head-)rooms?": "package, wing, module",
    r"our (?:own )?fault": "an error in the grader",
    r"heed|heeds|heeded": "follow, obey, apply",
    r"whoever": "the caller, the student, the process that",
    r"comes? home|coming home": "return to the initial namespace",
    r"for good": "permanently",
}
BRITISH = {
    r"colour\w*": "color",
    r"behaviour\w*": "behavior",
    r"favour\w*": "favor",
    r"neighbour\w*": "neighbor",
    r"honour\w*": "honor",
    r"centre\w*": "center",
    r"licen[c]e\w*": "license",
    r"defence": "defense",
    r"grey\w*": "gray",
    r"catalogue\w*": "catalog",
    r"judgement\w*": "judgment",
    r"artefact\w*": "artifact",
    r"analyse\w*": "analyze",
    r"labell(?!edby)\w+": "label(ed|ing)",
    r"modell\w+": "model(ed|ing)",
    r"cancell(?:ed|ing)": "cancel(ed|ing)",
    r"learnt|spelt|burnt": "learned, spelled, burned",
    r"whilst|amongst": "while, among",
    r"(?:organ|normal|recogn|initial|general|minim|maxim|optim|summar|visual|regular|quant|serial|standard|symbol|random|real|emphas|penal|special|capital|central|local|parallel|token|util|vector|categor|character|synchron|anonym|author|custom|digit|memor|stabil|final|equal|critic|apolog|factor|binar|discret|parametr|pseudonym)is(?:e|es|ed|ing|ation|ations|er|ers)": "-ize, -ization",
}

# A path, or the beginning of one, and the words that may stand there, because they are somebody else's.
ALLOWED = {
    "tests/test_language.py": {"*"},
    "tests/old_files/": {"*"},  # as an older version wrote them
    "tests/people/": {"*"},  # as students wrote them
    "grader/export/templates/github.yml": {"cancelled"},  # a function of GitHub's expressions
    "tests/test_export_ci.py": {"cancelled"},
}


def tracked() -> list[str]:
    """Return the files of the repository that hold text."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return [name for name in listed if Path(name).suffix in TEXT and (ROOT / name).is_file()]


def found(patterns: dict[str, str]) -> Iterator[str]:
    """Yield every use of a pattern: its place, the word, and what to write instead."""
    any_of_them = re.compile(rf"\b(?:{'|'.join(patterns)})\b", re.IGNORECASE)
    for name in tracked():
        allowed = {word for path, words in ALLOWED.items() if name.startswith(path) for word in words}
        if "*" in allowed:
            continue
        text = (ROOT / name).read_text("utf-8", "replace")
        for match in any_of_them.finditer(text):
            if match[0].lower() in allowed:
                continue
            # Matched where the word stands, since a pattern may look at what is before it.
            instead = next(
                words
                for pattern, words in patterns.items()
                if re.compile(rf"(?:{pattern})\b", re.IGNORECASE).match(text, match.start())
            )
            line = text.count("\n", 0, match.start()) + 1
            yield f"{name}:{line}: {match[0]!r} (write: {instead})"


@pytest.mark.parametrize("patterns", [PRIVATE, BRITISH], ids=["private words", "British spelling"])
def test_the_tree_uses_none_of_these_words(patterns):
    uses = list(found(patterns))
    assert not uses, f"{len(uses)} uses:\n" + "\n".join(uses)
