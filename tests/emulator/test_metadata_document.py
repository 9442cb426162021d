"""`$metadata`: one document in which every name leads somewhere. Its schema is checked in tests/vendors."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from d365setup.emulator.csdl import EDM, document
from d365setup.emulator.schema import load_schema

from .conftest import Api

E = f"{{{EDM}}}"
PRIMITIVES = ["Boolean", "Date", "DateTimeOffset", "Double", "Guid", "Int32", "Int64", "String"]


@pytest.fixture(scope="module")
def model() -> ET.Element:
    (schema,) = ET.fromstring(document(load_schema())).iter(f"{E}Schema")  # noqa: S314  # our own text
    return schema


def test_served_as_xml(api: Api) -> None:
    reply = api.get("$metadata", headers={"Accept": "application/json"})
    assert reply.headers["Content-Type"].startswith("application/xml")
    assert reply.content == document(load_schema())
    assert api.get("$metadata?annotations=true").content == document(load_schema(), described=True)
    assert b"Org.OData.Core.V1.Description" in api.get("$metadata?annotations=true").content


def test_every_type_named_is_there(model: ET.Element) -> None:
    known = {f"Edm.{name}" for name in PRIMITIVES}
    known |= {f"mscrm.{each.get('Name')}" for each in model if each.tag != f"{E}EntityContainer"}
    for element in model.iter():
        for attribute in ("Type", "BaseType", "EntityType", "Function"):
            name = element.get(attribute, "Edm.String")
            if element.tag != f"{E}Record":
                assert name.removeprefix("Collection(").rstrip(")") in known


def test_partners_point_at_each_other(model: ET.Element) -> None:
    types = {each.get("Name"): each for each in model.iter(f"{E}EntityType")}
    pairs = 0
    for name, entity in types.items():
        for each in entity.iter(f"{E}NavigationProperty"):
            partner = each.get("Partner")
            if partner:
                target = each.get("Type", "").removeprefix("Collection(").rstrip(")").removeprefix("mscrm.")
                (back,) = (
                    other for other in types[target].iter(f"{E}NavigationProperty") if other.get("Name") == partner
                )
                assert back.get("Partner") == each.get("Name"), (name, partner)
                pairs += 1
    assert pairs > 100


def test_sets_and_bindings(model: ET.Element) -> None:
    (container,) = model.iter(f"{E}EntityContainer")
    sets = {each.get("Name") for each in container.iter(f"{E}EntitySet")}
    assert sets == set(load_schema().sets)
    for binding in container.iter(f"{E}NavigationPropertyBinding"):
        assert binding.get("Target") in sets


def test_users_and_teams_inherit_their_key(model: ET.Element) -> None:
    """1.1: their key in addresses is `ownerid`, not their own id column."""
    types = {each.get("Name"): each for each in model.iter(f"{E}EntityType")}
    for name in ("systemuser", "team"):
        assert types[name].get("BaseType") == "mscrm.principal"
        assert types[name].find(f"{E}Key") is None
    key = types["principal"].find(f"{E}Key/{E}PropertyRef")
    assert key is not None
    assert key.get("Name") == "ownerid"


def test_names_are_unique_within_a_type(model: ET.Element) -> None:
    for entity in model.iter(f"{E}EntityType"):
        found = [each.get("Name") for each in entity if each.tag in {f"{E}Property", f"{E}NavigationProperty"}]
        assert len(found) == len(set(found)), entity.get("Name")
