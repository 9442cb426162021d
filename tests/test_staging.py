"""How writes are put together, as properties: nothing lost, nothing apart that belongs together, never too wide."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d365setup.model import ResourceId, Stage, Write
from d365setup.staging import ONE_CHANGE_SET, stages


def write(stage: Stage, number: int, needs: frozenset[int] = frozenset(), group: str = "") -> Write:
    made = (ResourceId("thing", str(number)),)
    wanted = frozenset(ResourceId("thing", str(each)) for each in needs)
    return Write(stage, "PATCH", f"things({number})", {}, made, needs=wanted, group=group)


@st.composite
def many(draw: st.DrawFn) -> list[Write]:
    found = []
    for number in range(draw(st.integers(0, 80))):
        earlier = st.frozensets(st.integers(0, number - 1), max_size=2) if number else st.just(frozenset[int]())
        group = draw(st.sampled_from(["", "", "a", "b", "c"]))
        found.append(write(draw(st.sampled_from(Stage)), number, draw(earlier), group))
    return sorted(found, key=lambda each: each.stage)


@given(many(), st.integers(1, 8), st.booleans(), st.booleans())
def test_properties(writes: list[Write], width: int, waits: bool, whole: bool) -> None:
    found = stages(writes, width, waits=waits, whole=whole)
    flat = [each for stage in found for change_set in stage for each in change_set]
    assert sorted(each.path for each in flat) == sorted(each.path for each in writes)
    for stage in found:
        assert stage
        assert len(stage) <= (1 if whole else width)
        home = {made: place for place, change_set in enumerate(stage) for each in change_set for made in each.changes}
        groups: dict[str, int] = {}
        for place, change_set in enumerate(stage):
            assert change_set
            for each in change_set:
                assert {home[needed] for needed in each.needs if needed in home} <= {place}
                if each.group:
                    assert groups.setdefault(each.group, place) == place
        inside = [each for change_set in stage for each in change_set]
        split_before = sum(each.stage is not Stage.ROUTES for each in writes) > ONE_CHANGE_SET
        if len(inside) <= ONE_CHANGE_SET and not (split_before and inside[0].stage is Stage.ROUTES):
            assert len(stage) == 1


@given(st.integers(21, 200), st.integers(1, 8), st.integers(0, 21))
def test_what_stands_alone_is_laid_out_evenly_beside_what_belongs_together(count: int, width: int, group: int) -> None:
    writes = [write(Stage.LINKS, n, group="one" if n < group else "") for n in range(count)]
    (stage,) = stages(writes, width, waits=False)
    sizes = sorted(len(change_set) for change_set in stage)
    if group <= count // width:
        assert sizes[-1] - sizes[0] <= 1
    else:
        assert sizes[-1] == max(group, -(-count // width))


def test_routes_of_different_work_streams_go_side_by_side_once_an_apply_is_split() -> None:
    links = [write(Stage.LINKS, n) for n in range(21)]
    routes = [write(Stage.ROUTES, 100 + n, group=f"stream {n // 4}") for n in range(20)]
    assert [len(each) for each in stages([*links, *routes], 8, waits=True)] == [8, 5]
    assert [len(each) for each in stages([*links[:9], *routes], 8, waits=True)] == [1, 1]


@given(many(), st.integers(1, 8))
def test_routes_come_last_when_they_may_have_to_wait(writes: list[Write], width: int) -> None:
    found = stages(writes, width, waits=True)
    latest = [max(each.stage for change_set in stage for each in change_set) for stage in found]
    for stage, last in zip(found, latest, strict=True):
        kinds = {each.stage for change_set in stage for each in change_set}
        assert last is not Stage.ROUTES or kinds == {Stage.ROUTES}


@pytest.mark.parametrize(("count", "waits", "expected"), [(20, False, 1), (21, False, 2), (20, True, 2)])
def test_twenty_writes_are_one_stage(count: int, waits: bool, expected: int) -> None:
    writes = [write(Stage.THINGS, n) for n in range(count - 1)] + [write(Stage.ROUTES, count)]
    assert len(stages(writes, 4, waits=waits)) == expected


def test_order_within_a_change_set_is_kept() -> None:
    writes = [write(Stage.THINGS, n, group="one") for n in range(40)]
    assert stages(writes, 4, waits=False) == ((tuple(writes),),)
