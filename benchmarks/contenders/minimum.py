"""The least one can send by hand: one look, then every write in `$batch`es as wide as the service allows.

Ids are chosen beforehand, so that nothing waits for the answer to a create. Up to 20 writes are one change set, sent in
one request; more are two waves of change sets side by side: first what stands alone, then what refers to it. Rules are
written without a look whether the contracts show their variables, nothing is read back, nothing can be repeated after a
lost answer: that is what makes it the least, and not a tool. `proved` does the first two of these.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from benchmarks import wanted
from benchmarks.contenders.plain import HEADERS
from benchmarks.contenders.tuned import VARIABLE, among
from benchmarks.jobs import Bot, Job, Queue, Stream

UNHINTED, WIDEST, ONE_CHANGE_SET = 4, 8, 20
Write = tuple[str, str, wanted.Body]  # method, path, body


def run(job: Job, url: str, *, proved: bool = False) -> None:
    with requests.Session() as session, ThreadPoolExecutor(WIDEST) as pool:
        session.mount("https://", HTTPAdapter(pool_maxsize=WIDEST))
        session.headers.update(HEADERS)
        Script(session, pool, url, job).work(proved=proved)


class Script:
    def __init__(self, session: requests.Session, pool: ThreadPoolExecutor, url: str, job: Job) -> None:
        self.session, self.pool, self.url, self.job = session, pool, url, job
        self.width = UNHINTED

    def work(self, *, proved: bool) -> None:
        self.look()
        waves = self.missing()
        count = sum(len(group) for wave in waves for group in wave)
        if not count:
            return
        if proved:
            self.prove(waves, small=count <= ONE_CHANGE_SET)
        elif count <= ONE_CHANGE_SET:
            self.write([list(chain(*waves[0], *waves[1]))])
        else:
            for wave in waves:
                self.write(wave)

    def prove(self, waves: Sequence[list[list[Write]]], *, small: bool) -> None:
        """No rules before the contracts show their variables; in the end everything is read again."""
        apart, together = ([list(chain(*wave))] if small else wave for wave in waves)
        names = among("msdyn_name", [stream.name for stream in self.job.streams])
        contracts = ("msdyn_liveworkstreams", names, "msdyn_routingcontractid($select=msdyn_contractdefinition)")
        shown = self.write(apart, _get(contracts))
        for name in {name for stream in self.job.streams for name, _ in stream.variables}:
            assert re.search(rf'name=\\?"{name}\\?"', shown), f"no contract shows {name}"
        self.write(together)
        self.look()
        assert not any(chain(*chain(*self.missing()))), "written, but not there"

    # what goes over the wire

    def send(self, parts: str) -> str:
        kind = {"Content-Type": "multipart/mixed;boundary=b"}
        reply = self.session.post(
            f"{self.url}/api/data/v9.2/$batch", data=f"{parts}--b--\r\n".encode(), headers=kind, timeout=120
        )
        reply.raise_for_status()
        self.width = min(int(reply.headers.get("x-ms-dop-hint", UNHINTED)), WIDEST)
        return reply.text

    def read(self, queries: Sequence[tuple[str, str, str]]) -> list[list[dict[str, Any]]]:
        """The rows of each query, in one wave of `$batch`es."""
        shares = [queries[n :: self.width] for n in range(min(self.width, len(queries)))]
        texts = self.pool.map(self.send, ["".join(map(_get, share)) for share in shares])
        found: list[list[dict[str, Any]]] = [[] for _ in queries]
        for n, text in enumerate(texts):
            bodies = re.findall(r"\r\n\r\n(\{.*?\})\r\n--", text, re.DOTALL)
            found[n :: len(shares)] = [json.loads(body)["value"] for body in bodies]
        return found

    def write(self, groups: Iterable[list[Write]], behind: str = "") -> str:
        """Each group whole in one change set, side by side, evenly filled; behind each change set the same read."""
        bins: list[list[Write]] = [[] for _ in range(self.width)]
        for group in sorted(groups, key=len, reverse=True):
            min(bins, key=len).extend(group)
        text = "".join(self.pool.map(self.send, [_change_set(each) + behind for each in bins if each]))
        assert not re.search(r"^HTTP/1\.1 [45]", text, re.MULTILINE), text
        return text

    # what there is

    def look(self) -> None:
        job, streams = self.job, [stream.name for stream in self.job.streams]
        queues, unit = [queue.name for queue in job.queues], "_parentbusinessunitid_value eq null"
        of_stream = among("msdyn_liveworkstreamid/msdyn_name", streams)
        by_stream = among("msdyn_routingconfigurationid/msdyn_liveworkstreamid/msdyn_name", streams)
        applications = among("applicationid", [bot.application_id for bot in job.bots], str)
        units, roles, users, found, rows, variables, steps, contracts = self.read(
            [
                ("businessunits", unit, ""),
                ("roles", among("name", {bot.role for bot in job.bots}), ""),
                (
                    "systemusers",
                    f"{applications} or {among('internalemailaddress', job.emails)}",
                    "systemuserroles_association($select=roleid)",
                ),
                ("queues", among("name", queues), "queuemembership_association($select=systemuserid)"),
                ("msdyn_liveworkstreams", among("msdyn_name", streams), ""),
                (f"{VARIABLE}s", of_stream, ""),
                (
                    "msdyn_routingconfigurationsteps",
                    by_stream,
                    "msdyn_rulesetid,msdyn_routingconfigurationid($select=_msdyn_liveworkstreamid_value)",
                ),
                ("msdyn_decisioncontracts", f"msdyn_uniquename eq '{wanted.OUTPUT_CONTRACT}'", ""),
            ]
        )
        self.unit, self.output = units[0]["businessunitid"], contracts[0]["msdyn_decisioncontractid"]
        self.roles = {row["name"]: row["roleid"] for row in roles if row["_businessunitid_value"] == self.unit}
        self.bots = {row["applicationid"]: row for row in users if row["applicationid"]}
        self.people = {row["internalemailaddress"]: row["systemuserid"] for row in users if not row["applicationid"]}
        self.queues = {row["name"]: row for row in found}
        self.streams = {row["msdyn_name"]: row for row in rows}
        self.variables = {(row["_msdyn_liveworkstreamid_value"], row["msdyn_name"]): row for row in variables}
        self.steps = {row["msdyn_routingconfigurationid"]["_msdyn_liveworkstreamid_value"]: row for row in steps}

    def user(self, member: str) -> str:
        bot = next((bot for bot in self.job.bots if bot.name == member), None)
        if bot is None:
            return str(self.people[member])
        row = self.bots.get(bot.application_id)
        return str(row["systemuserid"]) if row else wanted.chosen_id("bot", bot.application_id)

    def queue_id(self, name: str) -> str:
        row = self.queues.get(name)
        return str(row["queueid"]) if row else wanted.chosen_id("queue", name)

    # what is missing: groups whose writes must not be torn apart

    def missing(self) -> tuple[list[list[Write]], list[list[Write]]]:
        apart = [list(self.bot(bot)) for bot in self.job.bots]
        apart += [list(self.queue(queue)) for queue in self.job.queues]
        apart += [list(self.of_stream(stream)) for stream in self.job.streams]
        together = [[write] for queue in self.job.queues for write in self.members(queue, people=False)]
        return apart, together + [list(self.routes(stream)) for stream in self.job.streams]

    def bot(self, bot: Bot) -> Iterable[Write]:
        row, body = self.bots.get(bot.application_id), wanted.bot(bot)
        bind = {"businessunitid@odata.bind": f"/businessunits({self.unit})"}
        path = f"systemusers({self.user(bot.name)})"
        yield from _ensured(path, row, body, bind)
        if self.roles[bot.role] not in {each["roleid"] for each in (row or {}).get("systemuserroles_association", ())}:
            yield self.link(f"{path}/systemuserroles_association", f"roles({self.roles[bot.role]})")

    def queue(self, queue: Queue) -> Iterable[Write]:
        yield from _ensured(
            f"queues({self.queue_id(queue.name)})", self.queues.get(queue.name), wanted.queue(queue), {}
        )
        yield from self.members(queue, people=True)

    def members(self, queue: Queue, *, people: bool) -> Iterable[Write]:
        there = self.queues.get(queue.name, {}).get("queuemembership_association", ())
        known = {each["systemuserid"] for each in there}
        path = f"queues({self.queue_id(queue.name)})/queuemembership_association"
        for member in queue.members:
            if ("@" in member) is people and self.user(member) not in known:
                yield self.link(path, f"systemusers({self.user(member)})")

    def of_stream(self, stream: Stream) -> Iterable[Write]:
        stream_id = self.streams[stream.name]["msdyn_liveworkstreamid"]
        bind = {"msdyn_liveworkstreamid@odata.bind": f"/msdyn_liveworkstreams({stream_id})"}
        for name, kind in stream.variables:
            row = self.variables.get((stream_id, name))
            row_id = row[f"{VARIABLE}id"] if row else wanted.chosen_id("variable", stream.name, name)
            yield from _ensured(f"{VARIABLE}s({row_id})", row, wanted.variable(name, kind), bind)

    def routes(self, stream: Stream) -> Iterable[Write]:
        row = self.streams[stream.name]
        stream_id, fallback = row["msdyn_liveworkstreamid"], self.queue_id(stream.fallback)
        text = wanted.rules_text(stream, {name: self.queue_id(name) for name in (q.name for q in self.job.queues)})
        step = self.steps.get(stream_id)
        if step is None:
            yield from self.new_rules(stream, text, row)
        elif step["msdyn_rulesetid"]["msdyn_rulesetdefinition"] != text:
            path = f"msdyn_decisionrulesets({step['_msdyn_rulesetid_value']})"
            yield "PATCH", path, {"msdyn_rulesetdefinition": text}
        if row["_msdyn_defaultqueue_value"] != fallback:
            bind = {"msdyn_defaultqueue@odata.bind": f"/queues({fallback})"}
            yield "PATCH", f"msdyn_liveworkstreams({stream_id})", bind

    def new_rules(self, stream: Stream, text: str, row: dict[str, Any]) -> Iterable[Write]:
        rules, configuration, step = (wanted.chosen_id(kind, stream.name) for kind in ("rules", "routes", "step"))
        contracts = {
            "msdyn_inputcontractid@odata.bind": f"/msdyn_decisioncontracts({row['_msdyn_routingcontractid_value']})",
            "msdyn_outputcontractid@odata.bind": f"/msdyn_decisioncontracts({self.output})",
        }
        to_stream = {"msdyn_liveworkstreamid@odata.bind": f"/msdyn_liveworkstreams({row['msdyn_liveworkstreamid']})"}
        both = {
            "msdyn_routingconfigurationid@odata.bind": f"/msdyn_routingconfigurations({configuration})",
            "msdyn_rulesetid@odata.bind": f"/msdyn_decisionrulesets({rules})",
        }
        yield "PATCH", f"msdyn_decisionrulesets({rules})", {**wanted.rule_set(stream, text), **contracts}
        yield "PATCH", f"msdyn_routingconfigurations({configuration})", {**wanted.configuration(stream), **to_stream}
        yield "PATCH", f"msdyn_routingconfigurationsteps({step})", {**wanted.step(stream), **both}

    def link(self, path: str, other: str) -> Write:
        return "POST", f"{path}/$ref", {"@odata.id": f"{self.url}/api/data/v9.2/{other}"}


def _ensured(path: str, row: dict[str, Any] | None, body: wanted.Body, bind: wanted.Body) -> Iterable[Write]:
    if row is None:
        yield "PATCH", path, {**body, **bind}
    elif left := wanted.differing(row, body):
        yield "PATCH", path, left


def _get(query: tuple[str, str, str]) -> str:
    path, where, expand = query
    address = (
        requests.Request("GET", f"http://x/{path}", params={"$filter": where, **_given(expand)}).prepare().path_url
    )
    return _part(f"GET /api/data/v9.2{address} HTTP/1.1\r\nAccept: application/json\r\n\r\n")


def _given(expand: str) -> dict[str, str]:
    return {"$expand": expand} if expand else {}


def _part(text: str, boundary: str = "b", content_id: int = 0) -> str:
    number = f"Content-ID: {content_id}\r\n" if content_id else ""
    head = f"--{boundary}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n{number}\r\n"
    return f"{head}{text}\r\n"


def _change_set(writes: Sequence[Write]) -> str:
    if not writes:
        return ""
    parts = "".join(
        _part(
            f"{method} /api/data/v9.2/{path} HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{json.dumps(body)}",
            "c",
            number,
        )
        for number, (method, path, body) in enumerate(writes, 1)
    )
    return f"--b\r\nContent-Type: multipart/mixed;boundary=c\r\n\r\n{parts}--c--\r\n"
