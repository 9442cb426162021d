"""A tuned script on `requests`: one query for each kind, then everything that is missing, with 8 threads."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from benchmarks import wanted
from benchmarks.contenders.plain import HEADERS
from benchmarks.jobs import Bot, Job, Queue, Stream

THREADS = 8
VARIABLE = "msdyn_ocliveworkstreamcontextvariable"
Act = Callable[[], Any]


def run(job: Job, url: str) -> None:
    with requests.Session() as session, ThreadPoolExecutor(THREADS) as pool:
        session.mount("https://", HTTPAdapter(pool_maxsize=THREADS))
        session.headers.update(HEADERS)
        Script(session, pool, f"{url}/api/data/v9.2/", job).work()


def among(column: str, names: Iterable[str], literal: Callable[[str], str] = "'{}'".format) -> str:
    return " or ".join(f"{column} eq {literal(name)}" for name in names)


class Script:
    def __init__(self, session: requests.Session, pool: ThreadPoolExecutor, root: str, job: Job) -> None:
        self.session, self.pool, self.root, self.job = session, pool, root, job
        self.lock = threading.Lock()

    def work(self) -> None:
        self.look()
        self.together(chain(*map(self.bot, self.job.bots), *map(self.queue, self.job.queues), self.variables()))
        self.together(chain(*map(self.roles, self.job.bots), *map(self.members, self.job.queues), self.rule_sets()))
        self.together(chain.from_iterable(map(self.steps, self.job.streams)))

    def together(self, acts: Iterable[Act]) -> list[Any]:
        return [each.result() for each in [self.pool.submit(act) for act in acts]]

    # one query for each kind

    def look(self) -> None:
        job, streams = self.job, [stream.name for stream in self.job.streams]
        of_stream = among("msdyn_liveworkstreamid/msdyn_name", streams)
        by_stream = among("msdyn_routingconfigurationid/msdyn_liveworkstreamid/msdyn_name", streams)
        asked = {
            "units": ("businessunits", "_parentbusinessunitid_value eq null", ""),
            "roles": ("roles", among("name", {bot.role for bot in job.bots}), ""),
            "bots": (
                "systemusers",
                among("applicationid", [bot.application_id for bot in job.bots], str),
                "systemuserroles_association($select=roleid)",
            ),
            "people": ("systemusers", among("internalemailaddress", job.emails), ""),
            "queues": (
                "queues",
                among("name", [queue.name for queue in job.queues]),
                "queuemembership_association($select=systemuserid)",
            ),
            "streams": ("msdyn_liveworkstreams", among("msdyn_name", streams), ""),
            "variables": (f"{VARIABLE}s", of_stream, ""),
            "configurations": ("msdyn_routingconfigurations", of_stream, ""),
            "steps": ("msdyn_routingconfigurationsteps", by_stream, "msdyn_rulesetid"),
            "contracts": ("msdyn_decisioncontracts", f"msdyn_uniquename eq '{wanted.OUTPUT_CONTRACT}'", ""),
        }
        found = dict(zip(asked, self.together(partial(self.rows, *each) for each in asked.values()), strict=True))
        self.found = found
        self.unit = found["units"][0]["businessunitid"]
        self.output = found["contracts"][0]["msdyn_decisioncontractid"]
        self.users = {row["internalemailaddress"]: row["systemuserid"] for row in found["people"]}
        self.role_ids = {r["name"]: r["roleid"] for r in found["roles"] if r["_businessunitid_value"] == self.unit}
        self.by_name = {row["name"]: row for row in found["queues"]}
        self.by_application = {row["applicationid"]: row for row in found["bots"]}
        self.stream_rows = {row["msdyn_name"]: row for row in found["streams"]}
        self.queue_ids = {name: row["queueid"] for name, row in self.by_name.items()}

    def rows(self, path: str, filter_: str, expand: str) -> list[dict[str, Any]]:
        parameters = {"$filter": filter_, **({"$expand": expand} if expand else {})}
        reply = self.session.get(self.root + path, params=parameters, timeout=120)
        reply.raise_for_status()
        found: list[dict[str, Any]] = reply.json()["value"]
        return found

    # writes

    def make(self, path: str, body: wanted.Body) -> str:
        reply = self.session.post(self.root + path, json=body, timeout=120)
        reply.raise_for_status()
        return re.findall(r"\(([0-9a-f-]{36})\)", reply.headers["OData-EntityId"])[-1]

    def change(self, path: str, body: wanted.Body) -> None:
        self.session.patch(self.root + path, json=body, headers={"If-Match": "*"}, timeout=120).raise_for_status()

    def link(self, path: str, other: str) -> None:
        body = {"@odata.id": self.root + other}
        self.session.post(f"{self.root}{path}/$ref", json=body, timeout=120).raise_for_status()

    def noted(self, ids: dict[str, str], name: str, path: str, body: wanted.Body) -> None:
        """Make a row and keep its id under a name."""
        row_id = self.make(path, body)
        with self.lock:
            ids[name] = row_id

    # things

    def bot(self, bot: Bot) -> Iterable[Act]:
        row, body = self.by_application.get(bot.application_id), wanted.bot(bot)
        if row is None:
            bind = {"businessunitid@odata.bind": f"/businessunits({self.unit})"}
            yield partial(self.noted, self.users, bot.name, "systemusers", {**body, **bind})
            return
        self.users[bot.name] = row["systemuserid"]
        if left := wanted.differing(row, body):
            yield partial(self.change, f"systemusers({row['systemuserid']})", left)

    def queue(self, queue: Queue) -> Iterable[Act]:
        row, body = self.by_name.get(queue.name), wanted.queue(queue)
        if row is None:
            yield partial(self.noted, self.queue_ids, queue.name, "queues", body)
        elif left := wanted.differing(row, body):
            yield partial(self.change, f"queues({row['queueid']})", left)

    def variables(self) -> Iterable[Act]:
        there = {(row["_msdyn_liveworkstreamid_value"], row["msdyn_name"]): row for row in self.found["variables"]}
        for stream in self.job.streams:
            stream_id = self.stream_rows[stream.name]["msdyn_liveworkstreamid"]
            bind = {"msdyn_liveworkstreamid@odata.bind": f"/msdyn_liveworkstreams({stream_id})"}
            for name, kind in stream.variables:
                row, body = there.get((stream_id, name)), wanted.variable(name, kind)
                if row is None:
                    yield partial(self.make, f"{VARIABLE}s", {**body, **bind})
                elif left := wanted.differing(row, body):
                    yield partial(self.change, f"{VARIABLE}s({row[f'{VARIABLE}id']})", left)

    # links, and the routes with them: the rule sets need the queues' ids, the steps those of the rule sets

    def roles(self, bot: Bot) -> Iterable[Act]:
        row = self.by_application.get(bot.application_id, {})
        if self.role_ids[bot.role] not in {each["roleid"] for each in row.get("systemuserroles_association", ())}:
            path = f"systemusers({self.users[bot.name]})/systemuserroles_association"
            yield partial(self.link, path, f"roles({self.role_ids[bot.role]})")

    def members(self, queue: Queue) -> Iterable[Act]:
        row = self.by_name.get(queue.name, {})
        there = {each["systemuserid"] for each in row.get("queuemembership_association", ())}
        for user in (self.users[member] for member in queue.members):
            if user not in there:
                path = f"queues({self.queue_ids[queue.name]})/queuemembership_association"
                yield partial(self.link, path, f"systemusers({user})")

    def rule_sets(self) -> Iterable[Act]:
        active = {
            row["_msdyn_liveworkstreamid_value"]: row["msdyn_routingconfigurationid"]
            for row in self.found["configurations"]
            if row["msdyn_isactiveconfiguration"]
        }
        self.step_of = {
            row["_msdyn_routingconfigurationid_value"]: row
            for row in self.found["steps"]
            if row["msdyn_type"] == wanted.ROUTE_TO_QUEUE
        }
        self.configurations = {name: active.get(r["msdyn_liveworkstreamid"]) for name, r in self.stream_rows.items()}
        self.made: dict[str, str] = {}
        for stream in self.job.streams:
            yield from self.route(stream)

    def route(self, stream: Stream) -> Iterable[Act]:
        row, text = self.stream_rows[stream.name], wanted.rules_text(stream, self.queue_ids)
        step = self.step_of.get(self.configurations[stream.name] or "")
        if step is not None:
            if step["msdyn_rulesetid"]["msdyn_rulesetdefinition"] != text:
                path = f"msdyn_decisionrulesets({step['_msdyn_rulesetid_value']})"
                yield partial(self.change, path, {"msdyn_rulesetdefinition": text})
            return
        contracts = {
            "msdyn_inputcontractid@odata.bind": f"/msdyn_decisioncontracts({row['_msdyn_routingcontractid_value']})",
            "msdyn_outputcontractid@odata.bind": f"/msdyn_decisioncontracts({self.output})",
        }
        body = {**wanted.rule_set(stream, text), **contracts}
        yield partial(self.noted, self.made, f"rules {stream.name}", "msdyn_decisionrulesets", body)
        if self.configurations[stream.name] is None:
            bind = {"msdyn_liveworkstreamid@odata.bind": f"/msdyn_liveworkstreams({row['msdyn_liveworkstreamid']})"}
            body = {**wanted.configuration(stream), **bind}
            yield partial(self.noted, self.made, stream.name, "msdyn_routingconfigurations", body)

    def steps(self, stream: Stream) -> Iterable[Act]:
        row, fallback = self.stream_rows[stream.name], self.queue_ids[stream.fallback]
        if row["_msdyn_defaultqueue_value"] != fallback:
            body = {"msdyn_defaultqueue@odata.bind": f"/queues({fallback})"}
            yield partial(self.change, f"msdyn_liveworkstreams({row['msdyn_liveworkstreamid']})", body)
        if f"rules {stream.name}" in self.made:
            configuration = self.made.get(stream.name) or self.configurations[stream.name]
            bind = {
                "msdyn_routingconfigurationid@odata.bind": f"/msdyn_routingconfigurations({configuration})",
                "msdyn_rulesetid@odata.bind": f"/msdyn_decisionrulesets({self.made[f'rules {stream.name}']})",
            }
            yield partial(self.make, "msdyn_routingconfigurationsteps", {**wanted.step(stream), **bind})
