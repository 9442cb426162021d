"""A straightforward script on Microsoft's Dataverse SDK for Python, its public interface only.

Two things it does not offer, and are sent with plain `requests`: linking rows of a many-to-many relationship (`$ref`),
and the column `msdyn_agentType`, because it writes every column's name in lower case.
"""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import requests
from azure.core.credentials import AccessToken
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.models import col, raw

from benchmarks import wanted
from benchmarks.contenders.plain import HEADERS
from benchmarks.jobs import Bot, Job, Queue, Stream


class Credential:
    """The token everybody here signs in with."""

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken("benchmark", int(time.time()) + 3600)


def run(job: Job, url: str) -> None:
    with DataverseClient(url, Credential()) as client, requests.Session() as session:
        session.headers.update(HEADERS)
        Script(client, session, f"{url}/api/data/v9.2/").work(job)


class Script:
    def __init__(self, client: DataverseClient, session: requests.Session, root: str) -> None:
        self.client, self.session, self.root = client, session, root
        self.users: dict[str, str] = {}
        self.queues: dict[str, str] = {}
        self.role = cache(self._role)
        self.person = cache(self._person)

    def work(self, job: Job) -> None:
        root = self.one("businessunit", raw("_parentbusinessunitid_value eq null"), "businessunitid")
        self.unit = root["businessunitid"]
        for bot in job.bots:
            self.users[bot.name] = self.bot(bot)
        for queue in job.queues:
            self.queues[queue.name] = self.queue(queue)
        for stream in job.streams:
            self.stream(stream)

    def one(self, table: str, filter_: Any, *select: str, expand: str = "") -> Any:
        found = self.client.records.list(
            table, filter=filter_, select=list(select) or None, expand=[expand] if expand else None
        )
        return next(iter(found), None)

    def ensure(self, table: str, filter_: Any, body: wanted.Body) -> Any:
        """The id of the row the filter finds, brought to what the body says; made where there is none."""
        key = f"{table}id"
        row = self.one(table, filter_, key, *(name for name in body if "@" not in name))
        if row is None:
            return self.client.records.create(table, body)
        left = wanted.differing(row, body)
        if left:
            self.client.records.update(table, row[key], left)
        return row[key]

    def link(self, path: str, other: str) -> None:
        """Not in the SDK."""
        body = {"@odata.id": self.root + other}
        self.session.post(f"{self.root}{path}/$ref", json=body, timeout=120).raise_for_status()

    def bot(self, bot: Bot) -> str:
        body = {**wanted.bot(bot), "businessunitid@odata.bind": f"/businessunits({self.unit})"}
        kind = {"msdyn_agentType": body.pop("msdyn_agentType")}
        where = raw(f"applicationid eq {bot.application_id}")
        user: str = self.ensure("systemuser", where, body)
        roles = "systemuserroles_association"
        row = self.one("systemuser", where, expand=roles)  # every column: its $select is in lower case too
        left = wanted.differing(row, kind)
        if left:  # not in the SDK
            address = f"{self.root}systemusers({user})"
            self.session.patch(address, json=left, headers={"If-Match": "*"}, timeout=120).raise_for_status()
        role = self.role(bot.role)
        if role not in {each["roleid"] for each in row[roles]}:
            self.link(f"systemusers({user})/{roles}", f"roles({role})")
        return user

    def _role(self, name: str) -> str:
        where = (col("name") == name) & raw(f"_businessunitid_value eq {self.unit}")
        return str(self.one("role", where, "roleid")["roleid"])

    def queue(self, queue: Queue) -> str:
        where = col("name") == queue.name
        row_id: str = self.ensure("queue", where, wanted.queue(queue))
        members = "queuemembership_association"
        there = {row["systemuserid"] for row in self.one("queue", where, "queueid", expand=members)[members]}
        for member in queue.members:
            user = self.users.get(member) or self.person(member)
            if user not in there:
                self.link(f"queues({row_id})/{members}", f"systemusers({user})")
        return row_id

    def _person(self, email: str) -> str:
        return str(self.one("systemuser", col("internalemailaddress") == email, "systemuserid")["systemuserid"])

    def stream(self, stream: Stream) -> None:
        select = ("msdyn_liveworkstreamid", "_msdyn_defaultqueue_value", "_msdyn_routingcontractid_value")
        row = self.one("msdyn_liveworkstream", col("msdyn_name") == stream.name, *select)
        stream_id = row["msdyn_liveworkstreamid"]
        bind = {"msdyn_liveworkstreamid@odata.bind": f"/msdyn_liveworkstreams({stream_id})"}
        for name, kind in stream.variables:
            where = raw(f"_msdyn_liveworkstreamid_value eq {stream_id}") & (col("msdyn_name") == name)
            self.ensure("msdyn_ocliveworkstreamcontextvariable", where, {**wanted.variable(name, kind), **bind})
        self.routes(stream, stream_id, row["_msdyn_routingcontractid_value"])
        if row["_msdyn_defaultqueue_value"] != self.queues[stream.fallback]:
            body = {"msdyn_defaultqueue@odata.bind": f"/queues({self.queues[stream.fallback]})"}
            self.client.records.update("msdyn_liveworkstream", stream_id, body)

    def routes(self, stream: Stream, stream_id: str, contract: str) -> None:
        active = raw(f"_msdyn_liveworkstreamid_value eq {stream_id}") & (col("msdyn_isactiveconfiguration") == True)  # noqa: E712  # how the SDK writes a filter
        found = self.one("msdyn_routingconfiguration", active, "msdyn_routingconfigurationid")
        if found is None:
            bind = {"msdyn_liveworkstreamid@odata.bind": f"/msdyn_liveworkstreams({stream_id})"}
            body = {**wanted.configuration(stream), **bind}
            configuration = self.client.records.create("msdyn_routingconfiguration", body)
        else:
            configuration = found["msdyn_routingconfigurationid"]
        text = wanted.rules_text(stream, self.queues)
        where = raw(f"_msdyn_routingconfigurationid_value eq {configuration}") & (
            col("msdyn_type") == wanted.ROUTE_TO_QUEUE
        )
        step = self.one("msdyn_routingconfigurationstep", where, "_msdyn_rulesetid_value")
        if step is None:
            self.new_rules(stream, text, contract, configuration)
            return
        rule_set = step["_msdyn_rulesetid_value"]
        kept = self.client.records.retrieve("msdyn_decisionruleset", rule_set, select=["msdyn_rulesetdefinition"])
        if kept is None or kept["msdyn_rulesetdefinition"] != text:
            self.client.records.update("msdyn_decisionruleset", rule_set, {"msdyn_rulesetdefinition": text})

    def new_rules(self, stream: Stream, text: str, contract: str, configuration: str) -> None:
        shipped = col("msdyn_uniquename") == wanted.OUTPUT_CONTRACT
        output = self.one("msdyn_decisioncontract", shipped, "msdyn_decisioncontractid")["msdyn_decisioncontractid"]
        contracts = {
            "msdyn_inputcontractid@odata.bind": f"/msdyn_decisioncontracts({contract})",
            "msdyn_outputcontractid@odata.bind": f"/msdyn_decisioncontracts({output})",
        }
        rule_set = self.client.records.create("msdyn_decisionruleset", {**wanted.rule_set(stream, text), **contracts})
        bind = {
            "msdyn_routingconfigurationid@odata.bind": f"/msdyn_routingconfigurations({configuration})",
            "msdyn_rulesetid@odata.bind": f"/msdyn_decisionrulesets({rule_set})",
        }
        self.client.records.create("msdyn_routingconfigurationstep", {**wanted.step(stream), **bind})
