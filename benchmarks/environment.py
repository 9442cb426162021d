"""The served emulator as its parent sees it: where it listens, what it counted, what its rows hold."""

from __future__ import annotations

import datetime
import ipaddress
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Latency:
    """What the emulator adds: seconds for each request, seconds for each operation; and the width it hints at."""

    rtt: float = 0.0
    op_time: float = 0.0
    dop_hint: int = 4

    @property
    def shown(self) -> str:
        if not self.rtt and not self.op_time:
            return f"no latency, x-ms-dop-hint {self.dop_hint}"
        times = f"{self.rtt * 1000:.0f} ms a request, {self.op_time * 1000:.0f} ms an operation"
        return f"{times}, x-ms-dop-hint {self.dop_hint}"


class Environment:
    """A context manager; `ca` is the file to trust."""

    def __init__(self, job: str, latency: Latency, folder: Path) -> None:
        self.job, self.folder = job, folder
        self.ca = folder / "ca.pem"
        key = folder / "key.pem"
        make_certificate(self.ca, key)
        call = [sys.executable, "-m", "benchmarks.served", "--job", job, "--rtt", str(latency.rtt)]
        call += ["--op-time", str(latency.op_time), "--dop-hint", str(latency.dop_hint)]
        call += ["--certificate", str(self.ca), "--key", str(key)]
        self._process = subprocess.Popen(  # noqa: S603  # our own module
            call, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.url: str = self._answer()

    def ask(self, command: str) -> Any:
        """What the emulator answers to `reset`, `forget`, `counts` or `rows`."""
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            message = "the emulator's process ended; what it said stands above"
            raise RuntimeError(message)
        return json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()  # its stdin ends, and so does it


def make_certificate(path: Path, key_path: Path) -> None:
    """A certificate for 127.0.0.1, its own authority, good for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "d365setup benchmark")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
