"""Writes the pages of this folder that repeat what the code says: `python docs/reference/generate.py`.

`cli.md` comes from Click's own commands, `exercise-yaml.md` from the model that reads an exercise.yaml. A test says
when they are out of date.
"""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click
from pydantic import BaseModel

from grader.cli import grade
from grader.core.model import Limits
from grader.course.catalog import ExerciseDocument, LimitsDocument, PassageDocument
from grader.sandbox.worker.operators import CONCEPTS

HERE = Path(__file__).parent

CLI_HEAD = """\
# Commands

Every command, with its arguments, options and examples, as `--help` shows them. This page is written by
`docs/reference/generate.py` from the commands themselves. `--course DIR`, the folder of the course, goes behind every
command that reads one; without it that of `CONVGRADER_COURSE` is taken, or the one that is installed.

{contents}

## Exit codes

| code | meaning |
|---:|---|
| 0 | all is well: full marks, or at least `--fail-under` |
| 1 | below `--fail-under`; of other commands: not all could be done, and what is missing is named |
| 2 | the command cannot be carried out as typed |
| 3 | the grader failed, its output cannot be written, or the machine isolates less than `--require-isolation` |
| 4 | the course is malformed: file, line and column are named |
| 130 | interrupted |

## Environment

| variable | meaning |
|---|---|
| `CONVGRADER_COURSE` | the folder of the course, for every command; `--course` goes before it |
| `CONVGRADER_STANDBY` | `1`: a process with torch loaded stays behind for the next `grade`; `0`: none does |
| `CONVGRADER_MAX_ISOLATION` | use at most this isolation level, to see what a weaker machine would do |
| `NO_COLOR` | no colors, as in other programs |
"""

YAML_HEAD = """\
# exercise.yaml

`solutions/<id>/exercise.yaml` says what an exercise is. It is read strictly: an unknown key, a missing one or a value
of the wrong type is an error with file, line, column and a "did you mean". This page is written by
`docs/reference/generate.py` from the model that reads the file. Editors learn the same from `schemas/exercise.json`,
where the first line names it.

[Suites](suites.md) and [known mistakes](mistakes.md) are about this exercise, `solutions/channel_scale/exercise.yaml`:

```yaml
# yaml-language-server: $schema=../../schemas/exercise.json
title: One scale for each channel
section: "7.1"
points: 13
names: [scale_channels, ChannelScale]
objectives:
  - Line one number for each channel up with an image batch
  - Make a layer that learns these numbers
source: "Notes, section 7.1"
hints:
  - "Which axis of (N, C, H, W) does a vector of C numbers belong to? Broadcasting begins at the last one."
  - "Give the vector axes of size 1 behind it: weight[:, None, None] has the shape (C, 1, 1)."
  - "A layer learns what is an nn.Parameter: self.weight = nn.Parameter(torch.ones(channels))."
banned_operators: [normalizations]
limits: {call_limit_s: 8.0}
```
"""


# --- commands


def commands(
    command: click.Command = grade, name: str = "grade", parent: click.Context | None = None
) -> Iterator[tuple[str, click.Command]]:
    """Yield every command by its full name, groups before what is in them."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=name, parent=parent)
        also = ["run"] if parent is None else []
        for word in (*also, *command.list_commands(context)):
            found = command.get_command(context, word)
            assert found is not None, word
            yield from commands(found, f"{name} {word}", context)


def examples(command: click.Command) -> list[str]:
    """Return the command lines that a command's help shows, without what is said about them."""
    lines = [line for block in _blocks(command) for line in _example_lines(block)]
    return [re.split(r"\s{2,}", line)[0] for line in lines]


def _blocks(command: click.Command) -> list[str]:
    return inspect.cleandoc(command.help or "").split("\n\n")


def _example_lines(block: str) -> list[str]:
    if block.startswith("\b\n"):
        return block.splitlines()[1:]
    return [block.removeprefix("Example: ")] if block.startswith("Example: ") else []


def cli_page() -> str:
    """Return the page of all commands."""
    found = list(commands())
    contents = "\n".join(
        f"- [`{name}`](#{name.replace(' ', '-')}): {command.get_short_help_str(200)}"
        for name, command in found[1:]
    )
    return "\n".join([CLI_HEAD.format(contents=contents), *(_section(*one) for one in found)])


def _section(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name)
    usage = context.get_usage().removeprefix("Usage: ")
    parts = [f"## {name}", _fenced("text", [usage])]
    lines: list[str] = []
    for block in _blocks(command):
        if shown := _example_lines(block):
            lines += shown
        else:
            parts.append(_marked(" ".join(block.split())))
    if lines:
        parts.append(_fenced("sh", [_commented(line) for line in lines]))
    parts += filter(None, [_parameters(command)])
    return "\n\n".join(parts) + "\n"


def _fenced(language: str, lines: list[str]) -> str:
    return "\n".join([f"```{language}", *lines, "```"])


def _commented(line: str) -> str:
    """Return a line of help as a shell reads it: what is said about a command is a comment."""
    command, *said = re.split(r"(\s{2,})", line, maxsplit=1)
    return f"{command}{said[0]}# {said[1]}" if said else command


def _marked(text: str) -> str:
    """Return prose with options and names of arguments as code, and nothing that Markdown takes for a tag."""
    inside = text.split("`")
    inside[::2] = [
        re.sub(r"<[^>]*>[\w/<>-]*|(?<![\w-])--[a-z][\w-]*", r"`\g<0>`", part) for part in inside[::2]
    ]
    return "`".join(inside)


