"""Work stream contracts: the XML that tells the routing engine which context variables there are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from .options import Switches
from .store import Row, Rows, new_id
from .xml import BadXml, Element, parse

DATA_TYPES = {192350000: "string", 192350001: "number", 192350002: "boolean", 192350100: "string"}
"""`msdyn_datatype` to `data-type`; the last one is a guess, no source shows it."""
VARIABLE = "msdyn_ocliveworkstreamcontextvariable"
STREAM = "msdyn_liveworkstream"
CONTRACT = "msdyn_decisioncontract"


def empty_contract() -> str:
    """Return the contract text of a work stream without variables."""
    entity = {"logical-name": "msdyn_ocliveworkitem", "key": "msdyn_ocliveworkitem"}
    children = [Element("entity", entity), Element("complex", {"key": "liveworkitemcontext"})]
    return Element("contract", {"version": "1"}, children).write()


def make_contract(rows: Rows, stream: Row, system: Mapping[str, object]) -> Row:
    """Add the contract of a new work stream; the caller binds it."""
    contract_id = new_id()
    values = {
        "msdyn_decisioncontractid": contract_id,
        "msdyn_name": f"{stream['msdyn_name'] or ''} contract"[:200],
        "msdyn_uniquename": "new_" + contract_id.replace("-", "_"),
        "msdyn_contractdefinition": empty_contract(),
    }
    return rows.insert(CONTRACT, {**system, **values})


def variable_changed(rows: Rows, switches: Switches, stream_id: str | None, dropped: Iterable[str] = ()) -> None:
    """Bring the contract of a work stream up to date now, later or never, as the switch says."""
    stream = rows.get(STREAM, stream_id) if stream_id else None
    contract_id = stream["msdyn_routingcontractid"] if stream else None
    if contract_id is None or switches.contract == "never":
        return
    if switches.contract == "at once":
        _extend(rows, contract_id, set(dropped))
        return
    before = rows.select("SELECT dropped FROM _late_contract WHERE contract = ?", [contract_id])
    names = {*dropped, *(json.loads(before[0]["dropped"]) if before else ())}
    rows.connection.execute(
        "INSERT OR REPLACE INTO _late_contract VALUES (?, ?, ?)",
        [contract_id, switches.contract_delay_reads, json.dumps(sorted(names))],
    )


def contracts_read(rows: Rows, contract_ids: Iterable[str]) -> None:
    """Count a read of these contracts; one read often enough is brought up to date for the next read."""
    for contract_id in contract_ids:
        found = rows.select("SELECT * FROM _late_contract WHERE contract = ?", [contract_id])
        if not found:
            continue
        left = found[0]["reads"] - 1
        if left > 0:
            rows.connection.execute("UPDATE _late_contract SET reads = ? WHERE contract = ?", [left, contract_id])
            continue
        rows.connection.execute("DELETE FROM _late_contract WHERE contract = ?", [contract_id])
        _extend(rows, contract_id, set(json.loads(found[0]["dropped"])))


def _extend(rows: Rows, contract_id: str, dropped: set[str]) -> None:
    contract = rows.get(CONTRACT, contract_id)
    if contract is None:
        return
    text = extended(contract["msdyn_contractdefinition"] or empty_contract(), _declared(rows, contract_id), dropped)
    if text != contract["msdyn_contractdefinition"]:
        rows.update(CONTRACT, contract_id, {"msdyn_contractdefinition": text})


def _declared(rows: Rows, contract_id: str) -> dict[str, str]:
    sql = f"""SELECT v.msdyn_name, v.msdyn_datatype FROM {VARIABLE} v
              JOIN {STREAM} s ON s.msdyn_liveworkstreamid = v.msdyn_liveworkstreamid
              WHERE s.msdyn_routingcontractid = ? AND v.msdyn_name IS NOT NULL
              ORDER BY v.createdon, v.versionnumber"""  # noqa: S608  # constants only
    found = rows.select(sql, [contract_id])
    return {row["msdyn_name"]: DATA_TYPES.get(row["msdyn_datatype"], "string") for row in found}


def extended(text: str, declared: Mapping[str, str], dropped: set[str]) -> str:
    """Return a contract with every declared variable in it, and without the dropped names.

    A text that is no contract comes back as it was: what the product does then is not known.
    """
    try:
        root = parse(text)
    except BadXml:
        return text
    context = _context(root)
    context.children = [each for each in context.children if each.attributes.get("name") not in dropped - set(declared)]
    known = {each.attributes.get("name"): each for each in context.children}
    for name, data_type in declared.items():
        if name in known:
            known[name].attributes["data-type"] = data_type
        else:
            context.children.append(Element("variable", {"name": name, "data-type": data_type}))
    return root.write()


def _context(root: Element) -> Element:
    for each in root.children:
        if each.name == "complex" and each.attributes.get("key") == "liveworkitemcontext":
            return each
    made = Element("complex", {"key": "liveworkitemcontext"})
    root.children.append(made)
    return made
