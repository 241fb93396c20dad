# SPDX-License-Identifier: Apache-2.0
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hwkeys import DeviceMissing, KeyMissing, PinWrong, WrongDevice
from hwkeys.tpm.binding import Tpm
from hwkeys.tpm.public import SIGNING_TEMPLATE
from hwkeys.tpm.session import conversation
from hwkeys.tpm.tss2 import OWNER
from support.swtpm import SwTpm

pytestmark = pytest.mark.device("swtpm")


@pytest.fixture
def tpm() -> Iterator[SwTpm]:
    with tempfile.TemporaryDirectory(prefix="hw-") as path, SwTpm(Path(path)) as tpm:
        yield tpm


def left(line: Tpm) -> list[int]:
    return line.handles(0x80000000) + line.handles(0x02000000)


def test_nobody_there():
    with pytest.raises(DeviceMissing):
        Tpm("swtpm:path=/nowhere/tpm.sock")
    with pytest.raises(DeviceMissing):
        Tpm("nosuchtcti")


def test_everything_is_flushed_on_every_way_out(tpm):
    with Tpm(tpm.tcti) as line:
        with conversation(line, OWNER, None) as talk:
            private, public = line.create(talk.storage, talk.session, SIGNING_TEMPLATE, b"1234")
            with line.loaded(talk.storage, talk.session, private, public) as key:
                assert len(left(line)) == 3
                line.authorise(key, b"1234")
                line.check_pin(key, talk.session)
                assert line.sign(key, talk.session, bytes(32), "sha256")
        assert left(line) == []
        with (  # noqa: PT012 - leaving the contexts is what is tested
            pytest.raises(PinWrong),
            conversation(line, OWNER, None) as talk,
            line.loaded(talk.storage, talk.session, private, public) as key,
        ):
            line.authorise(key, b"wrong")
            line.check_pin(key, talk.session)
        assert left(line) == []
        with pytest.raises(ZeroDivisionError), conversation(line, OWNER, None):
            raise ZeroDivisionError
        assert left(line) == []


def test_an_empty_handle(tpm):
    with Tpm(tpm.tcti) as line, pytest.raises(KeyMissing), line.persistent(0x81234567):
        pytest.fail("there is nothing")


def test_handles_of_other_kinds_are_not_listed(tpm):
    with Tpm(tpm.tcti) as line:
        assert line.handles(0x80000000) == []
        assert all(handle >> 24 == 0x81 for handle in line.handles(0x81000000))


def test_the_library_does_not_write_to_standard_error():
    script = (
        "from hwkeys.tpm.binding import Tpm\nfrom hwkeys import DeviceMissing\n"
        "try: Tpm('swtpm:path=/nowhere')\nexcept DeviceMissing: print('missing')"
    )
    clean = {name: value for name, value in os.environ.items() if name != "TSS2_LOG"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True, env=clean
    )
    assert (done.stdout, done.stderr) == ("missing\n", "")


class TwoAnswers:
    """Somebody on the bus: tpm2-tss, which asks first, is told of the handle ``theirs``; we, of the right one."""

    def __init__(self, esys, theirs: int) -> None:
        self._esys = esys
        self._theirs = theirs

    def __getattr__(self, name: str):
        return getattr(self._esys, name)

    def tr_from_tpmpublic(self, handle: int):
        self._right = handle
        return self._esys.tr_from_tpmpublic(self._theirs)

    def read_public(self, _handle):
        return self._esys.read_public(self._esys.tr_from_tpmpublic(self._right))


def test_no_salt_for_a_storage_key_that_was_shown_to_the_library_only(tpm):
    for number, words in enumerate(("noda", "")):
        attributes = f"restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth|{words}".rstrip("|")
        tpm.tool("tpm2_createprimary", "-C", "o", "-G", "ecc", "-c", f"{number}.ctx", "-a", attributes)
        tpm.tool("tpm2_flushcontext", "-t")
        tpm.tool("tpm2_evictcontrol", "-C", "o", "-c", f"{number}.ctx", f"0x8100000{number + 1}")
        tpm.tool("tpm2_flushcontext", "-t")
    with Tpm(tpm.tcti) as line:
        with conversation(line, 0x81000001, None) as talk:
            name = talk.storage_name
        line.esys = TwoAnswers(line.esys, 0x81000002)
        with pytest.raises(WrongDevice, match="two different answers"), conversation(line, 0x81000001, name):
            pytest.fail("the salt was encrypted to another key than the pinned one")
