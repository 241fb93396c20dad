# SPDX-License-Identifier: Apache-2.0
"""A real coturn on loopback, on free ports, ended by its own process handle."""

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

USER = "line"
PASSWORD = "over-the-hill"


def free_port(kind: int = socket.SOCK_DGRAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def _answers(address: str, port: int) -> None:
    """Return when it listens (it takes TCP on the same port)."""
    async with asyncio.timeout(15):
        while True:
            try:
                _, writer = await asyncio.open_connection(address, port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                await writer.wait_closed()
                return


def _tls(port: int, certificate: Path, key: Path) -> list[str]:
    # Its plain port cannot be switched off, only put elsewhere.
    plain = free_port(socket.SOCK_STREAM)
    return [f"--tls-listening-port={port}", f"--listening-port={plain}", f"--cert={certificate}", f"--pkey={key}"]


@asynccontextmanager
async def coturn(address: str = "127.0.0.1", tls: tuple[Path, Path] | None = None) -> AsyncIterator[int]:
    """The port it listens on, for UDP and TCP; with ``tls`` (certificate, key) for TLS instead."""
    port = free_port(socket.SOCK_STREAM)
    with tempfile.TemporaryDirectory() as folder:
        process = await asyncio.create_subprocess_exec(
            "turnserver",
            "-n",
            f"--listening-ip={address}",
            f"--relay-ip={address}",
            *(["--no-tls", "--no-dtls", f"--listening-port={port}"] if tls is None else _tls(port, *tls)),
            "--lt-cred-mech",
            f"--user={USER}:{PASSWORD}",
            "--realm=hardwire.test",
            "--no-cli",
            "--allow-loopback-peers",
            "--fingerprint",
            "--log-file=stdout",
            "--simple-log",
            f"--pidfile={Path(folder) / 'pid'}",
            f"--userdb={Path(folder) / 'db'}",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=folder,
        )
        try:
            await _answers(address, port)
            yield port
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
