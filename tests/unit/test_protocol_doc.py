# SPDX-License-Identifier: Apache-2.0
"""docs/protocol.md and the code say the same: labels, sizes, limits, steps, codes, pictures."""

import ast
import re
from pathlib import Path

import pytest

import hardwire.handshake as package
from hardwire.certs import device_id
from hardwire.errors import WireError
from hardwire.handshake import Message, SignatureScheme, contact, credential, kem, messages, sas, schedule, signatures
from hardwire.handshake.transitions import LIMITS, TRANSITIONS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "protocol.md").read_text()
SECTIONS = {
    int(number): body
    for number, body in re.findall(r"^## (\d+)\. (.*?)(?=^## \d+\. |\Z)", TEXT, re.MULTILINE | re.DOTALL)
}


def cells(section: int) -> list[list[str]]:
    lines = [line for line in SECTIONS[section].splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def labels_in(function: str) -> set[str]:
    """The labels that the schedule gives to its expansion."""
    return set(re.findall(r'expand_label\(\w+, b"([^"]+)"', function))


def test_the_sections_are_numbered_as_the_code_cites_them():
    assert set(SECTIONS) == set(range(1, 19))
    cited = {
        int(number)
        for file in (ROOT / "src").rglob("*.py")
        for number in re.findall(r"protocol\.md §(\d+)", file.read_text())
    }
    assert cited <= set(SECTIONS)


def test_labels_of_the_key_schedule():
    source = Path(schedule.__file__).read_text()
    used = labels_in(source) | {value.decode() for value in schedule._TAG_LABEL.values()}
    told = set(re.findall(r'XL\(\w+, "([^"]+)"', SECTIONS[9] + SECTIONS[13]))
    assert used == told
    assert f'"{schedule.LABEL_PREFIX.decode()}"' in SECTIONS[2]


def test_strings_that_are_hashed_or_signed():
    found = set()
    for file in (*Path(package.__file__).parent.glob("*.py"), Path(device_id.__code__.co_filename)):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, bytes) and node.value.startswith(b"HBI1"):
                found.add(node.value.decode())
    told = set(
        re.findall(r'"(HBI1[^"]*)"', "".join(body for number, body in SECTIONS.items() if number not in {6, 14}))
    )
    assert found == told


def test_labels_of_the_invites():
    from hardwire.net import invite, oneway

    used = {
        value.decode() for each in (invite, oneway) for name, value in vars(each).items() if name.startswith("LABEL_")
    }
    asked = re.findall(r'_label\(side, "(\w+)"\)', Path(oneway.__file__).read_text())
    used |= {oneway._label(side, what).decode() for side in ("offer", "answer") for what in asked}
    assert used == set(re.findall(r'["`](HBI1 [^"`]+)["`]', SECTIONS[6]))
    assert (f"0x{invite.OFFER_HEAD:02x} ‖ secret[{invite.SECRET_SIZE}]") in SECTIONS[6]
    assert (f"0x{invite.ANSWER_HEAD:02x} ‖ offer_ref[{invite.OFFER_REF_SIZE}]") in SECTIONS[6]
    assert f"Default life {invite.DEFAULT_LIFE} s" in SECTIONS[6]
    assert f"{invite.MAX_LIFE:,}".replace(",", " ") in SECTIONS[6]
    assert f"the longest code has {invite.MAX_BLOB}" in SECTIONS[6]


def test_the_suite():
    assert f"Suite 0x{schedule.SUITE:04x}" in TEXT
    assert f"0x{kem.XWING_LABEL.hex()}" in SECTIONS[5]
    told = {(int(code, 16), name) for code, name in re.findall(r"(0x0\d{3}) (\w+)", SECTIONS[5])}
    assert told == {(int(scheme), scheme.name.lower()) for scheme in SignatureScheme}
    assert f"RSA of {signatures.RSA_BITS_MIN} to {signatures.RSA_BITS_MAX} bits" in SECTIONS[5]
    assert f"salt of {signatures.PSS_SALT_SIZE} octets" in SECTIONS[5]
    sizes = (kem.MLKEM_PUBLIC_SIZE, kem.X25519_SIZE, kem.MLKEM_CIPHERTEXT_SIZE, kem.X25519_SIZE)
    assert "kem_pk = ek[{}] ‖ pk_X[{}]`, `kem_ct = ct_M[{}] ‖ ct_X[{}]".format(*sizes) in SECTIONS[5]