def _parameters(command: click.Command) -> str:
    context = click.Context(command)
    rows = []
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            name = parameter.make_metavar(context).replace("|", "\\|")
            rows.append(f"`{name}` | {_number(parameter)}")
        elif isinstance(parameter, click.Option) and not parameter.hidden and parameter.name != "course":
            rows.append(f"`{_named(parameter, context)}` | {_help_of(parameter)}")
    return _table("|", rows)


def _number(argument: click.Argument) -> str:
    if argument.nargs == -1:
        return "As many as you like, or none."
    return "Needed." if argument.required else "May be left out."


def _choices(parameter: click.Parameter) -> str:
    if not isinstance(parameter.type, click.Choice) or (
        parameter.metavar and isinstance(parameter, click.Option)
    ):
        return ""
    return " One of " + ", ".join(f"`{choice}`" for choice in parameter.type.choices) + "."


def _named(option: click.Option, context: click.Context) -> str:
    names = ", ".join(option.opts)
    if option.is_flag:
        return names
    is_choice = isinstance(option.type, click.Choice) and not option.metavar
    metavar = "NAME" if is_choice else option.make_metavar(context)
    return f"{names} {metavar}".replace("|", "\\|")


def _help_of(option: click.Option) -> str:
    text = _marked(option.help or "").replace("|", "\\|") + _choices(option)
    if option.multiple:
        text += " May be given several times."
    if option.required:
        return f"{text} Needed."
    default = option.show_default and option.default is not None
    return f"{text} Default: `{_plain(option.default)}`." if default else text


def _table(head: str, rows: list[str]) -> str:
    if not rows:
        return ""
    rule = " | ".join("---" for _ in head.split("|"))
    head = " | ".join(cell.strip() for cell in head.split("|"))
    return "\n".join(f"| {row} |" for row in [head, rule, *rows])


# --- exercise.yaml


def exercise_page() -> str:
    """Return the page of all fields of an exercise.yaml."""
    groups = "\n".join(f"| `{name}` | {_operators(text)} |" for name, text in CONCEPTS.items())
    return "\n".join(
        [
            YAML_HEAD,
            "## Fields\n",
            _fields(ExerciseDocument, {}),
            "\n## limits\n",
            "A submission that reaches a limit is stopped from outside; it costs the checks that needed the call.\n",
            _fields(LimitsDocument, {name: getattr(Limits(), name) for name in LimitsDocument.model_fields}),
            "\n## passages\n",
            "A failing check names the place in the text of the course that explains it:",
            '`Read "Dilation" in 3. Padding and stride.` Where the course has that text, in `docs/notes/*.md`,',
            "`grade check` looks for each page, whose first heading is its title, and for the heading on it.\n",
            _fields(PassageDocument, {}),
            "\n## banned_operators\n",
            "What is switched off raises a sentence in the student's process, however it is called. Name a group,",
            "so that no sibling is forgotten, or a single operator of `torch.ops.aten`, such as `matmul`. The rest of",
            "torch stays.\n",
            "| group | some of its operators |\n|---|---|",
            groups,
            "\n## tolerated_operators\n",
            "A ban costs every check that needs the function. For a habit beside what the exercise is about that is",
            "too much. What is listed here works, in a worker of its own, once the student's code has called it, and",
            "costs only the checks marked `@pytest.mark.by_hand`. All other operators stay switched off.",
            "\n## points, names and hints\n",
            "`grade check` holds the file against the rest: the points of the suite's checks must add up to `points`,",
            "and there must be at least three hints, five known mistakes and 8 to 24 checks.",
            "",
        ]
    )


def _operators(text: str) -> str:
    names = [name for name in text.split() if not name.startswith("_") and "::" not in name]
    return ", ".join(f"`{name}`" for name in names[:5]) + f" and {len(text.split()) - 5} more"


def _fields(model: type[BaseModel], defaults: dict[str, object]) -> str:
    properties = model.model_json_schema()["properties"]
    required = model.model_json_schema().get("required", ())
    rows = []
    for name, schema in properties.items():
        default = defaults.get(name, schema.get("default"))
        value = (
            "needed" if name in required else f"`{_plain(default)}`" if default not in ([], {}) else "none"
        )
        link = "[its own table](#limits)" if "$ref" in schema else _type(schema)
        link = "list, [see below](#passages)" if name == "passages" else link
        rows.append(f"`{name}` | {link} | {'none' if '$ref' in schema else value} | {schema['description']}")
    return _table("field | type | default | meaning", rows)


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _type(schema: dict[str, object]) -> str:
    options = schema.get("anyOf")
    if isinstance(options, list):
        return _type(next(option for option in options if option["type"] != "null"))
    kind = str(schema["type"])
    if kind == "array":
        return "list of texts" + (", not empty" if schema.get("minItems") else "")
    words = {"string": "text", "number": "number above 0", "integer": "whole number above 0"}
    return words[kind]


def pages() -> dict[str, str]:
    """Return the text of each generated page by the name of its file."""
    return {"cli.md": cli_page(), "exercise-yaml.md": exercise_page()}


if __name__ == "__main__":
    for page, text in pages().items():
        (HERE / page).write_text(text, encoding="utf-8")
