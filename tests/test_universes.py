"""What is known of the keys of tables."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st
from pathway._tables.universes import Solver, Universe


def test_subsets_chain() -> None:
    solver = Solver()
    whole = Universe(solver)
    part = whole.subset()
    smaller = part.subset()
    assert smaller.is_subset_of(whole)
    assert not whole.is_subset_of(smaller)
    assert not part.is_disjoint_from(whole)


def test_parts_of_a_split_are_disjoint_and_together_the_whole() -> None:
    solver = Solver()
    whole = Universe(solver)
    part = whole.subset()
    rest = solver.difference(whole, part)
    assert part.is_disjoint_from(rest)
    assert solver.union([part, rest]).is_equal_to(whole)
    assert part.subset().is_disjoint_from(rest.subset())


def test_intersections() -> None:
    solver = Solver()
    one, other = Universe(solver), Universe(solver)
    common = solver.intersection([one, other])
    assert common.is_subset_of(one)
    part = one.subset()
    assert not part.is_subset_of(common)
    solver.promise_subset(part, other)
    assert part.is_subset_of(common)


def test_promised_equality_carries_over() -> None:
    solver = Solver()
    one, other = Universe(solver), Universe(solver)
    assert not one.is_equal_to(other)
    solver.promise_equal(one, other)
    assert one.is_equal_to(other)
    assert one.subset().is_subset_of(other)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["subset", "union", "intersection", "difference", "promise_subset", "promise_disjoint"]),
        st.integers(0, 20),
        st.integers(0, 20),
    ),
    max_size=7,
)


@given(STEPS)
def test_answers_are_what_trying_all_cases_gives(steps: list[tuple[str, int, int]]) -> None:
    """A key is in some universes and not in others; the obvious way is to try all combinations."""
    solver = Solver()
    universes = [Universe(solver), Universe(solver)]
    laws = []
    for step, first, second in steps:
        a, b = first % len(universes), second % len(universes)
        new = len(universes)
        if step == "subset":
            universes.append(universes[a].subset())
            laws.append(lambda v, a=a, new=new: not v[new] or v[a])
        elif step == "union":
            universes.append(solver.union([universes[a], universes[b]]))
            laws.append(lambda v, a=a, b=b, new=new: v[new] == (v[a] or v[b]))
        elif step == "intersection":
            universes.append(solver.intersection([universes[a], universes[b]]))
            laws.append(lambda v, a=a, b=b, new=new: v[new] == (v[a] and v[b]))
        elif step == "difference":
            universes.append(solver.difference(universes[a], universes[b]))
            laws.append(lambda v, a=a, b=b, new=new: v[new] == (v[a] and not v[b]))
        elif step == "promise_subset":
            solver.promise_subset(universes[a], universes[b])
            laws.append(lambda v, a=a, b=b: not v[a] or v[b])
        elif a != b:
            solver.promise_disjoint(universes[a], universes[b])
            laws.append(lambda v, a=a, b=b: not (v[a] and v[b]))
    cases = [
        values for values in itertools.product([False, True], repeat=len(universes)) if all(law(values) for law in laws)
    ]
    for a, b in itertools.product(range(len(universes)), repeat=2):
        assert universes[a].is_subset_of(universes[b]) == all(not v[a] or v[b] for v in cases)
        if a != b:
            assert universes[a].is_disjoint_from(universes[b]) == all(not (v[a] and v[b]) for v in cases)


def test_thousands_of_unions() -> None:
    solver = Solver()
    first, other = Universe(solver), Universe(solver)
    whole = first
    for _ in range(2000):
        whole = solver.union([whole, Universe(solver)])
    assert first.is_subset_of(whole)
    assert not whole.is_subset_of(first)
    assert not whole.is_disjoint_from(other)
    assert not whole.is_empty()
    solver.promise_empty(whole)
    assert first.is_empty()


def test_hundreds_of_splits() -> None:
    solver = Solver()
    first = whole = Universe(solver)
    for _ in range(300):
        part = whole.subset()
        whole = solver.union([part, solver.difference(whole, part)])
    assert whole.is_equal_to(first)
    assert not whole.is_empty()


def test_nothing() -> None:
    solver = Solver()
    some, nothing = Universe(solver), Universe(solver)
    solver.promise_empty(nothing)
    assert nothing.is_empty()
    assert nothing.is_subset_of(some)
    assert nothing.is_disjoint_from(some)
    assert not some.is_empty()
    assert solver.union([some, nothing]).is_equal_to(some)
    assert solver.difference(some, some).is_empty()
