"""Which requests were sent, by the ids that the service's operators can find them under."""

from collections import deque
from dataclasses import dataclass, field

KEPT = 1000  # the last ones; an apply of thousands of changes sends some hundred


@dataclass(frozen=True)
class Exchange:
    """One try: our id and the service's; no status and no id of the service's where no answer came."""

    method: str
    operations: int
    client_request_id: str
    service_request_id: str = ""
    status: int | None = None


@dataclass
class Exchanges:
    """Those of one client, the last ones kept. Safe to add to from any thread."""

    _kept: deque[Exchange] = field(default_factory=lambda: deque(maxlen=KEPT))

    def add(self, exchange: Exchange) -> None:
        """Remember it."""
        self._kept.append(exchange)

    def kept(self) -> tuple[Exchange, ...]:
        """In the order in which they ended."""
        return tuple(self._kept.copy())
