"""A plain script on `requests`: one thing after another; look, then make it, mend it or leave it."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import requests

from benchmarks import wanted
from benchmarks.jobs import Bot, Job, Queue, Stream

HEADERS = {
    "Authorization": "Bearer benchmark",
    "Accept": "application/json",
    "OData-Version": "4.0",
    "OData-MaxVersion": "4.0",
}


def run(job: Job, url: str) -> None:
    with requests.Session() as session:
        session.headers.update(HEADERS)
        Script(session, f"{url}/api/data/v9.2/").work(job)


class Script:
    def __init__(self, session: requests.Session, root: str) -> None:
        self.session, self.root = session, root
        self.users: dict[str, str] = {}
        self.queues: dict[str, str] = {}
        self.role = cache(self._role)
        self.person = cache(self._person)

    def work(self, job: Job) -> None:
        self.unit = self.one("businessunits", "_parentbusinessunitid_value eq null", "businessunitid")["businessunitid"]
        for bot in job.bots:
            self.users[bot.name] = self.bot(bot)
        for queue in job.queues:
            self.queues[queue.name] = self.queue(queue)
        for stream in job.streams:
            self.stream(stream)

    # the four calls everything is made of

    def rows(self, path: str, filter_: str = "", select: str = "") -> list[dict[str, Any]]:
        parameters = {"$filter": filter_, "$select": select}
        given = {name: value for name, value in parameters.items() if value}
        reply = self.session.get(self.root + path, params=given, timeout=120)
        reply.raise_for_status()
        found: list[dict[str, Any]] = reply.json()["value"]
        return found

    def one(self, path: str, filter_: str, select: str = "") -> dict[str, Any]:
        return next(iter(self.rows(path, filter_, select)), {})

    def make(self, path: str, body: wanted.Body) -> str:
        reply = self.session.post(self.root + path, json=body, timeout=120)
        reply.raise_for_status()
        return re.findall(r"\(([0-9a-f-]{36})\)", reply.headers["OData-EntityId"])[-1]

    def change(self, path: str, body: wanted.Body) -> None:
        self.session.patch(self.root + path, json=body, headers={"If-Match": "*"}, timeout=120).raise_for_status()

    def link(self, path: str, other: str) -> None:
        body = {"@odata.id": self.root + other}
        self.session.post(f"{self.root}{path}/$ref", json=body, timeout=120).raise_for_status()

    # the things

    def ensure(self, entity_set: str, key: str, filter_: str, body: wanted.Body) -> str:
        """The id of the row the filter finds, brought to what the body says; made where there is none."""
        plain = [name for name in body if "@" not in name]
        row = self.one(entity_set, filter_, ",".join([key, *plain]))
        if not row:
            return self.make(entity_set, body)
        left = wanted.differing(row, body)
        if left:
            self.change(f"{entity_set}({row[key]})", left)
        return str(row[key])

    def bot(self, bot: Bot) -> str:
        body = {**wanted.bot(bot), "businessunitid@odata.bind": f"/businessunits({self.unit})"}
        user = self.ensure("systemusers", "systemuserid", f"applicationid eq {bot.application_id}", body)
        path = f"systemusers({user})/systemuserroles_association"
        role = self.role(bot.role)
        if role not in {row["roleid"] for row in self.rows(path, select="roleid")}:
            self.link(path, f"roles({role})")
        return user

    def _role(self, name: str) -> str:
        found = self.one("roles", f"name eq '{name}' and _businessunitid_value eq {self.unit}", "roleid")
        return str(found["roleid"])

    def queue(self, queue: Queue) -> str:
        row_id = self.ensure("queues", "queueid", f"name eq '{queue.name}'", wanted.queue(queue))
        path = f"queues({row_id})/queuemembership_association"
        there = {row["systemuserid"] for row in self.rows(path, select="systemuserid")}
        for member in queue.members:
            user = self.users.get(member) or self.person(member)
            if user not in there:
                self.link(path, f"systemusers({user})")
        return row_id

    def _person(self, email: str) -> str:
        return str(self.one("systemusers", f"internalemailaddress eq '{email}'", "systemuserid")["systemuserid"])

    def stream(self, stream: Stream) -> None:
        select = "msdyn_liveworkstreamid,_msdyn_defaultqueue_value,_msdyn_routingcontractid_value"
        row = self.one("msdyn_liveworkstreams", f"msdyn_name eq '{stream.name}'", select)
        stream_id = row["msdyn_liveworkstreamid"]
        bind = {"msdyn_liveworkstreamid@odata.bind": f"/msdyn_liveworkstreams({stream_id})"}
        for name, kind in stream.variables:
            where = f"_msdyn_liveworkstreamid_value eq {stream_id} and msdyn_name eq '{name}'"
            table = "msdyn_ocliveworkstreamcontextvariable"
            self.ensure(f"{table}s", f"{table}id", where, {**wanted.variable(name, kind), **bind})
        self.routes(stream, stream_id, row["_msdyn_routingcontractid_value"])
        if row["_msdyn_defaultqueue_value"] != self.queues[stream.fallback]:
            body = {"msdyn_defaultqueue@odata.bind": f"/queues({self.queues[stream.fallback]})"}
            self.change(f"msdyn_liveworkstreams({stream_id})", body)

    def routes(self, stream: Stream, stream_id: str, contract: str) -> None:
        key = "msdyn_routingconfigurationid"
        active = f"_msdyn_liveworkstreamid_value eq {stream_id} and msdyn_isactiveconfiguration eq true"
        configuration = self.one(f"{key.removesuffix('id')}s", active, key).get(key)
        if configuration is None:
            body = wanted.configuration(stream)
            bind = {"msdyn_liveworkstreamid@odata.bind": f"/msdyn_liveworkstreams({stream_id})"}
            configuration = self.make("msdyn_routingconfigurations", {**body, **bind})
        text = wanted.rules_text(stream, self.queues)
        where = f"_{key}_value eq {configuration} and msdyn_type eq {wanted.ROUTE_TO_QUEUE}"
        step = self.one("msdyn_routingconfigurationsteps", where, "_msdyn_rulesetid_value")
        if not step:
            self.new_rules(stream, text, contract, configuration)
            return
        rule_set = step["_msdyn_rulesetid_value"]
        kept = self.one("msdyn_decisionrulesets", f"msdyn_decisionrulesetid eq {rule_set}", "msdyn_rulesetdefinition")
        if kept["msdyn_rulesetdefinition"] != text:
            self.change(f"msdyn_decisionrulesets({rule_set})", {"msdyn_rulesetdefinition": text})

    def new_rules(self, stream: Stream, text: str, contract: str, configuration: str) -> None:
        shipped = f"msdyn_uniquename eq '{wanted.OUTPUT_CONTRACT}'"
        output = self.one("msdyn_decisioncontracts", shipped, "msdyn_decisioncontractid")["msdyn_decisioncontractid"]
        contracts = {
            "msdyn_inputcontractid@odata.bind": f"/msdyn_decisioncontracts({contract})",
            "msdyn_outputcontractid@odata.bind": f"/msdyn_decisioncontracts({output})",
        }
        rule_set = self.make("msdyn_decisionrulesets", {**wanted.rule_set(stream, text), **contracts})
        bind = {
            "msdyn_routingconfigurationid@odata.bind": f"/msdyn_routingconfigurations({configuration})",
            "msdyn_rulesetid@odata.bind": f"/msdyn_decisionrulesets({rule_set})",
        }
        self.make("msdyn_routingconfigurationsteps", {**wanted.step(stream), **bind})
