"""The marks of a whole class: those of its hand-ins, and by its roster those of students who handed in nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from grader.classroom.late_policy import Policy, WithoutHandIn
from grader.classroom.roster import Roster
from grader.core.model import Mark, Person, Score


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassMembers:
    """Whose the hand-ins of a class are, and the policy by which they are marked.

    `people` are those of the roster by their id, and `missing` those of them who handed in nothing. `unmatched` says by
    name why a hand-in, or a student of the policy, is of no one in the roster.
    """

    policy: Policy
    people: Mapping[str, Person] = field(default_factory=dict)
    missing: tuple[Person, ...] = ()
    unmatched: Mapping[str, str] = field(default_factory=dict)

    def excused(self, scores: Iterable[Score]) -> list[str]:
        """Return who gets no mark because the policy excuses them: of those with a hand-in, and of those without."""
        named = self.policy.excused
        found = {
            member
            for score in scores
            for member in self.policy.members(score.student)
            if not named.isdisjoint((member, score.student))
        }
        absent = {
            person.id
            for person in self.missing
            if self.policy.missing is WithoutHandIn.EXCUSED or person.id in named
        }
        return sorted(found | absent)

    def marks(self, scores: Iterable[Score]) -> list[Mark]:
        """Return the mark of every student who has one, by name."""
        return self.policy.marks(scores)

    def zeros(self, max_points: float) -> list[Mark]:
        """Return the marks of those who handed in nothing, where the policy gives them zero."""
        if self.policy.missing is not WithoutHandIn.ZERO:
            return []
        return [
            Mark(
                student=person.id,
                number=0,
                submitted_at=None,
                raw_points=0.0,
                max_points=max_points,
                days_late=0,
                penalty_percent=0.0,
                points=0.0,
            )
            for person in self.missing
            if person.id not in self.policy.excused
        ]


def members(policy: Policy, roster: Roster | None, students: Sequence[str]) -> ClassMembers:
    """Return whose these hand-ins are. With a roster, marks and the policy are by the ids of the roster.

    What the policy says of a student is found by their id, or by the name of their hand-in.
    """
    if roster is None:
        return ClassMembers(policy=policy)
    by_hand_in = {student: policy.members(student) for student in students}
    names = list(dict.fromkeys(name for found in by_hand_in.values() for name in found))
    matching = roster.match(names)
    groups = set(policy.groups) & set(students)
    of_policy = roster.match({*policy.extensions, *policy.excused} - groups)
    ids = {name: person.id for name, person in (*matching.people.items(), *of_policy.people.items())}
    known = replace(
        policy,
        groups={
            **policy.groups,
            **{
                student: tuple(ids.get(name, name) for name in found) for student, found in by_hand_in.items()
            },
        },
        extensions={
            **policy.extensions,
            **{ids[name]: due for name, due in policy.extensions.items() if name in ids},
        },
        excused=policy.excused | {ids[name] for name in policy.excused if name in ids},
    )
    return ClassMembers(
        policy=known,
        people={person.id: person for person in (*matching.people.values(), *matching.missing)},
        missing=matching.missing,
        unmatched={**matching.unmatched, **of_policy.unmatched},
    )
