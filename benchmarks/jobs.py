"""The two jobs, as plain values every contender reads, and as the playbook d365setup reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SHIPPED = Path(__file__).parent.parent / "playbooks" / "health-bot.yaml"


@dataclass(frozen=True)
class Bot:
    name: str
    application_id: str
    bot_id: str
    email: str
    capacity: int
    role: str = "Omnichannel agent"


@dataclass(frozen=True)
class Queue:
    name: str
    priority: int
    members: tuple[str, ...]  # a bot by its name, a person by the e-mail address
    description: str | None = None


@dataclass(frozen=True)
class Rule:
    """Matches when one of its tests (variable, operator, value) holds; without tests always."""

    name: str
    tests: tuple[tuple[str, str, str], ...]
    queue: str


@dataclass(frozen=True)
class Stream:
    name: str
    fallback: str
    variables: tuple[tuple[str, str], ...]  # name, and text or number
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Job:
    name: str
    bots: tuple[Bot, ...]
    queues: tuple[Queue, ...]
    streams: tuple[Stream, ...]
    people: int = 0  # made before the job begins, beside those of the fixture
    owns_queues: bool = True  # False: a queue of the fixture is among them, and keeps what the job does not say

    @property
    def emails(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(member for queue in self.queues for member in queue.members if "@" in member))

    @property
    def playbook(self) -> str:
        """The text of the playbook that asks for the same."""
        return SHIPPED.read_text() if self.name == "small" else "\n".join(_playbook(self)) + "\n"


TOPIC = "BotHandOffTopic"
SMALL = Job(
    "small",
    bots=(
        Bot(
            "Contoso Health Bot",
            "5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f",
            "9b1e6c2d-4a7f-4c1b-9e0d-3f5a7b8c9d01",
            "health-bot@contoso.example",
            100,
        ),
    ),
    queues=(
        Queue("Health bot", 1, ("Contoso Health Bot",), "First line of defence."),
        Queue("Nurses", 1, ("nurse.one@contoso.example",), "Nurses on duty."),  # in the fixture, like its text
    ),
    streams=(
        Stream(
            "Patient chat",
            "Nurses",
            ((TOPIC, "text"), ("Severity", "number")),
            (
                Rule("Hand off to a nurse", ((TOPIC, "==", "Nurse"),), "Nurses"),
                Rule(
                    "Urgent", (("Severity", ">=", "7"), (TOPIC, "==", "Emergency"), (TOPIC, "==", "Urgent")), "Nurses"
                ),
                Rule("Any other hand-off", ((TOPIC, "not-null", ""), ("Severity", "not-null", "")), "Nurses"),
                Rule("Everyone meets the bot first", (), "Health bot"),
            ),
        ),
    ),
)

BOTS, QUEUES, MEMBERS, STREAMS, VARIABLES, RULES = 5, 20, 10, 5, 10, 20


def _large() -> Job:
    people = tuple(f"person{n:02}@contoso.example" for n in range(MEMBERS - 1))
    return Job(
        "large",
        bots=tuple(
            Bot(
                f"Bot {n}",
                f"5f2c3a1e-7d0b-4e55-8f3a-0000000000{n:02}",
                f"9b1e6c2d-4a7f-4c1b-9e0d-0000000000{n:02}",
                f"bot{n}@contoso.example",
                1000 + n,
            )
            for n in range(BOTS)
        ),
        queues=tuple(Queue(f"Queue {n:02}", n + 1, (f"Bot {n % BOTS}", *people)) for n in range(QUEUES)),
        streams=tuple(_stream(n) for n in range(STREAMS)),
        people=MEMBERS - 1,
    )


def _stream(n: int) -> Stream:
    return Stream(
        f"Stream {n}",
        f"Queue {n:02}",
        tuple((f"Topic{v}", "text") for v in range(VARIABLES)),
        tuple(
            Rule(f"Rule {r:02}", ((f"Topic{r % VARIABLES}", "==", f"value {r}"),), f"Queue {(n + r) % QUEUES:02}")
            for r in range(RULES)
        ),
    )


def _playbook(job: Job) -> Iterator[str]:
    yield f"playbook: 1\nname: {job.name}\nbot_users:"
    for bot in job.bots:
        yield f"  - {{name: {bot.name}, application_id: {bot.application_id}, bot_application_id: {bot.bot_id},"
        yield f"     email: {bot.email}, capacity: {bot.capacity}}}"
    yield "queues:"
    for queue in job.queues:
        yield f"  - {{name: {queue.name}, priority: {queue.priority}, members: [{', '.join(queue.members)}]}}"
    yield "workstreams:"
    for stream in job.streams:
        yield f"  - name: {stream.name}\n    fallback_queue: {stream.fallback}\n    context_variables:"
        yield from (f"      - {{name: {name}, type: {kind}}}" for name, kind in stream.variables)
        yield "    routing_rules:"
        for rule in stream.rules:
            ((variable, _, value),) = rule.tests
            yield f"      - {{name: {rule.name}, when: {{{variable}: {value}}}, queue: {rule.queue}}}"


JOBS = {"small": SMALL, "large": _large()}
