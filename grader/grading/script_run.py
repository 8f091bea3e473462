"""Runs a program beside the modules of a submission in a worker, isolated as in a grading. It decides no points."""

from dataclasses import dataclass, replace

from grader.core.model import Frame
from grader.grading.dispatcher import Dispatcher
from grader.grading.messages import Job
from grader.sandbox.protocol.messages import Load
from grader.sandbox.protocol.orders import WorkerOrder
from grader.sandbox.supervisor import LoadFailed, Sandbox, WorkerLost


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptEnd:
    """What a program printed, and the error that ended it, "" where it ran to its end. All of it is a student's text.

    `traceback` holds the lines of the program and of the submission, outermost first; `path` is the program in it.
    """

    path: str
    output: str
    error: str = ""
    traceback: tuple[Frame, ...] = ()


def run_in_worker(dispatcher: Dispatcher, job: Job, name: str, text: str) -> ScriptEnd:
    """Run a program as a module `name` beside those of a job, within the limits of its exercise.

    It may take as long as an import and a check together. Raises InternalError where no worker can be started.
    """
    limits = job.exercise.limits
    limits = replace(limits, import_limit_s=limits.import_limit_s + limits.check_limit_s)
    order = WorkerOrder(memory_limit_mib=limits.memory_limit_mib, output_limit_kib=limits.output_limit_kib)
    while f"{name}.py" in job.sources:  # a module of the student stays what it is
        name += "_"
    load = Load(module=name, root=job.root, sources={**job.sources, f"{name}.py": text})
    sandbox = Sandbox(dispatcher.launcher(order), load, limits)
    error, traceback = "", list[Frame]()
    try:
        sandbox.ensure_loaded()
    except LoadFailed as failed:
        # As Python writes it: without a colon where there is no message.
        error = ": ".join(filter(None, (failed.reply.type_name, failed.reply.message)))
        traceback += [
            Frame(path=line.path, line=line.line, function=line.function, text=line.text)
            for line in failed.reply.traceback
        ]
    except WorkerLost as lost:
        error = f"{lost.message[:1].upper()}{lost.message[1:]}."
    finally:
        sandbox.close()
    return ScriptEnd(
        path=f"{job.root}{name}.py",
        output=sandbox.output.decode("utf-8", "replace"),
        error=error,
        traceback=tuple(traceback),
    )
