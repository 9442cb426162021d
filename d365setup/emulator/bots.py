"""The emulated Health Bots' rows: scenarios, configuration, and the backup made of both."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from .store import Rows, Store

TENANT = "contoso-bot-ab12cd3"
LARGEST = 1024 * 1024  # characters of one scenario's code; the service's own limit is not published
AUTHOR = "portal user"
_SHAPES = Path(__file__).parent / "bot.json"


class Refused(Exception):
    """A request that is refused, and how."""

    def __init__(self, status: int, message: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers


class Bots:
    """Bots by tenant name, in the emulator's data file. ``importing`` says what an import does to what it is given."""

    def __init__(self, store: Store, importing: Literal["kept", "rewritten"] = "kept") -> None:
        self._store = store
        self._rewrites = importing == "rewritten"

    def tenants(self) -> list[str]:
        """The tenant names there are."""
        with self._store.reading() as rows:
            return [row["tenant"] for row in rows.select("SELECT tenant FROM _bot ORDER BY tenant")]

    def ensure(self, tenant: str = TENANT, fixture: str = "clinic") -> None:
        """Make the bot, unless it is there."""
        with self._store.writing() as rows:
            begin(rows, tenant, fixture)

    def configuration(self, tenant: str = TENANT) -> dict[str, Any]:
        """What its backup shows under `configuration`."""
        with self._store.reading() as rows:
            return _configuration(rows, tenant)

    def configure(self, configuration: Mapping[str, Any], tenant: str = TENANT) -> None:
        """Set it by hand, as in the portal."""
        with self._store.writing() as rows:
            rows.connection.execute(
                "UPDATE _bot SET configuration = ? WHERE tenant = ?", [json.dumps(configuration), tenant]
            )

    def exports(self, tenant: str = TENANT) -> list[dict[str, Any]]:
        """Its scenarios as the API exports them: `code` is text."""
        with self._store.reading() as rows:
            return _scenarios(rows, tenant)

    def put(self, scenario: Mapping[str, Any], tenant: str = TENANT) -> None:
        """Add or replace one by hand, as in the portal, whole as given."""
        with self._store.writing() as rows:
            _keep(rows, tenant, dict(scenario))

    def remove(self, name: str, tenant: str = TENANT) -> None:
        """Delete one by hand, as in the portal; the API cannot."""
        with self._store.writing() as rows:
            rows.connection.execute("DELETE FROM _bot_scenario WHERE tenant = ? AND name = ?", [tenant, name])

    def take(self, tenant: str, given: list[Any]) -> dict[str, Any]:
        """Import: the same name is overwritten, others are added, all of them or none. Raises Refused."""
        for number, each in enumerate(given, 1):
            _check(each, number)
        names = [each["name"] for each in given]
        if len(set(names)) < len(names):
            raise Refused(400, "Two scenarios of the import have one name.")
        with self._store.writing() as rows:
            known = {each["name"]: each for each in _scenarios(rows, tenant)}
            for each in given:
                _keep(rows, tenant, self._imported(each, known.get(each["name"])))
        return {}

    def _imported(self, given: Mapping[str, Any], before: Mapping[str, Any] | None) -> dict[str, Any]:
        kept = before is not None and not self._rewrites
        code = given["code"]
        return {
            "name": given["name"],
            "id": before["id"] if before and kept else str(uuid.uuid4()),
            "scenario_trigger": given["scenario_trigger"],
            "description": given.get("description", ""),
            "active": not self._rewrites,
            "updated": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z"),
            "userDisplayName": "API",
            "code": json.dumps(json.loads(code), indent=1, sort_keys=True) if self._rewrites else code,
        }

    def backup(self, tenant: str = TENANT) -> dict[str, Any]:
        """The whole bot; here `code` is an object, and there are keys exports do not have."""
        with self._store.reading() as rows:
            configuration, scenarios = _configuration(rows, tenant), _scenarios(rows, tenant)
        shapes = _shapes()
        return {**shapes["backup"], "configuration": configuration, "scenarios": [_backed_up(s) for s in scenarios]}


def load(fixture: str, rows: Rows) -> None:
    """The bot an emulator begins with."""
    begin(rows, TENANT, fixture)


def begin(rows: Rows, tenant: str, fixture: str) -> None:
    """Make a bot as the fixture has it, unless there is one of that tenant name."""
    if rows.select("SELECT 1 FROM _bot WHERE tenant = ?", [tenant]):
        return
    shape = _shapes()[fixture]
    rows.connection.execute("INSERT INTO _bot VALUES (?, ?)", [tenant, json.dumps(shape["configuration"])])
    for each in shape["scenarios"]:
        _keep(rows, tenant, {**each, "userDisplayName": AUTHOR, "code": json.dumps(each["code"])})


def _shapes() -> dict[str, Any]:
    return dict(json.loads(_SHAPES.read_text(encoding="utf-8")))


def _keep(rows: Rows, tenant: str, scenario: dict[str, Any]) -> None:
    """An overwritten one keeps its place in the list."""
    rows.connection.execute(
        "INSERT INTO _bot_scenario VALUES (?, ?, (SELECT COALESCE(MAX(place), 0) + 1 FROM _bot_scenario), ?) "
        "ON CONFLICT (tenant, name) DO UPDATE SET body = excluded.body",
        [tenant, scenario["name"], json.dumps(scenario)],
    )


def _scenarios(rows: Rows, tenant: str) -> list[dict[str, Any]]:
    found = rows.select("SELECT body FROM _bot_scenario WHERE tenant = ? ORDER BY place", [tenant])
    return [json.loads(row["body"]) for row in found]


def _configuration(rows: Rows, tenant: str) -> dict[str, Any]:
    found = rows.select("SELECT configuration FROM _bot WHERE tenant = ?", [tenant])
    return dict(json.loads(found[0]["configuration"])) if found else {}


def _check(given: Any, number: int) -> None:
    """Raises Refused for what is no scenario to import, by the fields the vendor shows."""
    if not isinstance(given, dict):
        raise Refused(400, f"Scenario {number} is no object.")
    for name in ("name", "scenario_trigger", "code"):
        if not isinstance(given.get(name), str) or not given[name].strip():
            raise Refused(400, f"Scenario {number} has no text '{name}'.")
    if not isinstance(given.get("description", ""), str):
        raise Refused(400, f"Scenario {number}: 'description' is no text.")
    if len(given["code"]) > LARGEST:
        raise Refused(413, f"Scenario {number} is larger than {LARGEST} characters.")
    try:
        code = json.loads(given["code"])
    except (ValueError, RecursionError):
        raise Refused(400, f"Scenario {number}: 'code' is no JSON.") from None
    if not isinstance(code, dict) or not isinstance(code.get("steps"), list):
        raise Refused(400, f"Scenario {number}: 'code' has no steps.")


def _backed_up(scenario: Mapping[str, Any]) -> dict[str, Any]:
    own = {key: value for key, value in scenario.items() if key != "id"}
    return {
        "RowKey": scenario.get("id", ""),
        "snapshots": 1,
        **own,
        "version": 1,
        "currentUser": "",
        "code": json.loads(scenario["code"]),
    }
