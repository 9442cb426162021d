"""What every kind is asked, unprompted: whichever kinds are found in the folder."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from d365setup import kinds
from d365setup.kinds.base import Kind, TableKind
from d365setup.model import Action, Change, Desired, Environment, Live, LiveState, Note, Spec
from d365setup.scope import Ids, Scope

from .made_up.presence import Presence, Presences
from .site import KINDS
from .strategies import specs

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "playbooks.md"
TABLES = [kind for kind in KINDS.values() if isinstance(kind, TableKind)]
UNIT = "20000000-0000-4000-8000-000000000001"
OUTER = "20000000-0000-4000-8000-000000000002"
ROW = "20000000-0000-4000-8000-000000000003"


def test_the_seven_kinds_are_found_by_folder() -> None:
    assert set(KINDS) == {
        "bot_user",
        "role_assignment",
        "queue",
        "queue_member",
        "workstream",
        "context_variable",
        "routing_rule",
    }
    modules = {type(kind).__module__ for kind in KINDS.values()}
    assert modules == {f"d365setup.kinds.{name}" for name in KINDS}


def test_each_stands_behind_those_it_comes_after() -> None:
    order = list(KINDS)
    assert all(order.index(before) < order.index(name) for name, kind in KINDS.items() for before in kind.after)
    assert list(kinds.discover()) == order


def test_specs_are_what_the_loader_wants() -> None:
    assert {name: spec.kind for name, spec in kinds.specs(KINDS).items()} == {name: name for name in KINDS}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_it_is_documented(kind: Kind[Any]) -> None:
    text = DOCS.read_text(encoding="utf-8")
    place = kind.spec.place
    assert kind.kind in text
    assert f"`{place.field or place.section}`" in text or f"fields: {place.field or place.section}" in text
    settable = [each.name for each in fields(kind.spec) if each.metadata.get("playbook", True)]
    names = [] if place.derived else [name for name in settable if name != place.parent]
    assert [name for name in names if f"`{name}`" not in text] == []


# A row and back.


def _scope(outer: Spec | None) -> Scope:
    environment = Environment("", "30000000-0000-4000-8000-000000000001", root_business_unit=UNIT)
    live = LiveState(environment, (Live(outer, OUTER),) if outer else ())
    return Scope(Desired(), live, Ids(environment.organization_id, "test", live))


def _outer(spec: Spec) -> Spec | None:
    """What a spec of a nested list hangs on, in its simplest form."""
    place = type(spec).place
    for each in KINDS.values():
        if place.parent and each.spec.place.section == place.section and not each.spec.place.field:
            return each.spec(name=getattr(spec, place.parent))
    return None


def _as_read(body: dict[str, Any], kind: TableKind[Any], outer: Spec | None) -> dict[str, Any]:
    """The row a service shows for the body of a create: binds as lookups, expanded; full names made of last names."""
    row = {kind.row_key: ROW, "fullname": body.get("lastname"), "@odata.etag": 'W/"1"'}
    for name, value in body.items():
        navigation, bound, _ = name.partition("@odata.bind")
        if not bound:
            row[name] = value
            continue
        target = value[value.index("(") + 1 : -1]
        row[f"_{navigation}_value"] = target
        if target == OUTER and outer:
            row[navigation] = {"name": outer.name, "msdyn_name": outer.name}
    return row


@pytest.mark.parametrize("kind", TABLES, ids=[kind.kind for kind in TABLES])
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
def test_a_row_made_of_a_spec_amounts_to_that_spec(kind: TableKind[Any], data: st.DataObject) -> None:
    wanted = data.draw(specs(kind.spec))
    outer = _outer(wanted)
    scope = _scope(outer)
    (settled,) = [each for each in kind.resolve(wanted, scope) if not isinstance(each, Note)]
    body = kind.to_row(settled, scope)
    back = kind.from_row(_as_read(body, kind, outer))
    assert back is not None
    expected = {name: kind.shown_new(settled, name) for name in kind.columns}
    assert {name: getattr(back, name) for name in kind.columns} == expected
    assert (back.key, back.identity) == (wanted.key, wanted.identity)


@pytest.mark.parametrize("kind", TABLES, ids=[kind.kind for kind in TABLES])
def test_every_word_of_a_field_has_its_own_number(kind: TableKind[Any]) -> None:
    for column in kind.columns.values():
        assert len(set(column.codes.values())) == len(column.codes)
        assert all(column.from_value(column.to_value(word)) == word for word in column.codes)
        assert column.from_value(-1) == ("option -1" if column.codes else -1)
        assert column.from_value(None) is None


@pytest.mark.parametrize("kind", TABLES, ids=[kind.kind for kind in TABLES])
def test_every_word_a_playbook_may_say_can_be_written(kind: TableKind[Any]) -> None:
    hints = get_type_hints(kind.spec, include_extras=True)
    for name, column in kind.columns.items():
        said = [word for part in get_args(hints[name]) for word in get_args(part) or (part,)]
        assert {word for word in said if isinstance(word, str) and column.codes} <= set(column.codes)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_nothing_to_do_for_nothing(kind: Kind[Any]) -> None:
    scope = _scope(None)
    assert kind.diff(None, None) is None
    assert list(kind.queries(Desired())) == []
    assert list(kind.from_rows({})) == []
    assert list(kind.writes([], scope)) == []
    assert list(kind.removals(scope)) == []
    assert list(kind.strays(scope)) == []
    assert list(kind.gate([])) == []
    assert list(kind.afterwards([], scope)) == []


# A kind of somebody's own: one file in the folder, and nothing else.

FOLDER = Path(__file__).parent / "made_up"
CONVERGE = """
import sys
import d365setup.kinds
d365setup.kinds.__path__.append(sys.argv[1])
from tests.kinds import site as s
with s.site() as found:
    text = "presences: [{name: Away, text: Gone}, {name: Lunch}]"
    for change in found.plan(text).changes:
        print(change.id, change.action.value, [(f.field, f.before, f.after) for f in change.fields])
    found.apply(text)
    columns = "msdyn_name, msdyn_presencestatustext, msdyn_basepresencestatus"
    print(found.emulator.sql(f"SELECT {columns} FROM msdyn_presence WHERE msdyn_name IN ('Away', 'Lunch') ORDER BY 1"))
    found.emulator.execute("UPDATE msdyn_presence SET msdyn_presencestatustext = 'x' WHERE msdyn_name = 'Away'")
    print([[(f.field, f.before, f.after) for f in c.fields] for c in found.plan(text).changes])
