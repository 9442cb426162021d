"""Fixtures hold what they promise; table descriptions keep the published oddities (SCHEMA.md)."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from d365setup.emulator import Emulator, Options, Switches
from d365setup.emulator import fixtures as names
from d365setup.emulator.schema import load_schema

from .conftest import Api, Make, code

TABLES = """systemuser role businessunit organization team queue msdyn_liveworkstream
    msdyn_ocliveworkstreamcontextvariable msdyn_decisioncontract msdyn_decisionruleset
    msdyn_rulesetdependencymapping msdyn_routingconfiguration msdyn_routingconfigurationstep
    msdyn_capacityprofile msdyn_liveworkstreamcapacityprofile msdyn_presence solution"""

# table, column, bind name (SCHEMA.md, "Surprises")
ODD_BINDS = [
    ("queue", "msdyn_assignmentinputcontractid", "msdyn_routingcontractid"),
    ("queue", "msdyn_prequeueoverflowrulesetid", "msdyn_decisionrulesetid"),
    ("systemuser", "msdyn_defaultpresenceiduser", "msdyn_DefaultPresenceIdUser"),
    ("msdyn_liveworkstream", "msdyn_botfailureactionconfig", "msdyn_BotFailureActionConfig"),
    ("msdyn_liveworkstream", "msdyn_entityroutingconfigurationid", "msdyn_entityroutingconfigurationId"),
    ("msdyn_liveworkstream", "msdyn_masterentityroutingconfigurationid", "msdyn_masterentityroutingconfigurationId"),
    ("msdyn_liveworkstreamcapacityprofile", "msdyn_capacityprofile_id", "msdyn_capacityProfile_id"),
    ("team", "teamtemplateid", "associatedteamtemplateid"),
]  # fmt: skip

# table, column, type, limit
LIMITS = [
    ("queue", "name", "String", 200),
    ("msdyn_liveworkstream", "msdyn_name", "String", 100),
    ("msdyn_ocliveworkstreamcontextvariable", "msdyn_name", "String", 100),
    ("msdyn_decisionruleset", "msdyn_name", "String", 200),
    ("msdyn_decisionruleset", "msdyn_uniquename", "String", 256),
    ("msdyn_decisionruleset", "msdyn_rulesetdefinition", "Memo", 1048576),
    ("msdyn_routingconfigurationstep", "msdyn_uniquename", "String", 128),
    ("systemuser", "msdyn_botapplicationid", "String", 100),
    ("systemuser", "msdyn_botdescription", "Memo", 2000),
]


def test_every_table_is_there_under_its_set_name() -> None:
    schema = load_schema()
    assert set(TABLES.split()) <= set(schema.tables)
    assert {"queuememberships", "systemuserrolescollection", "teammemberships"} <= set(schema.sets)


@pytest.mark.parametrize(("table", "column", "bind"), ODD_BINDS)
def test_odd_bind_names(table: str, column: str, bind: str) -> None:
    lookup, _ = load_schema().tables[table].lookups[bind]
    assert lookup.name == column


@pytest.mark.parametrize(("table", "column", "kind", "limit"), LIMITS)
def test_limits(table: str, column: str, kind: str, limit: int) -> None:
    found = load_schema().tables[table].columns[column]
    assert (found.type, found.max_length) == (kind, limit)


def test_flags_and_ranges() -> None:
    columns = load_schema().tables["systemuser"].columns
    assert "msdyn_agentType" in columns
    assert "msdyn_agenttype" not in columns
    assert (columns["msdyn_capacity"].minimum, columns["msdyn_capacity"].maximum) == (0, 2147483647)
    assert (columns["isdisabled"].create, columns["isdisabled"].update) == (False, True)
    queue = load_schema().tables["queue"].columns
    assert (queue["msdyn_priority"].minimum, queue["statecode"].create) == (1, False)
    assert queue["emailsignature"].uncertain
    assert (queue["msdyn_uniquename"].create, queue["msdyn_uniquename"].update) == (True, False)


def test_every_relationship_leads_to_a_table_and_a_column() -> None:
    schema = load_schema()
    for table in schema.tables.values():
        for collection in table.collections.values():
            target = schema.tables[collection.table]
            column = getattr(collection, "column", None)
            assert column is None or column in target.columns


def test_empty_is_a_new_environment_with_omnichannel(make: Make) -> None:
    api = make(fixture="empty")
    assert api.rows("msdyn_liveworkstreams") == []
    assert api.rows("msdyn_decisionrulesets") == []
    assert len(api.rows("businessunits")) == 2
    assert len(api.rows("roles")) == 2 * len(names.ROLES)
    assert all(row["ismanaged"] for row in api.rows("roles"))
    assert {row["name"] for row in api.rows("queues")} == {"Default entity queue", "Default messaging queue"}
    found = {row["msdyn_uniquename"] for row in api.rows("msdyn_decisioncontracts")}
    assert "msdyn_demandqueueidentificationoutput" in found
    assert api.get(f"queues({names.DEFAULT_ENTITY_QUEUE})").status_code == 200
    assert len(api.rows("msdyn_presences")) == 5
    assert "msdyn_OmnichannelBase" in {row["uniquename"] for row in api.rows("solutions")}
    (me,) = api.rows("systemusers?$expand=systemuserroles_association($select=name)")
    assert [role["name"] for role in me["systemuserroles_association"]] == ["System Administrator"]


def test_clinic_adds_a_work_stream_queues_and_people(api: Api) -> None:
    (stream,) = api.rows("msdyn_liveworkstreams")
    assert stream["msdyn_name"] == "Patient chat"
    assert (stream["msdyn_mode"], stream["msdyn_streamsource"]) == (717210001, 192360000)
    assert (stream["msdyn_capacityformat"], stream["msdyn_capacityrequired"]) == (192350000, 30)
    assert stream["_msdyn_routingcontractid_value"]
    assert api.rows("msdyn_routingconfigurations") == []
    people = api.rows("systemusers?$filter=applicationid eq null&$expand=systemuserroles_association($select=name)")
    assert len(people) == 5
    assert sum(row["isdisabled"] for row in people) == 1
    for row in people:
        assert row["internalemailaddress"].endswith("@contoso.example")
        assert [role["name"] for role in row["systemuserroles_association"]] == ["Omnichannel agent"]
    for queue in (names.NURSES, names.BILLING):
        row = api.get(f"queues({queue})").json()
        assert (row["queueviewtype"], row["msdyn_isomnichannelqueue"], row["msdyn_queuetype"]) == (1, True, 192350000)


def test_fixture_ids_are_the_same_everywhere() -> None:
    ids = []
    for _ in range(2):
        emulator = Emulator()
        ids.append([emulator.sql(f"SELECT {t}id FROM {t}") for t in ("queue", "role", "msdyn_decisioncontract")])  # noqa: S608
        emulator.close()
    assert ids[0] == ids[1]


def test_reset_begins_again_and_versions_go_on(api: Api) -> None:
    api.create("queues", {"name": "Desk"})
    before = api.emulator.sql("SELECT max(versionnumber) FROM queue")[0][0]
    api.emulator.reset("empty")
    assert len(api.rows("queues")) == 2
    assert api.emulator.sql("SELECT min(versionnumber) FROM queue")[0][0] > before
    api.emulator.reset()
    assert len(api.rows("queues")) == 4


def test_builders(api: Api) -> None:
    """add() acts like the product, change() goes past it, links move no version."""
    stream = api.emulator.add("msdyn_liveworkstream", msdyn_name="Other")
    assert api.get(f"msdyn_liveworkstreams({stream})").json()["_msdyn_routingcontractid_value"]
    queue = api.emulator.add("queue", name="Desk", msdyn_isomnichannelqueue=True)
    before = api.get(f"queues({queue})").headers["ETag"]
    api.emulator.link("queue", queue, "queuemembership_association", names.CALLER)
    assert api.get(f"queues({queue})").headers["ETag"] == before
    assert len(api.rows(f"queues({queue})/queuemembership_association")) == 1
    api.emulator.unlink("queue", queue, "queuemembership_association", names.CALLER)
    assert api.rows(f"queues({queue})/queuemembership_association") == []
    api.emulator.change("queue", queue, name="Drifted")
    assert api.get(f"queues({queue})").headers["ETag"] != before
    api.emulator.add("role", name="Managed", businessunitid=names.ROOT_UNIT, ismanaged=True)
    assert api.rows("roles?$filter=name eq 'Managed'")[0]["ismanaged"] is True
    with pytest.raises(TypeError, match="many-to-many"):
        api.emulator.link("queue", queue, "queue_system_user", names.CALLER)


def test_what_changes_in_one_is_in_no_other() -> None:
    """Their files begin with the same bytes, made once."""
    with closing(Emulator()) as first, closing(Emulator()) as beside:
        first.change("queue", names.NURSES, name="Nobody")
        first.link("systemuser", names.CALLER, "systemuserroles_association", names.fixed_id("role", names.AGENT))
        with closing(Emulator()) as later:
            for other in (beside, later):
                assert other.sql("SELECT name FROM queue WHERE queueid = ?", [names.NURSES]) == [("Nurses",)]
                assert len(other.sql("SELECT 1 FROM systemuserroles WHERE systemuserid = ?", [names.CALLER])) == 1
        first.reset()
        tables = ("queue", "systemuserroles", "_bot", "_bot_scenario")
        counts = [[each.sql(f"SELECT count(*) FROM {table}") for table in tables] for each in (first, beside)]  # noqa: S608  # four names
        assert counts[0] == counts[1]


def test_what_a_switch_says_holds_from_the_beginning() -> None:
    for answer, columns in (("present", 1), ("absent", 0), ("present", 1)):
        with closing(Emulator(options=Options(switches=Switches(disabled_rules_column=answer)))) as emulator:  # type: ignore[arg-type]
            described = emulator.schema.tables["msdyn_decisionruleset"].columns
            assert sum(name == "msdyn_disabledrules" for name in described) == columns


def test_an_unknown_fixture_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(ValueError, match="no fixture 'ward'"):
        Emulator(options=Options(fixture="ward"))  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_managed_rows_are_marked(api: Api) -> None:
    (role,) = api.rows(f"roles?$filter=roleid eq {names.fixed_id('role', names.AGENT)}&$select=ismanaged,canbedeleted")
    assert role["ismanaged"] is True
    assert role["canbedeleted"]["Value"] is False
    assert code(api.get("roles?$select=ismanagedname")) == (400, "0x80060888")
