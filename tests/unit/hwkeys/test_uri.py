# SPDX-License-Identifier: Apache-2.0
import contextlib
import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwkeys import Credential, Pkcs11Uri, TpmUri, UriError, parse_uri

GOOD = {
    "pkcs11:": Pkcs11Uri(),
    "pkcs11:token=alice": Pkcs11Uri(token="alice"),
    "pkcs11:token=a%20b;object=my%3Bkey;id=%01%FF": Pkcs11Uri(token="a b", object="my;key", id=b"\x01\xff"),
    "PKCS11:serial=1;manufacturer=m;model=v%201;type=private": Pkcs11Uri(
        serial="1", manufacturer="m", model="v 1", type="private"
    ),
    "pkcs11:object=%C3%A9?module-path=/usr/lib/a.so&pin-source=file:/run/pin": Pkcs11Uri(
        object="é", module_path=Path("/usr/lib/a.so"), pin_source=Path("/run/pin")
    ),
    "pkcs11:?pin-source=file:///run/pin": Pkcs11Uri(pin_source=Path("/run/pin")),
    "pkcs11:?pin-source=credential:hw.pin-1@a": Pkcs11Uri(pin_source=Credential("hw.pin-1@a")),
    "tpm:?pin-source=credential:pin": TpmUri(pin_source=Credential("pin")),
    "tpm:": TpmUri(),
    "tpm:file=/a/b%20c.tss2": TpmUri(file=Path("/a/b c.tss2")),
    "tpm:handle=0x81010001?tcti=swtpm:path=/run/tpm.sock&pin-source=file:/run/pin": TpmUri(
        handle=0x81010001, tcti="swtpm:path=/run/tpm.sock", pin_source=Path("/run/pin")
    ),
    "tpm:file=/k?tcti=swtpm:host=127.0.0.1,port=2321": TpmUri(file=Path("/k"), tcti="swtpm:host=127.0.0.1,port=2321"),
    f"tpm:file=/k?parent=0x81000001&srk-name={'0a' * 34}&auth=none": TpmUri(
        file=Path("/k"), parent=0x81000001, srk_name=b"\x0a" * 34, no_auth=True
    ),
}


@pytest.mark.parametrize("text", GOOD)
def test_what_is_read(text):
    assert parse_uri(text) == GOOD[text]
    assert parse_uri(str(GOOD[text])) == GOOD[text]


REFUSED = {
    "": "pkcs11: or tpm:",
    "alice": "pkcs11: or tpm:",
    "https://x": "pkcs11: or tpm:",
    "pkcs11:token=a b": "blanks",
    "pkcs11:token=é": "ASCII",
    "pkcs11:" + "x" * 5000: "4096",
    "pkcs11:token": "empty",
    "pkcs11:token=": "empty",
    "pkcs11:token=a;token=b": "twice",
    "pkcs11:token=a;": "not an attribute",
    "pkcs11:Token=a": "not an attribute",
    "pkcs11:x-vendor=a": "not an attribute",
    "pkcs11:token=a?": "question mark",
    "pkcs11:token=%zz": "percent-encoded",
    "pkcs11:token=%4": "percent-encoded",
    "pkcs11:token=a#b": "percent-encoded",
    "pkcs11:token=%FF": "UTF-8",
    "pkcs11:token=%00": "control",
    "pkcs11:token=a%0Ab": "control",
    "pkcs11:type=cert": "private or public",
    "pkcs11:slot-id=0": "refused",
    "pkcs11:library-version=3": "refused",
    "pkcs11:?module-name=softhsm": "refused",
    "pkcs11:?pin-value=1234": "refused",
    "pkcs11:pin-source=file:/x": "wrong side",
    "pkcs11:?token=x": "wrong side",
    "pkcs11:?module-path=relative.so": "absolute",
    "pkcs11:?pin-source=/run/pin": "pin-source",
    "pkcs11:?pin-source=%7Ccat": "pin-source",
    "pkcs11:?pin-source=file:pin": "absolute",
    "pkcs11:?pin-source=file://host/pin": "absolute",
    "pkcs11:?pin-source=credential:": "credential's name",
    "pkcs11:?pin-source=credential:..": "credential's name",
    "pkcs11:?pin-source=credential:.pin": "credential's name",
    "pkcs11:?pin-source=credential:-pin": "credential's name",
    "pkcs11:?pin-source=credential:a/b": "credential's name",
    "pkcs11:?pin-source=credential:/run/pin": "credential's name",
    "pkcs11:?pin-source=credential:%2E%2E%2Fpin": "credential's name",
    "pkcs11:?pin-source=credential:%C3%A9": "credential's name",
    "pkcs11:?pin-source=credential:" + "a" * 129: "credential's name",
    "tpm:?pin-source=Credential:pin": "pin-source",
    "pkcs11:id=" + "%01" * 256: "255",
    "tpm:file=a": "absolute",
    "tpm:file=/a;handle=0x81000000": "not both",
    "tpm:handle=1": "persistent handle",
    "tpm:handle=0x80000000": "persistent handle",
    "tpm:handle=0x8100000g": "persistent handle",
    "tpm:?parent=0x40000001": "persistent handle",
    "tpm:?srk-name=00": "68",
    "tpm:?auth=1234": "auth",
    "tpm:?pin-value=1234": "refused",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused_and_why(text):
    with pytest.raises(UriError, match=REFUSED[text]) as refused:
        parse_uri(text)
    assert refused.value.hint


def test_a_pin_in_a_uri_is_not_repeated_in_the_error():
    with pytest.raises(UriError) as refused:
        parse_uri("pkcs11:token=a?pin-value=1234")
    assert "1234" not in str(refused.value)
    assert "pin-source" in refused.value.hint


words = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z")) | st.sampled_from(" ;?&=%/#"), min_size=1, max_size=20
).filter(str.isprintable)
paths = words.map(lambda word: Path("/" + word.replace("/", "_")))

credentials = st.from_regex(re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,127}"), fullmatch=True).map(Credential)


@given(
    st.builds(
        Pkcs11Uri,
        token=st.none() | words,
        serial=st.none() | words,
        object=st.none() | words,
        id=st.none() | st.binary(min_size=1, max_size=32),
        module_path=st.none() | paths,
        pin_source=st.none() | paths | credentials,
    )
    | st.builds(
        TpmUri,
        file=st.none() | paths,
        tcti=st.none() | words,
        parent=st.none() | st.integers(0x81000000, 0x81FFFFFF),
        srk_name=st.none() | st.binary(min_size=34, max_size=34),
        no_auth=st.booleans(),
    )
)
def test_printing_and_reading_give_the_same(uri):
    assert parse_uri(str(uri)) == uri
    assert str(parse_uri(str(uri))) == str(uri)


@given(st.text(max_size=60) | st.text(string.printable, max_size=60).map(lambda rest: "pkcs11:" + rest))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(UriError):
        assert parse_uri(str(parse_uri(text)))
