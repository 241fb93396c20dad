# SPDX-License-Identifier: Apache-2.0
"""What a direct lane is measured beside: the same file over plain TLS 1.3, scp and magic-wormhole, all on loopback.

Each reference is started whole by :func:`references` and gone afterwards: scp has an sshd of its own, with keys and a
configuration of its own, and magic-wormhole its own mailbox and its own transit relay, so that nothing leaves the machine. What
is not installed is left out and said to be.

TLS is the limit, not a file program: one blocking socket at each end, files read and written, no hash over them. scp and
magic-wormhole take a while to start and to agree, which says nothing about their speed: theirs is the time of the file
minus that of an empty one.
"""

import contextlib
import datetime as dt
import os
import shutil
import socket
import ssl
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from getpass import getuser
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PIECE = 1 << 20
PATIENCE = 240.0
HERE = "127.0.0.1"
SSHD = "/usr/sbin/sshd"

Copy = Callable[[Path, Path], float]
"""Moves a file to a place that does not exist yet; seconds that the octets took."""


@contextlib.contextmanager
def references(directory: Path, *, only_tls: bool = False) -> Iterator[tuple[dict[str, Copy], list[str]]]:
    """(what there is to compare with, what is missing here and why)."""
    missing: list[str] = []
    found: dict[str, Copy] = {"tls": tls(directory)}
    with contextlib.ExitStack() as stack:
        for name, start in () if only_tls else (("scp", scp), ("wormhole", wormhole)):
            try:
                found[name] = stack.enter_context(start(directory))
            except FileNotFoundError as problem:
                missing.append(f"{name}: {problem.filename} is not installed")
        yield found, missing


# ---------------------------------------------------------------------- TLS 1.3, blocking


def tls(directory: Path) -> Copy:
    pem = directory / "tls.pem"
    _certificate(pem)

    def copy(source: Path, target: Path) -> float:
        with socket.create_server((HERE, 0)) as listener:
            port = listener.getsockname()[1]
            command = [sys.executable, __file__, "tls", str(pem), str(source), str(port)]
            with subprocess.Popen(command) as sender:
                listener.settimeout(PATIENCE)
                began, ended = _tls_receive(listener, pem, target, source.stat().st_size)
                if sender.wait(PATIENCE):
                    raise RuntimeError("the TLS sender failed")
        return ended - began

    return copy


def _tls_receive(listener: socket.socket, pem: Path, target: Path, size: int) -> tuple[float, float]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(pem)
    plain, _ = listener.accept()
    with context.wrap_socket(plain, server_side=True) as connection, target.open("wb", buffering=0) as file:
        view, got = memoryview(bytearray(PIECE)), 0
        began = time.monotonic()
        while got < size and (count := connection.recv_into(view)):
            file.write(view[:count])
            got += count
        ended = time.monotonic()
        if got != size:
            raise RuntimeError(f"{got} octets of {size} came over TLS")
        connection.sendall(b"\0")
    return began, ended


def _tls_send(pem: str, source: str, port: str) -> None:
    context = ssl.create_default_context(cafile=pem)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    with (
        socket.create_connection((HERE, int(port))) as plain,
        context.wrap_socket(plain, server_hostname="bench.invalid") as connection,
        Path(source).open("rb", buffering=0) as file,
    ):
        view = memoryview(bytearray(PIECE))
        while count := file.readinto(view):
            connection.sendall(view[:count])
        connection.recv(1)


def _certificate(pem: Path) -> None:
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench.invalid")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + dt.timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("bench.invalid")]), critical=False)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(secret + builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


# ---------------------------------------------------------------------- scp


