"""What is known of the sets of keys (universes) of tables, before anything runs.

Every fact is a clause about one arbitrary key: "if it is in A, it is in B" (subset), "it is not in
both" (disjoint), "if it is in the union, it is in A or B". A question is answered by assuming the
opposite and looking for a contradiction: unit propagation, and a case distinction for unions.
So the parts of a split are disjoint, and together they are the whole, without any rule that says so.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_numbers = itertools.count(1)


class Universe:
    """A set of keys; tables with the same universe have the same keys."""

    __slots__ = ("number", "solver")

    def __init__(self, solver: Solver) -> None:
        self.number = next(_numbers)
        self.solver = solver

    def subset(self) -> Universe:
        """A new universe within this one."""
        part = Universe(self.solver)
        self.solver.promise_subset(part, self)
        return part

    def is_subset_of(self, other: Universe) -> bool:
        """Whether it is certain that every key is also in the other."""
        return self is other or self.solver.contradicts(self.number, -other.number)

    def is_empty(self) -> bool:
        """Whether it is certain that there are no keys."""
        return self.solver.contradicts(self.number)

    def is_equal_to(self, other: Universe) -> bool:
        """Whether it is certain that both have the same keys."""
        return self is other or (self.is_subset_of(other) and other.is_subset_of(self))

    def is_disjoint_from(self, other: Universe) -> bool:
        """Whether it is certain that no key is in both."""
        return self.solver.contradicts(self.number, other.number)


class Solver:
    """The facts. A literal is a universe's number, negative for "the key is not in it"."""

    def __init__(self) -> None:
        self._clauses: list[tuple[int, ...]] = []
        # Where a literal occurs, so that only clauses it touches are looked at.
        self._occurrences: dict[int, list[int]] = {}

    def _add(self, *literals: int) -> None:
        clause = tuple(dict.fromkeys(literals))
        for literal in clause:
            self._occurrences.setdefault(literal, []).append(len(self._clauses))
        self._clauses.append(clause)

    def promise_subset(self, part: Universe, whole: Universe) -> None:
        """Every key of the part is in the whole."""
        if part is not whole:
            self._add(-part.number, whole.number)

    def promise_equal(self, one: Universe, other: Universe) -> None:
        """Both have the same keys."""
        self.promise_subset(one, other)
        self.promise_subset(other, one)

    def promise_empty(self, universe: Universe) -> None:
        """There are no keys."""
        self._add(-universe.number)

    def promise_disjoint(self, one: Universe, other: Universe) -> None:
        """No key is in both."""
        self._add(-one.number, -other.number)

    def union(self, parts: Sequence[Universe]) -> Universe:
        """The keys that are in any of the parts."""
        whole = Universe(self)
        for part in parts:
            self.promise_subset(part, whole)
        self._add(-whole.number, *(part.number for part in parts))
        return whole

    def intersection(self, parts: Sequence[Universe]) -> Universe:
        """The keys that are in all of the parts."""
        common = Universe(self)
        for part in parts:
            self.promise_subset(common, part)
        self._add(common.number, *(-part.number for part in parts))
        return common

    def difference(self, whole: Universe, removed: Universe) -> Universe:
        """The keys that are in the whole but not in the other."""
        rest = Universe(self)
        self.promise_subset(rest, whole)
        self.promise_disjoint(rest, removed)
        self._add(rest.number, -whole.number, removed.number)
        return rest

    def contradicts(self, *literals: int) -> bool:
        """Whether no key can satisfy all the literals at once."""
        return not _Search(self._clauses, self._occurrences).can_hold(list(literals))


class _Choice(NamedTuple):
    """A clause of which some literal has to hold: how far everything was before one was tried, and those to try."""

    trail: int
    touched: int
    scanned: int
    options: list[int]
    failed: list[int]


class _Search:
    """Looks for a key that satisfies some literals.

    Saying no to everything undecided satisfies clauses with a negative literal left, so only those whose open literals
    are all positive ask for a decision. A decision that fails is taken back; nothing recurs, as there may be thousands.
    """

    def __init__(self, clauses: Sequence[tuple[int, ...]], occurrences: Mapping[int, Sequence[int]]) -> None:
        self._clauses = clauses
        self._occurrences = occurrences
        # What holds, also in the order in which it was found.
        self._true: set[int] = set()
        self._trail: list[int] = []
        # The clauses that may need a decision.
        self._touched: list[int] = []

    def can_hold(self, literals: list[int]) -> bool:
        """Whether the literals can hold at once."""
        choices: list[_Choice] = []
        scanned = 0
        while True:
            if self._propagate(literals):
                scanned, options = self._undecided(scanned)
                if not options:
                    return True
                choices.append(_Choice(len(self._trail), len(self._touched), scanned, options, []))
            while choices and not choices[-1].options:
                choices.pop()
            if not choices:
                return False
            choice = choices[-1]
            self._back_to(choice)
            scanned = choice.scanned
            option = choice.options.pop(0)
            literals = [option, *choice.failed]
            choice.failed.append(-option)

    def _propagate(self, pending: list[int]) -> bool:
        """Adds literals and what follows from them; False if something contradicts them."""
        while pending:
            literal = pending.pop()
            if -literal in self._true:
                return False
            if literal in self._true:
                continue
            self._true.add(literal)
            self._trail.append(literal)
            for number in self._occurrences.get(-literal, ()):
                clause = self._clauses[number]
                if not self._true.isdisjoint(clause):
                    continue
                open_literals = [other for other in clause if -other not in self._true]
                if not open_literals:
                    return False
                if len(open_literals) == 1:
                    pending.append(open_literals[0])
                else:
                    self._touched.append(number)
        return True

    def _undecided(self, scanned: int) -> tuple[int, list[int]]:
        """The next clause that asks for a decision, by its position among the touched, and its open literals."""
        while scanned < len(self._touched):
            clause = self._clauses[self._touched[scanned]]
            if self._true.isdisjoint(clause):
                open_literals = [literal for literal in clause if -literal not in self._true]
                if all(literal > 0 for literal in open_literals):
                    # Less hangs on older universes.
                    return scanned, sorted(open_literals)
            scanned += 1
        return scanned, []

    def _back_to(self, choice: _Choice) -> None:
        for literal in self._trail[choice.trail :]:
            self._true.remove(literal)
        del self._trail[choice.trail :]
        del self._touched[choice.touched :]
