"""`$metadata` against the XML schemas of OASIS, and through programs that read CSDL.

The schemas come with npm `odata-csdl`, the OASIS committee's own package. They are those of CSDL 4.01, which replaced
those of 4.0 and accept a document of 4.0; the older ones are in no package.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests

from d365setup.emulator.csdl import document
from d365setup.emulator.schema import load_schema

from .conftest import API, Place, needed

NAMESPACE = "Microsoft.Dynamics.CRM"


@pytest.mark.parametrize("described", [False, True])
def test_valid_by_the_published_schema(packages: Path, *, described: bool) -> None:
    etree = needed("lxml.etree")
    schema = etree.XMLSchema(etree.parse(packages / "node_modules" / "odata-csdl" / "schemas" / "edmx.xsd"))
    read = etree.fromstring(document(load_schema(), described=described))
    assert schema.validate(read), schema.error_log
    read[-1][0][1].set("Nope", "x")
    assert not schema.validate(read), "the schema is being looked at"


def test_read_by_the_committees_converter(packages: Path, tmp_path: Path) -> None:
    written = tmp_path / "metadata.xml"
    written.write_bytes(document(load_schema()))
    script = packages / "node_modules" / "odata-csdl" / "lib" / "cli.js"
    subprocess.run(["node", script, written], check=True, capture_output=True, timeout=60)  # noqa: S603, S607  # as installed
    model: dict[str, Any] = json.loads(written.with_suffix(".json").read_text(encoding="utf-8"))
    types = model[NAMESPACE]
    assert model["$EntityContainer"] == f"{NAMESPACE}.System"
    assert types["queue"]["name"]["$MaxLength"] == 200
    assert types["queue"]["queuemembership_association"]["$Collection"]
    assert types["systemuser"]["$BaseType"] == "mscrm.principal"


def test_loaded_by_a_generic_client(place: Place) -> None:
    """python-odata knows OData 4.0 and nothing of Dataverse; it builds its classes from the document."""
    odata = needed("odata")
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {place.token}"
        session.verify = str(place.ca_bundle)
        service = odata.ODataService(f"{place.url}{API}", session=session, reflect_entities=True, quiet_progress=True)
        assert set(service.entities) == set(load_schema().sets)
        assert {"WhoAmI", "RetrieveVersion"} <= set(service.functions)
        queues = service.entities["queues"]
        found = service.query(queues).filter(queues.name.contains("e")).order_by(queues.name.desc()).limit(3).all()
        names = [row.name for row in found]
        assert names == sorted(names, reverse=True)
        assert len(names) == 3
        users = service.query(service.entities["systemusers"]).limit(1).all()
        assert users[0].systemuserid


def test_changed_through_a_generic_client(place: Place) -> None:
    odata = needed("odata")
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {place.token}"
        session.verify = str(place.ca_bundle)
        service = odata.ODataService(f"{place.url}{API}", session=session, reflect_entities=True, quiet_progress=True)
        queues = service.entities["queues"]
        (queue,) = service.query(queues).filter(queues.name == "Nurses").all()
        queue.description = "Day and night"
        service.save(queue)
        made = queues()
        made.name = "Another desk"
        with pytest.raises(odata.exceptions.ODataError, match="0x80040200"):  # it sends null for each column not set
            service.save(made)
    (row,) = place.rows("queues?$filter=name eq 'Nurses'&$select=description")
    assert row["description"] == "Day and night"