@contextlib.contextmanager
def scp(directory: Path) -> Iterator[Copy]:
    home = directory / "ssh"
    home.mkdir(mode=0o700)
    for name in ("host", "user"):
        _run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / name)])
    (home / "authorized").write_bytes((home / "user.pub").read_bytes())
    port = free_port()
    (home / "config").write_text(
        f"ListenAddress {HERE}\nPort {port}\nHostKey {home}/host\nAuthorizedKeysFile {home}/authorized\n"
        "StrictModes no\nUsePAM no\nPasswordAuthentication no\nPidFile none\nSubsystem sftp internal-sftp\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(
            mode=0o755, exist_ok=True
        )  # where its unprivileged half lives; the service makes it too
    with running([SSHD, "-D", "-e", "-f", str(home / "config")], port, home / "sshd.log"):
        options = ["-q", "-P", str(port), "-i", str(home / "user"), "-o", "UserKnownHostsFile=/dev/null"]
        options += ["-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-F", "none"]

        def once(source: Path, target: Path) -> None:
            _run(["scp", *options, str(source), f"{getuser()}@{HERE}:{target}"])

        yield _marginal(once, directory)


# ---------------------------------------------------------------------- magic-wormhole


@contextlib.contextmanager
def wormhole(directory: Path) -> Iterator[Copy]:
    scripts = Path(sysconfig.get_path("scripts"))
    program, twist = scripts / "wormhole", scripts / "twist"
    if not program.exists():
        raise FileNotFoundError(2, "not there", "magic-wormhole")
    mailbox, relay = free_port(), free_port()
    environment = {**os.environ, "HOME": str(directory)}
    options = [
        "--relay-url",
        f"ws://{HERE}:{mailbox}/v1",
        "--transit-helper",
        f"tcp:{HERE}:{relay}",
        "--appid",
        "bench",
    ]
    code = "7-one-two"
    with (
        running(
            [str(twist), "wormhole-mailbox", f"--port=tcp:{mailbox}:interface={HERE}", "--channel-db=:memory:"],
            mailbox,
            directory / "mailbox.log",
        ),
        running([str(twist), "transitrelay", f"--port=tcp:{relay}:interface={HERE}"], relay, directory / "relay.log"),
    ):

        def once(source: Path, target: Path) -> None:
            receive = [str(program), *options, "receive", "--accept-file", "--hide-progress", "-o", str(target), code]
            send = [str(program), *options, "send", "--hide-progress", "--no-qr", "--code", code, str(source)]
            with subprocess.Popen(receive, env=environment, stdout=-3, stderr=-3) as receiver:
                _run(send, environment)
                if receiver.wait(PATIENCE):
                    raise RuntimeError("wormhole receive failed")

        yield _marginal(once, directory)


# ---------------------------------------------------------------------- common parts


def _marginal(once: Callable[[Path, Path], None], directory: Path) -> Copy:
    empty = directory / "empty.bin"
    empty.write_bytes(b"\0")

    def timed(source: Path, target: Path) -> float:
        began = time.monotonic()
        once(source, target)
        return time.monotonic() - began

    def copy(source: Path, target: Path) -> float:
        start = timed(empty, target.with_suffix(".empty"))
        target.with_suffix(".empty").unlink()
        return max(timed(source, target) - start, 1e-3)

    return copy


@contextlib.contextmanager
def running(command: list[str], port: int, log: Path) -> Iterator[None]:
    """A server of ours, until it is not needed any more."""
    if shutil.which(command[0]) is None:
        raise FileNotFoundError(2, "not there", command[0])
    with log.open("wb") as told, subprocess.Popen(command, stdout=told, stderr=told) as process:
        try:
            end = time.monotonic() + 20
            while True:
                with contextlib.suppress(OSError), socket.create_connection((HERE, port), 1):
                    break
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"{command[0]} did not start: {log.read_text()[-300:]}")
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(10)


def free_port() -> int:
    with socket.create_server((HERE, 0)) as listener:
        return listener.getsockname()[1]


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, timeout=PATIENCE, check=False)
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name}: {done.stderr.decode(errors='replace')[-300:]}")


if __name__ == "__main__":
    _tls_send(*sys.argv[2:])