def test_fields_and_bounds_of_the_messages():
    section = SECTIONS[8]
    assert (
        f"M1    = 0x01 ‖ kem_pk[{kem.PUBLIC_SIZE}] ‖ commit[{schedule.HASH_SIZE}] ‖ tag_I[{messages.TAG_SIZE}]"
        in section
    )
    assert (
        f"M2    = 0x02 ‖ kem_ct[{kem.CIPHERTEXT_SIZE}] ‖ n_R[{messages.NONCE_SIZE}] ‖ tag_R[{messages.TAG_SIZE}]"
        in section
    )
    assert f"{messages.PROOF_MIN} or a larger multiple of {messages.PROOF_STEP}" in section
    assert f"{messages.PROOF_MAX:,}".replace(",", " ") in section
    assert f"1 to {signatures.SIGNATURE_MAX} octets" in section
    assert f"n is 1 to {credential.CERTIFICATES_MAX}, k is 0 to {credential.ATTESTATIONS_MAX}" in section
    assert f"1 to {credential.ITEM_MAX} octets" in section
    assert f"at most {credential.CREDENTIAL_MAX:,}".replace(",", " ") in section
    assert f"cred = 0x{credential.VERSION:02x} ‖" in section


def test_sizes_and_times():
    told = {row[0]: row[1] for row in cells(11) if len(row) == 2}
    for kind in Message:
        low, high = messages.SIZES[kind]
        assert told[kind.name] == (f"{low} octets" if low == high else f"{low} to {high} octets")
        assert told[f"time for {kind.name}"] == f"{LIMITS[kind]:g} s"


def test_the_steps():
    told = {tuple(row) for row in cells(4) if len(row) == 3 and row[0] != "state"}
    assert told == {(state.value, given.value, end.value) for (state, given), end in TRANSITIONS.items()}


def test_the_codes_of_the_checks():
    told = set(re.findall(r"`([a-z]+(?:-[a-z]+)*)`", SECTIONS[11]))
    used = {"malformed", "timeout", "identity-changed"}
    for file in Path(package.__file__).parent.glob("*.py"):
        used |= set(re.findall(r'code="([a-z-]+)"', file.read_text()))
    assert told == used
    assert WireError.default_code == "malformed"


def test_what_people_compare():
    section = SECTIONS[12]
    pictures = [tuple(cell.split(" ", 1)) for row in cells(12) if row[0].isdigit() for cell in row[1:]]
    assert tuple(pictures) == sas.EMOJI
    assert f"{sas.SAFETY_ROUNDS} times" in section
    assert f"0x{sas.SAFETY_VERSION.hex()} ‖ spki" in section
    assert f"`sas_bytes` has {8 * sas.SAS_SIZE} bits" in section
    assert (
        f"first {sas.DECIMAL_GROUPS * sas.DECIMAL_BITS} bits as three numbers of {sas.DECIMAL_BITS} bits, {sas.DECIMAL_BASE}"
        in section
    )
    assert f"first {sas.EMOJI_COUNT * sas.EMOJI_BITS} bits as seven indices of {sas.EMOJI_BITS} bits" in section


def test_sizes_of_the_keys():
    told = {label: int(size) for label, size in re.findall(r'XL\(\w+, "([^"]+)", [\w"]+, (\d+)\)', SECTIONS[9])}
    assert told["iv"] == schedule.IV_SIZE
    assert told["sid"] == schedule.SID_SIZE
    assert told["sas"] == sas.SAS_SIZE
    assert {size for label, size in told.items() if label not in {"iv", "sid", "sas"}} == {schedule.KEY_SIZE}
    assert contact.SECRET_SIZE == schedule.KEY_SIZE


