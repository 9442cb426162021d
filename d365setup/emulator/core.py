"""The emulator as a Python object: start it, ask it, change it by hand, make it fail."""

from __future__ import annotations

import contextlib
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from . import bots, fixtures
from .bearer import Beside
from .beginning import fill, image, schema_with, writer
from .control import Control
from .faults import Faults
from .gateway import Gateway
from .healthbot import HealthBot
from .limits import Protection
from .options import Fault, Options, Request
from .principals import KnownTokens
from .privileges import GLOBAL, known_privileges
from .schema import ManyToMany, load_schema
from .server import Server
from .snapshots import Snapshots
from .store import Rows, Store
from .write import Writer


class Emulator:
    """A small Dataverse with Omnichannel tables in one SQLite file.

    `data` is the file, made with `options.fixture` when new and continued otherwise; without it the rows
    live in a temporary file that goes with the object. `sleep` serves `Options.rtt` and `op_time`, and `clock`
    counts the seconds of limits and stale reads.
    """

    def __init__(
        self,
        data: Path | str | None = None,
        options: Options | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.options = options or Options()
        self.faults = Faults(rate=self.options.fault_rate, seed=self.options.fault_seed)
        self._folder = tempfile.TemporaryDirectory(prefix="dataverse-") if data is None else None
        path = Path(self._folder.name) / "emulator.db" if self._folder else Path(str(data))
        path.parent.mkdir(parents=True, exist_ok=True)
        self.schema = schema_with(self.options.switches.disabled_rules_column)
        try:
            self._store = Store(path, load_schema(), self._first, durable=data is not None)
        except BaseException:
            self._leave()
            raise
        self.protection = Protection(self.options.limits, clock)
        self._snapshots = Snapshots(self._store, clock)
        guards = (self.protection, self._snapshots)
        self.gateway = Gateway(self._store, self.schema, self.options, self.faults, fixtures.CALLER, *guards, sleep)
        self.health_bot = HealthBot(bots.Bots(self._store, self.options.scenario_import), sleep, self.options.rtt)
        """The bots on the same port; see `docs/emulator.md`."""
        self.beside: Beside | None = KnownTokens(self.options.users) if self.options.users else None
        """What stands on the same port; see `entra.attach`."""
        self._server: Server | None = None
        self._thread: threading.Thread | None = None
        self._log: list[Request] = []
        try:
            self._begin()
            for rule in self.options.faults:
                self.faults.add(rule)
        except BaseException:
            self.close()
            raise

    # serving

    def start(self, port: int = 0, *, poll: float = 0.02) -> Emulator:
        """Listen on a loopback port (0: one the system chooses) until `stop`, which takes up to ``poll`` seconds."""
        if self._server is not None:
            message = "The emulator is already listening."
            raise RuntimeError(message)
        control = Control(self.faults, self.protection, self._log, self.reset, self._snapshots.release)
        self._server = Server(self.gateway, port, beside=self.beside, control=control, bot=self.health_bot)
        self._server.log = self._log
        self._thread = threading.Thread(target=self._server.serve_forever, args=(poll,), daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening; rows stay, and `start` may be called again."""
        if self._server is not None and self._thread is not None:
            self._server.stop()
            self._thread.join()
        self._server = self._thread = None

    def rest(self) -> None:
        """Let go of idle connections and what they hold in memory; the next request opens them again."""
        self._store.close()

    def close(self) -> None:
        """Stop, and let go of the data file (a temporary one is removed)."""
        self.stop()
        self._snapshots.release()
        self._store.close()
        self._leave()

    @contextlib.contextmanager
    def serve(self, port: int = 0) -> Iterator[Emulator]:
        """Listen within a `with` block."""
        self.start(port)
        try:
            yield self
        finally:
            self.stop()

    def serve_forever(self, port: int = 0, ready: Callable[[str], None] = lambda _url: None) -> None:
        """Listen until interrupted; `ready` gets the URL once requests are accepted."""
        try:
            self.start(port)
            ready(self.url)
            while self._thread is not None and self._thread.is_alive():
                self._thread.join(1)
        finally:
            self.close()

    @property
    def url(self) -> str:
        """Where it listens; raises RuntimeError before `start`."""
        if self._server is None:
            message = "The emulator is not listening: call start() first."
            raise RuntimeError(message)
        return self._server.url

    # what was asked

    @property
    def requests(self) -> list[Request]:
        """Every HTTP request since the last `reset_log`, in the order they were answered."""
        return list(self._log)

    def reset_log(self) -> None:
        """Forget the requests logged so far."""
        self._log.clear()
        self.health_bot.requests.clear()

    def fail(self, fault: Fault) -> None:
        """Let matching operations or requests fail; rules strike in the order they are added."""
        self.faults.add(fault)

    # rows by hand

    def sql(self, query: str, params: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
        """Return what a query finds; tables and columns go by their logical names."""
        with self._store.reading() as rows:
            return [tuple(row) for row in rows.connection.execute(query, params)]

    def execute(self, sql: str, params: Sequence[Any] | Mapping[str, Any] = ()) -> None:
        """Write past the platform, without a new row version."""
        with self._store.writing() as rows:
            rows.connection.execute(sql, params)

    def change(self, table: str, row_id: str, **columns: Any) -> None:
        """Change a row by hand: past the product's own acts, but with a new row version."""
        with self._store.writing() as rows:
            rows.update(table, row_id, columns)

    def add(self, table: str, **columns: Any) -> str:
        """Add a row the way the product would, with its own acts; lookups take the other row's id.

        A polymorphic lookup needs its `<column>type` beside it. Limits and types are not checked.
        """
        with self._store.writing() as rows:
            described = self.schema.tables[table]
            given = {name: int(value) if isinstance(value, bool) else value for name, value in columns.items()}
            row_id = str(given.pop(described.primary_id, "")) or None
            return self._writer(rows).insert(described, given, row_id)

    def link(self, table: str, row_id: str, navigation: str, other_id: str) -> None:
        """Join two rows of an N:N relationship by hand."""
        self._many(table, row_id, navigation, other_id, Rows.link)

    def unlink(self, table: str, row_id: str, navigation: str, other_id: str) -> None:
        """Part two rows of an N:N relationship by hand."""
        self._many(table, row_id, navigation, other_id, Rows.unlink)

    def _many(self, table: str, row_id: str, navigation: str, other_id: str, act: Callable[..., bool]) -> None:
        relation = self.schema.tables[table].collections[navigation]
        if not isinstance(relation, ManyToMany):
            message = f"{navigation} is not a many-to-many relationship."
            raise TypeError(message)
        with self._store.writing() as rows:
            act(rows, relation, row_id, other_id)

    def add_user(self, name: str, *roles: str, unit: str = fixtures.ROOT_UNIT) -> str:
        """Add an enabled user who holds these roles directly, and return the id; raises LookupError for no role."""
        address = re.sub(r"[^a-z0-9]+", ".", name.lower()).strip(".") + "@contoso.example"
        user = self.add("systemuser", lastname=name, internalemailaddress=address, businessunitid=unit, accessmode=4)
        for role in roles:
            self.link("systemuser", user, "systemuserroles_association", self._role(role, unit))
        return user

    def add_workstream(self, name: str) -> str:
        """Add a messaging work stream as the clinic's, without rules, and return its id."""
        with self._store.writing() as rows:
            return fixtures.add_work_stream(name, rows, self._writer(rows))

    def add_person(self, address: str) -> str:
        """Add an enabled person who holds the agent role and is in no queue, and return the id."""
        with self._store.writing() as rows:
            return fixtures.add_person(address, rows, self._writer(rows))

    def add_role(self, name: str, privileges: Iterable[str], *, unit: str = fixtures.ROOT_UNIT) -> str:
        """Add a role that holds exactly these privileges (`prvReadQueue`), all Global, and return its id."""
        held = sorted(set(privileges))
        unknown = sorted(set(held) - set(known_privileges(self.schema)))
        if unknown:
            message = f"There is no privilege {unknown[0]}."
            raise LookupError(message)
        role = self.add("role", name=name, businessunitid=unit)
        for each in held:
            self.execute("INSERT INTO _roleprivilege VALUES (?, ?, ?)", [role, each, GLOBAL])
        return role

    def _role(self, name: str, unit: str) -> str:
        found = self.sql("SELECT roleid FROM role WHERE name = ? AND businessunitid = ?", [name, unit])
        if not found:
            message = f"There is no role '{name}' in that business unit."
            raise LookupError(message)
        return str(found[0][0])

    def _make_users(self) -> None:
        """Add the configured users that come with roles and are not there yet."""
        for who in self.options.users.values():
            name, colon, roles = who.partition(":")
            if colon and not self.sql("SELECT 1 FROM systemuser WHERE fullname = ?", [name]):
                self.add_user(name, *(role.strip() for role in roles.split(",")))

    def name_application(self, application_id: str, name: str) -> None:
        """Tell the made-up Entra directory what an application is called."""
        self.execute("INSERT OR REPLACE INTO _entra VALUES (?, ?)", [application_id.lower(), name])

    def reset(self, fixture: Literal["clinic", "empty"] | None = None) -> None:
        """Begin again with a fixture; rows, faults and log go."""
        self.faults.clear()
        self.protection.reset()
        self._snapshots.release()
        self.reset_log()
        with self._store.writing() as rows:
            known = [fixtures.organization_number(row["organizationid"]) for row in rows.find("organization")]
            number = next(filter(None, known), self.options.organization)  # a file stays the organization it is
            rows.clear()
            fill(rows, fixture or self.options.fixture, self.options.switches, number)
        self._make_users()

    def _first(self) -> bytes:
        return image(self.options.fixture, self.options.switches, self.options.organization)

    def _begin(self) -> None:
        if self._store.is_new:
            self.reset(self.options.fixture)
        else:
            self._make_users()
            self.health_bot.bots.ensure()  # a file of an older release has none

    def _leave(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def _writer(self, rows: Rows) -> Writer:
        return writer(rows, self.options.switches)
