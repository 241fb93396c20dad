# SPDX-License-Identifier: Apache-2.0
"""Whole lines over loopback, with identities in software and a person who says yes."""

import asyncio
import datetime as dt
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from hardwire.certs import make_self_signed, verify_self_signed
from hardwire.handshake import Credential
from hardwire.net.config import LineConfig
from hardwire.net.line import Line
from hardwire.net.pending import host, join


class KernelEntropy:
    def octets(self, size: int) -> bytes:
        return os.urandom(size)


def config_for_test(**changes) -> LineConfig:
    """A fresh identity on loopback; ``changes`` replace fields."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    certificate = make_self_signed(
        key, not_before=now - dt.timedelta(days=1), not_after=now + dt.timedelta(days=30), serial=1
    )

    async def sign(tbs, scheme):
        return await asyncio.to_thread(key.sign, tbs, ec.ECDSA(hashes.SHA256()))

    async def verify(credential, leaf, role):
        return verify_self_signed(leaf, at=dt.datetime.now(dt.UTC))

    config = LineConfig(
        credential=Credential((certificate,)), sign=sign, verify=verify, entropy=KernelEntropy(), loopback=True
    )
    return replace(config, **changes)


async def open_lines(hosting: LineConfig, joining: LineConfig) -> tuple[Line | BaseException, Line | BaseException]:
    """Open one line; each side's outcome, an exception as a value."""
    offer = await host(hosting)
    answer = await join(joining, offer.text)
    first, second = await asyncio.gather(offer.accept(answer.text), answer.connect(), return_exceptions=True)
    return first, second


@asynccontextmanager
async def line_pair(
    hosting: LineConfig | None = None, joining: LineConfig | None = None
) -> AsyncIterator[tuple[Line, Line]]:
    first, second = await open_lines(hosting or config_for_test(), joining or config_for_test())
    for outcome in (first, second):
        if isinstance(outcome, BaseException):
            raise outcome
    try:
        yield first, second
    finally:
        await asyncio.gather(first.close(), second.close())


async def next_of(line: Line, kind: type, within: float = 10.0):
    """The next event of a kind; others before it are passed over."""
    async with asyncio.timeout(within):
        async for event in line:
            if isinstance(event, kind):
                return event
    raise AssertionError(f"the line ended without {kind.__name__}")