@pytest.mark.parametrize("words", [".../", "/work", "issue", "shared/design"])
def test_the_text_is_the_projects_own(words):
    assert words not in TEXT


def spaced(number: int) -> str:
    """A number as the document writes it: 65 536."""
    return f"{number:,}".replace(",", " ") if number >= 10_000 else str(number)


def test_labels_of_the_record_layer():
    from hardwire import channel
    from hardwire.channel import announcement, paths
    from hardwire.channel.lane import keys

    source = "".join(file.read_text() for file in Path(channel.__file__).parent.rglob("*.py"))
    used = set(re.findall(r'(?:expand_label\(.*?, |label_info\()b"([^"]+)"', source)) | {"i chain", "r chain"}
    used |= {value.decode() for one in (keys._DIAL_LABEL, keys._LISTEN_LABEL) for value in one.values()}
    used |= {
        value.decode()
        for one in (paths._UFRAG_LABEL, paths._PASSWORD_LABEL, announcement._LABEL)
        for value in one.values()
    }
    chains = {value.decode() for value in channel.ratchet._CHAIN_LABEL.values()}
    assert chains == {"i chain", "r chain"}
    told = set(re.findall(r'XL\([^"]*?"([^"]+)"', SECTIONS[14])) | set(
        re.findall(r'\| "(r \w+|path i \w+|announce i)"', SECTIONS[14])
    )
    assert used == told


def test_sizes_and_kinds_of_frames():
    from hardwire.channel import messages, records

    text = SECTIONS[14]
    assert ", ".join(str(bucket) for bucket in records.BUCKETS) in text
    assert f"{spaced(records.FRAME_MAX)} octets" in text
    assert spaced(records.PAYLOAD_MAX) in text
    assert f"u8 version = 0x{records.VERSION:02x} ‖ u8 type = 0x{records.TYPE:02x}" in text
    assert f"1 to {spaced(messages.TEXT_MAX)} octets" in text
    told = {int(code, 16) for code in re.findall(r"^\| 0x([0-9A-F]{2}) \|", text, re.MULTILINE)}
    assert {int(kind) for kind in messages.Kind} | {0x08} == told
    assert f"0x{messages.CRITICAL:02x} on abort" in text


def test_limits_of_the_open_line():
    from hardwire.channel import DEFAULT_LIMITS

    limits = DEFAULT_LIMITS
    text = SECTIONS[14]
    for told in (
        f"{limits.rekey_seconds:.0f} s old",
        f"{limits.rekey_idle / 60:.0f} min old",
        f"| {limits.rekey_frames} frames |",
        f"| {limits.rekey_octets >> 20} MiB of frames |",
        f"{limits.stop_seconds / 60:.0f} min after its first traffic",
        "more than 2^16 frames",
        "more than 1 GiB",
        f"{limits.old_epoch_seconds:.0f} s (counted",
        f"unfinished {limits.rekey_answer:.0f} s",
        f"{limits.rekey_pause:.0f} s old",
    ):
        assert told in re.sub(r"\s+", " ", text), told
    assert limits.stop_frames == 1 << 16
    assert limits.stop_octets == 1 << 30
    assert limits.life == 24 * 3600
    assert "24 h" in text or "24 hours" in text