"""


def _python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", code, str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  # our own


def test_a_kind_added_to_the_folder_needs_nothing_else() -> None:
    command = [sys.executable, "-W", "error", "-c", CONVERGE, str(FOLDER)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  # our own code
    assert done.stderr == ""
    away = "192360003"  # the fixture's own number stays: the playbook does not state it
    assert done.stdout.splitlines() == [
        "presence:Away update [('text', 'Away', 'Gone')]",
        "presence:Lunch create []",
        f"[('Away', 'Gone', {away}), ('Lunch', None, 192360000)]",
        "[[('text', 'x', 'Gone')]]",
    ]


class Twin(Presences):
    """A second kind of the name."""


class Misled(Presences):
    """A kind that wants to follow one nobody has."""

    after = ("quueue",)


MADE_UP = Presences.__module__
BROKEN = {
    "twice": (Twin, f"{MADE_UP} and {__name__} both define the kind 'presence'; rename one"),
    "after nothing": (Misled, f"{__name__}: after names 'quueue', which is no kind"),
}


@pytest.mark.parametrize(("kind", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_kind_is_told_by_its_file(kind: type[Presences], message: str) -> None:
    others = [*KINDS.values(), *([Presences()] if kind is Twin else [])]
    with pytest.raises(ImportError) as caught:
        kinds.ordered([*others, kind()])
    assert str(caught.value) == message


def test_what_a_kind_need_not_say() -> None:
    """Resolved as declared, nothing removed, nothing to wait for, no row ever deleted."""
    kind, spec, scope = Presences(), Presence(name="Away"), _scope(None)
    assert list(kind.resolve(spec, scope)) == [spec]
    assert kind.settled(spec, scope) is spec
    removal = Change(Action.DELETE, spec.id, spec)
    assert kind.blocked(removal, scope) == ""
    assert list(kind.doubts(removal, scope)) == []
    assert list(kind.writes([removal], scope)) == []
    assert list(kind.strays(scope)) == []
    assert kind.diff(None, Live(spec, ROW)) is None
    (query,) = kind.readback(Desired((spec,)))
    assert query.label == "presences"
