# SPDX-License-Identifier: Apache-2.0
"""The attestation key beside a key file, its enrolment, and TPM2_Certify.

``mykey.tss2`` gets two neighbours: ``mykey.tss2.ak``, the attestation key (a key file too; restricted, without a PIN),
and ``mykey.tss2.ak.pem``, its certificates, once an authority has enrolled it. One attestation key for one key: two
identities on one machine are not to be linked by it.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from hwkeys.errors import DeviceFailed, KeyExists, KeyMissing, KeyNotAsAsked, Unsupported, WrongDevice
from hwkeys.evidence.chain import read_certificate, spki_of
from hwkeys.evidence.enrolment import Challenge, read_attestation_key
from hwkeys.evidence.values import MAX_CERTIFICATES, TpmEvidence
from hwkeys.tpm import commands
from hwkeys.tpm.binding import Handle, Tpm
from hwkeys.tpm.endorsement import TEMPLATES, EndorsementTemplate
from hwkeys.tpm.public import ATTESTING_TEMPLATE
from hwkeys.tpm.session import Conversation, Place, conversation
from hwkeys.tpm.tss2 import KeyFile, read_key_file, write_key_file

ENDINGS = (_KEY, _CERTIFICATES) = (".ak", ".ak.pem")
"""Of the two files beside a key file."""

_NV = 0x01000000
_PERSISTENT = 0x81000000


def attestation_key(place: Place) -> KeyFile:
    """The attestation key of the key at this place; made when there is none. Runs on the worker.

    Raises:
        Unsupported: The key has no file beside which it could stand.
        KeyNotAsAsked: What stands there is something else.
    """
    path = _beside(place, _KEY)
    with suppress(KeyMissing):
        return _checked(read_key_file(path))
    with Tpm(place.tcti) as tpm, conversation(tpm, place.parent, place.storage_name) as talk:
        private, public = tpm.create(talk.storage, talk.session, ATTESTING_TEMPLATE, b"")
        made = KeyFile(public, private, empty_auth=True, parent=place.parent, parent_name=talk.storage_name)
    # Another program may have been faster; its key is as good.
    with suppress(KeyExists):
        write_key_file(path, _checked(made))
    return _checked(read_key_file(path))


def certified(place: Place, talk: Conversation, key: Handle, attestation: KeyFile, nonce: bytes) -> TpmEvidence:
    """TPM2_Certify, in the conversation that loaded the key and knows its PIN."""
    if place.blob is None:
        raise Unsupported("a key at a handle has no attestation key", hint="use a key file")
    with talk.tpm.loaded(talk.storage, talk.session, attestation.private, attestation.public) as handle:
        attest, signature = commands.certify(talk.tpm, key, handle, talk.session, nonce)
    return TpmEvidence(attest, signature, place.blob.public[2:], _certificates(place))


def keep_certificates(place: Place, certificates: Sequence[bytes]) -> None:
    """Write an authority's answer beside the key file, over an older one.

    Raises:
        KeyNotAsAsked: The first certificate is not the attestation key's.
        EvidenceRefused: One of them cannot be read.
        DeviceFailed: The disk would not.
    """
    chain = [read_certificate(each) for each in certificates]
    area = read_attestation_key(attestation_key(place).public[2:])
    if not 1 <= len(chain) <= MAX_CERTIFICATES or spki_of(chain[0]) != spki_of(area.public_key()):
        raise KeyNotAsAsked("the first certificate is not the attestation key's", hint="ask the authority again")
    path = _beside(place, _CERTIFICATES)
    draft = path.with_name(f".{path.name}.new")
    try:
        draft.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in chain))
        draft.replace(path)
    except OSError as error:
        raise DeviceFailed(f"{path} cannot be written: {error.strerror}", hint="check the directory") from error


def endorsements(tcti: str) -> tuple[bytes, ...]:
    """The endorsement keys' certificates in the TPM, DER, of the templates hwkeys knows. Runs on the worker."""
    with Tpm(tcti) as tpm:
        return tuple(certificate for _template, certificate in _endorsements(tpm))


def activated(place: Place, endorsement: bytes, challenge: Challenge) -> bytes:
    """TPM2_ActivateCredential: the secret, given out because both keys are here. Runs on the worker.

    Raises:
        Unsupported: There is no endorsement key of that certificate here.
        WrongDevice: The challenge is for another TPM or another attestation key.
        DeviceFailed: It is no challenge.
    """
    ours = attestation_key(place)
    with Tpm(place.tcti) as tpm:
        template = next((each for each, certificate in _endorsements(tpm) if certificate == endorsement), None)
        if template is None:
            raise Unsupported("the TPM holds no such endorsement certificate", hint="use one that endorsements() gave")
        persistent = _persistent(tpm, spki_of(read_certificate(endorsement)))
        with (
            conversation(tpm, place.parent, place.storage_name) as talk,
            tpm.loaded(talk.storage, talk.session, ours.private, ours.public) as attestation,
            tpm.persistent(persistent) if persistent else commands.endorsement_primary(tpm, template) as (key, _public),
            commands.endorsement_session(tpm, template) as session,
        ):
            parts = (challenge.credential, challenge.secret)
            try:
                return commands.activate(tpm, attestation, key, (talk.session, session), parts)
            except WrongDevice as error:
                raise WrongDevice("the challenge is for another TPM, or for another attestation key") from error


def _endorsements(tpm: Tpm) -> list[tuple[EndorsementTemplate, bytes]]:
    present = tpm.handles(_NV)
    found = []
    for template in TEMPLATES:
        if template.certificate_index in present:
            # Makers define the index with room to spare: what follows the certificate is padding.
            octets = commands.read_nv(tpm, template.certificate_index)
            found.append((template, _first_value(octets)))
    return found


def _first_value(octets: bytes) -> bytes:
    size = 4 + int.from_bytes(octets[2:4]) if octets[:2] == b"\x30\x82" else len(octets)
    return octets[:size]


def _persistent(tpm: Tpm, spki: bytes) -> int | None:
    """Where the maker, or the system, has put the endorsement key, so that it need not be made again."""
    for handle in tpm.handles(_PERSISTENT):
        if tpm.public_key_at(handle) == spki:
            return handle
    return None


def _beside(place: Place, ending: str) -> Path:
    if place.file is None:
        raise Unsupported("a key at a handle has no attestation key", hint="use a key file")
    return place.file.with_name(place.file.name + ending)


def _checked(key: KeyFile) -> KeyFile:
    read_attestation_key(key.public[2:])
    return key


def _certificates(place: Place) -> tuple[bytes, ...]:
    try:
        octets = _beside(place, _CERTIFICATES).read_bytes()
        return tuple(each.public_bytes(Encoding.DER) for each in x509.load_pem_x509_certificates(octets))
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:
        raise KeyNotAsAsked("the attestation key's certificates cannot be read", hint="enrol again") from error