def test_sizes_and_kinds_of_direct_lanes():
    from hardwire.channel.bulk import PATH_CHUNK_MAX
    from hardwire.channel.lane import frames, keys, messages

    text = SECTIONS[14][SECTIONS[14].index("### 14.8") :]
    flat = re.sub(r"\s+", " ", text)
    assert ", ".join(str(bucket) for bucket in frames.BUCKETS) in flat
    told = {int(code, 16) for code in re.findall(r"^\| 0x([0-9A-F]{2}) \|", text, re.MULTILINE)}
    assert told == {int(kind) for kind in frames.LaneKind}
    ops = {name: int(code) for code, name in re.findall(r"op 0x0(\d) ([A-Z]+)", text)}
    assert ops == {op.name: int(op) for op in messages.LaneOp}
    assert f"1 to {PATH_CHUNK_MAX:,} octets".replace(",", " ") in flat
    assert f"{messages.PORT_MIN} to 65 535" in flat
    assert f"sends {keys.GREETING_SIZE} octets" in flat
    assert f"n_d[{keys.NONCE_SIZE}]" in flat
    assert "2^16 frames" in flat
    assert frames.FRAMES_MAX == 1 << 16


def test_what_is_settled_before_the_line_opens():
    from hardwire.channel import settle

    section = SECTIONS[14][SECTIONS[14].index("### 14.9") :]
    told = {(int(kind, 16), name) for name, kind in re.findall(r"\| (\w+) \| (0x8\d) \|", section)}
    assert told == {(int(kind), kind.name) for kind in settle.SettleKind}
    assert f"n is 0 to {settle.LISTS_MAX}" in section
    assert settle.OCTETS_MAX == 2**20
    assert f"not over {settle.TIME:g} s" in section


def test_paths_and_the_next_line():
    from hardwire.channel import paths
    from hardwire.net.rtc import roam, watch

    text = re.sub(r"\s+", " ", SECTIONS[14])
    assert f"more than {paths.TELLINGS_MAX} tellings" in text
    assert f"H(u32 g), {paths.UFRAG_SIZE})" in text
    assert f"H(u32 g), {paths.PASSWORD_SIZE})" in text
    assert f"nothing came for {watch.PROBE_INTERVAL} s" in text
    assert {5: "after five such rounds"}[watch.DEAD_AFTER_PROBES] in text
    assert f"on the old path for {roam.LINGER:.0f} s" in text
    for op in paths.NextOp:
        assert f"0x{op:02x}: an {op.name.lower()}" in text


def test_transfers_are_what_the_document_says():
    from hardwire.channel import DEFAULT_LIMITS, PATH_CHUNK_MAX, filecontrol, manifest, messages, tree

    text = re.sub(r"\s+", " ", SECTIONS[14])
    ops = {
        (int(code, 16), name)
        for code, name in re.findall(r"op 0x(\d\d) ([A-Z]+) (?:sender|receiver|either) +u32 transfer", text)
    }
    assert ops == {(int(op), op.name) for op in filecontrol.FileOp}
    for told in (
        "Kinds: 1 file, 2 directory, 3 stream",
        f"each of {spaced(messages.CHUNK_SIZE)} octets",
        f"{spaced(filecontrol.WINDOW_MIN)} to 2^{filecontrol.WINDOW_MAX.bit_length() - 1} octets, {DEFAULT_LIMITS.window >> 20} MiB by default",
        f"At most {DEFAULT_LIMITS.transfers} transfers",
        f"at most 2^{PATH_CHUNK_MAX.bit_length() - 1}. In a stream",
        f"L is 2^{tree.LEAF_MIN.bit_length() - 1}, doubled until the content has at most {spaced(tree.LEAVES_MAX)} leaves",
        f"At most {spaced(manifest.ENTRIES_MAX)} entries",
        f"at most {manifest.PATH_MAX} octets and {manifest.DEPTH_MAX} names",
        f"manifest: octets of it, ≤ 2^{manifest.MANIFEST_MAX.bit_length() - 1}",
        f"size: octets of content, ≤ 2^{filecontrol.FILE_SIZE_MAX.bit_length() - 1}",
    ):
        assert told in text, told
    source = Path(tree.__file__).read_text()
    assert set(re.findall(r'b"(HBI1 [^"]+)"', source)) == set(re.findall(r'"(HBI1 [^"]+)"', SECTIONS[14]))
    reasons = re.search(r"Reasons: (.*?)\.", text)
    assert reasons
    assert len(reasons[1].split(", ")) == len(filecontrol.StopReason)
