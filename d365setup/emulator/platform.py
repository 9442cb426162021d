"""What the product does by itself around a write; every act happens in the writer's own transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import contracts, mappings, users
from .options import Switches
from .privileges import Rights
from .schema import ManyToMany
from .store import Row, Rows

VARIABLE = contracts.VARIABLE
STREAM = contracts.STREAM
RULESET = "msdyn_decisionruleset"


@dataclass(frozen=True)
class Platform:
    """The product's plug-ins; `caller` is the user the request runs as."""

    rows: Rows
    switches: Switches
    caller: Row
    rights: Rights | None = None
    """What the caller may do; None where nobody asks (rows made by hand)."""

    def system_values(self, table: str) -> Row:
        """Return what every new row of a table gets."""
        return users.system_values(self.rows, self.rows.schema.tables[table].columns, self.caller)

    def before_create(self, table: str, values: Row, sent: set[str]) -> None:
        """Refuse or complete a row about to be created."""
        if self.rights is not None:
            self.rights.need("Create", table)
            self.rights.need_for_lookups(table, values, sent)
        if table == "systemuser":
            users.fill_new_user(self.rows, self.switches, values, sent)

    def after_create(self, table: str, row: Row) -> None:
        """Act on a new row."""
        act = _AFTER_CREATE.get(table)
        if act is not None:
            act(self, row)

    def before_update(self, table: str, old: Row, values: Row) -> None:
        """Refuse or complete a change."""
        if self.rights is not None:
            self.rights.need("Write", table)
            self.rights.need_for_lookups(table, values, set(values))
        if table == "systemuser":
            users.before_user_update(self.rows, self.switches, old, values)

    def after_update(self, table: str, old: Row, new: Row, changed: set[str]) -> None:
        """Act on a changed row."""
        if table == "systemuser":
            users.after_user_update(self.rows, old, new)
        elif table == VARIABLE:
            dropped = {old["msdyn_name"]} - {new["msdyn_name"], None}
            contracts.variable_changed(self.rows, self.switches, new["msdyn_liveworkstreamid"], dropped)
        elif table == RULESET and "msdyn_rulesetdefinition" in changed:
            self._rebuild_mappings(new)

    def before_delete(self, table: str, row: Row) -> bool:
        """Act on a row about to go; True when the platform keeps it."""
        if self.rights is not None:
            self.rights.need("Delete", table)
        if table == "systemuser":
            return users.delete_user(self.rows, self.switches, row)
        if table == RULESET:
            for each in self.rows.find(mappings.MAPPING, msdyn_referencingrulesetid=row["msdyn_decisionrulesetid"]):
                self.rows.delete(mappings.MAPPING, each["msdyn_rulesetdependencymappingid"])
        return False

    def after_delete(self, table: str, row: Row) -> None:
        """Act on a row that went."""
        if table == VARIABLE and row["msdyn_name"]:
            stream = row["msdyn_liveworkstreamid"]
            contracts.variable_changed(self.rows, self.switches, stream, {row["msdyn_name"]})

    def before_link(self, relation: ManyToMany, this: Row, other: Row) -> None:
        """Refuse a pair the product does not allow."""
        if self.rights is not None:
            self.rights.need_for_link(relation, this, other)
        users.check_role_link(relation, this, other)

    def before_unlink(self, relation: ManyToMany, this: Row, other: Row) -> None:
        """Refuse to part a pair the product insists on."""
        if self.rights is not None:
            self.rights.need_for_link(relation, this, other)
        users.before_role_unlink(self.rows, relation, this, other)

    def _rebuild_mappings(self, ruleset: Row) -> None:
        mappings.rebuild(self.rows, self.switches, ruleset, self.system_values(mappings.MAPPING))

    def _after_ruleset(self, row: Row) -> None:
        if row["msdyn_rulesetdefinition"]:
            self._rebuild_mappings(row)

    def _after_stream(self, row: Row) -> None:
        if row["msdyn_routingcontractid"] is None:
            contract = contracts.make_contract(self.rows, row, self.system_values(contracts.CONTRACT))
            bound = {"msdyn_routingcontractid": contract["msdyn_decisioncontractid"]}
            self.rows.update(STREAM, row["msdyn_liveworkstreamid"], bound)

    def _after_variable(self, row: Row) -> None:
        contracts.variable_changed(self.rows, self.switches, row["msdyn_liveworkstreamid"])

    def _after_user(self, row: Row) -> None:
        users.after_user_create(self.rows, row)

    def _after_unit(self, row: Row) -> None:
        users.after_unit_create(self.rows, row)

    def _after_role(self, row: Row) -> None:
        users.after_role_create(self.rows, row)


_AFTER_CREATE: dict[str, Callable[[Platform, Row], None]] = {
    "systemuser": Platform._after_user,  # its own table of acts
    "businessunit": Platform._after_unit,  # as above
    "role": Platform._after_role,  # as above
    STREAM: Platform._after_stream,  # as above
    VARIABLE: Platform._after_variable,  # as above
    RULESET: Platform._after_ruleset,  # as above
}
