# SPDX-License-Identifier: Apache-2.0
"""A peer whose program was changed: hardwire with one honest check taken out, named by the first argument.

``expired`` shows a certificate that it knows to be past its time; ``name=NAME`` offers every file as NAME;
``dies`` ends as by kill -9 between a file's final name and the last word to its sender; ``flip`` sends another octet than the one it has, under the right hash; ``membership`` shows whatever lies in
membership.pem, past its time or of another key.
"""

import dataclasses
import os
import signal
import sys
from datetime import UTC, datetime

import hardwire.app.identity
import hardwire.cli.conversation
import hardwire.handshake.machine
from hardwire.app import membership, outgoing, unheard
from hardwire.channel import filecontrol
from hardwire.cli.main import main


def show_an_expired_certificate() -> None:
    hardwire.app.identity.utc_now = lambda: datetime(2021, 1, 1, tzinfo=UTC)


def offer_as(name: str) -> None:
    honest = outgoing.inspect_outgoing
    filecontrol.name_fits = lambda _name: True

    def inspect(*words, **options):
        file = honest(*words, **options)
        return dataclasses.replace(file, offer=dataclasses.replace(file.offer, name=name))

    outgoing.inspect_outgoing = inspect


def flip_an_octet() -> None:
    honest = outgoing.OutgoingReader.read

    def read(self, offset: int, size: int) -> bytes:
        data = honest(self, offset, size)
        return data[:-1] + bytes([data[-1] ^ 1])

    outgoing.OutgoingReader.read = read


def die_unheard() -> None:
    unheard.Unheard.confirm = lambda *_: os.kill(os.getpid(), signal.SIGKILL)


def show_any_membership() -> None:
    hardwire.cli.conversation.load_membership = lambda _identity: membership._read(membership.membership_path())
    hardwire.handshake.machine.verify = lambda *_: None


if __name__ == "__main__":
    trick, _, value = sys.argv.pop(1).partition("=")
    {
        "expired": show_an_expired_certificate,
        "name": lambda: offer_as(value),
        "dies": die_unheard,
        "flip": flip_an_octet,
        "membership": show_any_membership,
    }[trick]()
    main()
