"""When a program is killed: what is drawn from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from pathway import _native
from pathway._crashing.report import Kill

# So many kills in one folder at most, before it is left to end.
_MOST_IN_A_ROUND = 8

# One kill of so many is at a named point.
_ONE_POINT_OF = 3

# At which time that a point is reached, until it is known how often it is.
_MOST_TIMES = 32


@dataclass
class Kills:
    """Draws kills; the same seed draws the same."""

    seed: int
    processes: int = 1
    # How often a point is reached at most, in first runs and in those after a kill, by a process or any.
    _most: dict[tuple[bool, int | None, str], int] = field(default_factory=dict)

    def in_round(self, number: int) -> int:
        """How many there are to be in a round."""
        return self._random(number).randint(1, _MOST_IN_A_ROUND)

    def draw(self, number: int, attempt: int) -> Kill:
        """The next kill of a round."""
        chance = self._random(number, attempt)
        is_first = attempt == 0
        victim = None
        if self.processes > 1 and chance.random() < 0.5:
            victim = chance.randrange(self.processes)
        points = [point for point in _native.fail_points() if self._at_most(is_first, victim, point) > 0]
        if points and chance.randrange(_ONE_POINT_OF) == 0:
            point = chance.choice(points)
            count = chance.randint(1, self._at_most(is_first, victim, point))
            return Kill(point=point, count=count, victim=victim)
        return Kill(instant=chance.random(), victim=victim)

    def missed(self, attempt: int, kill: Kill) -> None:
        """A run has ended before it was killed."""
        if kill.point is not None:
            self._most[attempt == 0, kill.victim, kill.point] = kill.count - 1

    def _at_most(self, is_first: bool, victim: int | None, point: str) -> int:
        return self._most.get((is_first, victim, point), _MOST_TIMES)

    def _random(self, *numbers: int) -> random.Random:
        return random.Random(" ".join(map(str, (self.seed, *numbers))))
