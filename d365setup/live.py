"""Read the live state: every kind's queries in one wave, whatever the size of the playbook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from d365setup.dataverse.client import Client
from d365setup.dataverse.odata import query
from d365setup.errors import Unresolvable
from d365setup.kinds import Kinds
from d365setup.model import Desired, Environment, Live, LiveState, Note, Query, ResourceId, Row, Rows

_ORGANIZATION = "organizations?$select=organizationid,name,fullnameconventioncode"
_ROOT_UNIT = "businessunits?$select=businessunitid,name&$filter=_parentbusinessunitid_value%20eq%20null"
_CALLER = "WhoAmI"
ABOUT = (_ORGANIZATION, _ROOT_UNIT, _CALLER)  # read beside the kinds' own queries


def read_live(client: Client, kinds: Kinds, desired: Desired) -> LiveState:
    """Everything the kinds want to know, in one round trip in a row while no page is left over.

    Raises DataverseError (ReadFailed) when something cannot be read, Unresolvable when this is no such environment.
    """
    queries = list(wanted(kinds, desired))
    found = client.read([*ABOUT, *(path(each) for each in queries)])
    environment = _environment(client.url, *found[: len(ABOUT)])
    return state(kinds, environment, queries, found[len(ABOUT) :])


def read_environment(client: Client) -> Environment:
    """Which environment this is, without a playbook. Raises as `read_live`."""
    return _environment(client.url, *client.read(ABOUT))


def wanted(kinds: Kinds, desired: Desired) -> Iterable[Query]:
    """Every kind's queries, each once."""
    return dict.fromkeys(each for kind in kinds.values() for each in kind.queries(desired))


def path(each: Query) -> str:
    """The query's address below the service root."""
    return query(each.entity_set, select=each.select, filter=each.filter, expand=each.expand)


def state(
    kinds: Kinds, environment: Environment, queries: Sequence[Query], found: Sequence[Sequence[dict[str, Any]]]
) -> LiveState:
    """What these rows amount to, as every kind sees them."""
    rows: dict[str, list[Row]] = {}
    versions: dict[str, str] = {}
    for each, answer in zip(queries, found, strict=True):
        rows.setdefault(each.label, []).extend(answer)
        versions.update(each.versions(answer))
    return replace(understood(kinds, environment, rows), versions=versions)


def understood(kinds: Kinds, environment: Environment, rows: Rows) -> LiveState:
    """Lives and facts from rows."""
    seen = [each for kind in kinds.values() for each in kind.from_rows(rows)]
    lives = tuple(each for each in seen if isinstance(each, Live))
    return LiveState(environment, lives, tuple(each for each in seen if not isinstance(each, Live)))


def merged(old: LiveState, fresh: LiveState, replaced: frozenset[ResourceId]) -> LiveState:
    """The old state with what was read again in front; lives of the replaced ids come from the fresh one only."""
    kept = tuple(each for each in old.lives if each.spec.id not in replaced)
    versions = {**old.versions, **fresh.versions}
    return LiveState(old.environment, (*fresh.lives, *kept), (*fresh.facts, *old.facts), versions)


def _environment(url: str, organizations: Sequence[Row], units: Sequence[Row], caller: Sequence[Row]) -> Environment:
    if len(organizations) != 1 or len(units) != 1:
        message = f"expected one organization and one root business unit, found {len(organizations)} and {len(units)}"
        raise Unresolvable([Note("error", ResourceId("environment", url), message)])
    organization = organizations[0]
    return Environment(
        url=url,
        organization_id=organization["organizationid"].lower(),
        name=organization.get("name") or "",
        user_id=(caller[0].get("UserId") or "").lower() if caller else "",
        root_business_unit=units[0]["businessunitid"],
        name_format=organization.get("fullnameconventioncode") or 0,
    )
