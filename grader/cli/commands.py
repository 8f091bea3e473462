"""The sub-commands of `grade`, in the order of `--help`, with the module of each, which is not imported here."""

COMMANDS = {
    "list": "grader.cli.listing:list_command",
    "next": "grader.cli.next:next_command",
    "watch": "grader.cli.watch:watch_command",
    "replay": "grader.cli.replay:replay_command",
    "hint": "grader.cli.help:hint_command",
    "solution": "grader.cli.help:solution_command",
    "reset": "grader.cli.reset:reset_command",
    "init": "grader.cli.course:init_command",
    "quiz": "grader.cli.course:quiz_command",
    "release": "grader.cli.release:release_command",
    "class": "grader.cli.classes:class_command",
    "regrade": "grader.cli.regrade:regrade_command",
    "erase": "grader.cli.erase:erase_command",
    "stats": "grader.cli.stats:stats_command",
    "similar": "grader.cli.similar:similar_command",
    "report": "grader.cli.report:report_command",
    "export": "grader.cli.export:export_command",
    "new": "grader.cli.new:new_command",
    "check": "grader.cli.check:check_command",
    "doctor": "grader.cli.doctor:doctor_command",
}
