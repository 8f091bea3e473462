"""Finds the known mistakes that explain the student's results: one, else two together.

An explanation is the reference with mistakes in place of some of its names. It explains a name when it gives, in every
unit that calls the name, exactly what was recorded. One mistake comes before two; where several explanations of one
size are left, or none explains everything, nothing is reported.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product

from grader.course.known_mistakes import Mistake
from grader.grading.engine.feedback.composition import compositions
from grader.grading.engine.feedback.replay import Code, Replayer, Unit, ends_unlike_mistakes

MAX_SPENT = 4000.0  # for one exercise, in the unit of operation_cost: two to three seconds of one core

Explanation = tuple[Mistake, ...]


class _OverBudget(Exception):
    """More replays are needed than the budget allows: what was not tried might explain everything too."""


@dataclass(slots=True)
class Diagnoser:
    """Explains the names of one exercise, each once, as long as its budget lasts."""

    replayer: Replayer
    mistakes: Sequence[Mistake]
    units: Sequence[Unit]
    _explained: dict[str, Explanation] = field(default_factory=dict)
    _singles: dict[str, Explanation] = field(default_factory=dict)
    _alone_by_check: dict[str, dict[str, Mistake]] = field(default_factory=dict)

    def of_check(self, check: str, names: Sequence[str]) -> Explanation:
        """Return the mistakes that explain a failed check: those behind its last wrong unit.

        `names` are those it calls, the last called first: they are explained where no recorded reply is wrong.
        """
        wrong = [unit for unit in self.units if unit.check == check and not self.replayer.right(unit)]
        if not wrong:
            return next((found for name in names if (found := self.explain(name))), ())
        last = max(wrong, key=lambda unit: unit.exchanges[-1].request.number)
        explanations = {found for name in last.names if (found := self.explain(name))}
        return (
            tuple(m for m in explanations.pop() if self._may_show(m, last)) if len(explanations) == 1 else ()
        )

    def of_check_alone(self, check: str) -> Mistake | None:
        """Return the mistake that one check behaves as, where no explanation gives everything: two faults at once.

        Each check is then matched by itself. That is less evidence, so it must point to two faults: the checks of a
        name that are like one mistake are like two between them. Three are like none that was made.
        """
        names = dict.fromkeys(name for unit in self.units if unit.check == check for name in unit.names)
        with contextlib.suppress(_OverBudget):
            for name in names:
                alone = self._each_alone(name)
                if check in alone and len(set(alone.values())) == 2:
                    return alone[check]
        return None

    def _each_alone(self, name: str) -> dict[str, Mistake]:
        """Return the one mistake in `name` that gives what a check recorded, by check.

        None where several do, nor one that would show in a right result.
        """
        if name not in self._alone_by_check:
            found = dict(self._matches(name))
            possible = {m for m in set(found.values()) if not self._shows_where_right(m)}
            self._alone_by_check[name] = {check: m for check, m in found.items() if m in possible}
        return self._alone_by_check[name]

    def _shows_where_right(self, mistake: Mistake) -> bool:
        """Return whether a mistake would show in a result of its function that is right: then it was not made."""
        right = [unit for unit in self._of(mistake.name) if self.replayer.right(unit)]
        return not self._gives(right, {mistake.name: mistake.variant})

    def _matches(self, name: str) -> Iterator[tuple[str, Mistake]]:
        beneath = [unit for called in self._called_by(name) for unit in self._of(called)]
        if self.explain(name) or not all(map(self.replayer.right, beneath)):
            return  # what it calls is wrong too, and may be what its checks show
        by_check: dict[str, list[Unit]] = {}
        for unit in self._of(name):
            by_check.setdefault(unit.check, []).append(unit)
        for check, units in by_check.items():
            wrong = [unit for unit in units if not self.replayer.right(unit)]
            if (
                not wrong
                or any(map(ends_unlike_mistakes, units))
                or any(unit.names != (name,) for unit in wrong)
            ):
                continue
            alike = [m for m in self._in(name) if self._gives(units, {name: m.variant})]
            if len(alike) == 1:
                yield check, alike[0]

    def _may_show(self, mistake: Mistake, unit: Unit) -> bool:
        return any(name == mistake.name or self._calls(name, mistake.name) for name in unit.names)

    def explain(self, name: str) -> Explanation:
        """Return the one or two mistakes that explain `name`, or none."""
        if name not in self._explained:
            self._explained[name] = ()
            with contextlib.suppress(_OverBudget):
                self._explained[name] = self._explain(name)
        return self._explained[name]

    def singles(self, name: str) -> Explanation:
        """Return all mistakes in `name` that explain it by themselves: the exact ones, where there are any."""
        with contextlib.suppress(_OverBudget):
            return self._all_singles(name)
        return ()

    def _all_singles(self, name: str) -> Explanation:
        if name not in self._singles:
            units = self._of(name)
            if all(map(self.replayer.right, units)):
                found = self._exact_singles(name, units)
            else:
                # Where a unit also calls a name that calls this one, the student's own may be called there, or not.
                called = any(
                    self._calls(other, name) for unit in units for other in unit.names if other != name
                )
                ways = (False, True) if called else (False,)
                alike = [
                    m
                    for m in self._in(name)
                    if any(self._gives(units, {name: m.variant}, wired=wired) for wired in ways)
                ]
                found = [m for m in alike if self._exactly(units, m)] or alike
            self._singles[name] = tuple(found)
        return self._singles[name]

    def _exact_singles(self, name: str, units: Sequence[Unit]) -> list[Mistake]:
        """Return the mistakes that give all units exactly, where only what depends on random numbers is wrong."""
        wrong = [unit for unit in units if not self.replayer.gives_exactly(unit, {})]
        return [m for m in self._in(name) if units and self._exactly([*wrong, *units], m)]

    def _exactly(self, units: Sequence[Unit], mistake: Mistake) -> bool:
        code = {mistake.name: mistake.variant}
        return all(
            self.replayer.gives_exactly(unit, code, wired=mistake.name not in unit.names) for unit in units
        )

    def _explain(self, name: str) -> Explanation:
        units = self._of(name)
        if any(map(ends_unlike_mistakes, units)):
            return ()
        if any(
            self._shows_alone(called, name) and not self.explain(called) for called in self._called_by(name)
        ):
            return ()  # what it calls is wrong in an unknown way, which may explain this too
        own: list[Explanation] = [(mistake,) for mistake in self._all_singles(name)]
        others = [found for partner in self._partners(name) for found in self._from_partner(name, partner)]
        if all(map(self.replayer.right, units)):
            # Only what depends on random numbers is wrong: a mistake that gives exactly that is still found.
            if all(self.replayer.gives_exactly(unit, {}) for unit in units):
                return ()
            own, others = (
                [found for found in some if self._exactly(units, *found)] for some in (own, others)
            )
        elif not own and not others:
            return self._only(self._pairs(name))
        # A mistake in another name that shows in its own units too needs no second one here.
        clear = [found for found in others if self._shows_alone(found[0].name, name)]
        return self._only(clear or others + own)

    @staticmethod
    def _only(found: Sequence[Explanation]) -> Explanation:
        return found[0] if len(set(found)) == 1 else ()

    # --- one mistake

    def _from_partner(self, name: str, partner: str) -> Iterator[Explanation]:
        """Yield the mistakes of `partner` that explain both names: `name` calls it, or works on its objects."""
        units, wired = self._union(name, partner), self._calls(name, partner)
        wrong = [unit for unit in units if not self.replayer.right(unit)]
        if not any(self._gives(wrong, {partner: m.variant}, wired=wired) for m in self._in(partner)):
            return  # what they do elsewhere, maybe in a long training, need not be replayed
        for mistake in self._all_singles(partner):
            if self._gives(units, {partner: mistake.variant}, wired=wired):
                yield (mistake,)

    def _shows_alone(self, name: str, other: str) -> bool:
        return any(other not in unit.names and not self.replayer.right(unit) for unit in self._of(name))

    # --- two mistakes

    def _pairs(self, name: str) -> list[Explanation]:
        """Return the pairs that explain a name. They may take half of what is left: other names may need the rest."""
        limit = (self.replayer.spent + MAX_SPENT) / 2
        pairs = [*self._in_one(name, limit)]
        for partner in self._partners(name):
            pairs += self._in_two(name, partner, limit)
        return pairs

    def _in_one(self, name: str, limit: float) -> Iterator[Explanation]:
        """Yield the pairs in one name of which each unit shows neither, or one as it was recorded, or both.

        Each of the two must show by itself somewhere: a mistake that shows in no result is not evidence for a pair.
        Where the two can be composed into one piece of code, that code must give everything. Where they cannot, no
        unit may show both.
        """
        units = self._of(name)
        telling = [
            unit for unit in units if not self.replayer.right(unit) or self.replayer.left_to_chance(unit)
        ]
        candidates = []
        for mistake in self._in(name):
            self._stay_below(limit)
            if any(self._shows(mistake, unit) for unit in telling):
                candidates.append(mistake)
        for one, other in combinations(candidates, 2):
            self._stay_below(limit)
            if self._together(units, one, other):
                yield (one, other)

    def _together(self, units: Sequence[Unit], one: Mistake, other: Mistake) -> bool:
        meet = False
        alone: set[Mistake] = set()
        for unit in units:
            verdicts = {m: self.replayer.verdict(unit, {m.name: m.variant}) for m in (one, other)}
            showing = [verdict for verdict in verdicts.values() if not verdict.reference]
            if len(showing) == 2:
                meet = True
            elif not (showing[0].recorded if showing else self.replayer.right(unit)):
                return False
            alone |= {m for m in (one, other) if self._shows(m, unit)}
        if len(alone) < 2:
            return False
        composed = compositions(self.replayer, one, other)
        if composed:
            return any(self._gives(units, {one.name: code}) for code in composed)
        return not meet

    def _shows(self, mistake: Mistake, unit: Unit) -> bool:
        """Return whether a mistake gives what was recorded, and the reference does not."""
        verdict = self.replayer.verdict(unit, {mistake.name: mistake.variant})
        return verdict.recorded and not verdict.reference

    def _in_two(self, name: str, partner: str, limit: float) -> Iterator[Explanation]:
        """Yield the pairs of a mistake in `name` and one in `partner` that explain both names, and only together."""
        units = self._union(name, partner)
        wired = self._calls(name, partner) or self._calls(partner, name)
        sides = self._alone(name, partner, limit), self._alone(partner, name, limit)
        for one, other in product(*sides):
            self._stay_below(limit)
            code = {name: one.variant, partner: other.variant}
            if self._gives(units, code, wired=wired) and not any(
                self._gives(units, {key: code[key]}, wired=wired) for key in code
            ):
                yield tuple(sorted((one, other), key=self.mistakes.index))

    def _alone(self, name: str, other: str, limit: float) -> list[Mistake]:
        """Return the mistakes in `name` that explain it in the units that do not call `other`."""
        units = [] if self._calls(name, other) else [u for u in self._of(name) if other not in u.names]
        kept = []
        for mistake in self._in(name):
            self._stay_below(limit)
            if self._gives(units, {name: mistake.variant}):
                kept.append(mistake)
        return kept

    def _stay_below(self, limit: float) -> None:
        if self.replayer.spent > limit:
            raise _OverBudget

    # --- which mistakes, units and names belong together

    def _in(self, name: str) -> list[Mistake]:
        return [mistake for mistake in self.mistakes if mistake.name == name]

    def _of(self, name: str) -> list[Unit]:
        return self._union(name, name)

    def _union(self, name: str, other: str) -> list[Unit]:
        """Return the units of two names, the wrong ones first: most mistakes fail on the first of them."""
        found = [unit for unit in self.units if name in unit.names or other in unit.names]
        return sorted(found, key=self.replayer.right)

    def _gives(self, units: Sequence[Unit], code: Code, *, wired: bool = False) -> bool:
        self._stay_below(MAX_SPENT)
        return all(self.replayer.gives(unit, code, wired=wired) for unit in units)

    def _partners(self, name: str) -> list[str]:
        """Return the names whose mistakes may show in this one's results: those it meets, and those it calls."""
        names = dict.fromkeys(mistake.name for mistake in self.mistakes)
        met = {other for unit in self._of(name) for other in unit.names}
        return [
            other
            for other in names
            if other != name and (other in met or self._calls(name, other) or self._calls(other, name))
        ]

    def _called_by(self, name: str) -> list[str]:
        return [other for other in self._partners(name) if self._calls(name, other)]

    def _calls(self, name: str, other: str) -> bool:
        """Return whether the reference's `name` calls its `other`, directly or indirectly."""
        return other in self.replayer.calls_of(name)
