# SPDX-License-Identifier: Apache-2.0
"""The four verbs for TPMs: open, generate, list, delete."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric import ec

from hwkeys.devices import DeviceInfo, KeyInfo
from hwkeys.errors import DeviceFailed, HwKeyError, KeyExists, KeyNotAsAsked, PinNeeded, UriError
from hwkeys.prompt import Pin, PinRequest, Prompter, ask_pin
from hwkeys.purpose import Purpose
from hwkeys.tpm.attestation import ENDINGS
from hwkeys.tpm.binding import Tpm
from hwkeys.tpm.key import TpmKey, pin_octets
from hwkeys.tpm.public import PublicArea, decode_public, refuse_unfit, template_for
from hwkeys.tpm.session import Place, area_of, conversation
from hwkeys.tpm.state import TpmState, read_state
from hwkeys.tpm.tcti import check_tcti, default_tcti
from hwkeys.tpm.tss2 import OWNER, KeyFile, read_key_file, write_key_file
from hwkeys.uri import TpmUri
from hwkeys.worker import worker_for

_PERSISTENT = 0x81000000
_P256 = ec.SECP256R1()


def open_key(uri: TpmUri, prompter: Prompter | None) -> TpmKey:
    """Reach for the key; prove the PIN when there is somebody to ask."""
    place = _place(uri)
    has_pin = not (uri.no_auth if place.blob is None else place.blob.empty_auth)
    key = TpmKey(place, prompter, uri=_exact(uri, place), has_pin=has_pin)
    if prompter is not None:
        key.unlock()
    return key


def generate_key(
    uri: TpmUri, prompter: Prompter | None, purpose: Purpose = Purpose.SIGN, curve: ec.EllipticCurve = _P256
) -> TpmKey:
    """Make a key with a PIN of its own."""
    if (uri.file is None) == (uri.handle is None):
        raise UriError("a new key needs a place: file=… or handle=… in the URI")
    if uri.file is not None and uri.file.exists():
        raise KeyExists(f"{uri.file} exists already")
    if uri.file is not None and not uri.file.parent.is_dir():
        raise DeviceFailed(f"there is no directory {uri.file.parent}", hint="create it first")
    tcti = _tcti(uri)
    worker = worker_for(tcti)
    state = worker.call(_look, tcti, uri.handle)
    pin = _new_pin(uri, state.info(tcti), prompter)
    made = worker.call(_generate, tcti, uri, pin, template_for(purpose, curve))
    prompter = _JustChosen(pin, prompter) if prompter is not None else None
    if uri.file is not None:
        write_key_file(uri.file, made)
        return open_key(uri, prompter)
    kept = replace(
        uri, srk_name=made.parent_name, no_auth=not pin, parent=None if made.parent == OWNER else made.parent
    )
    return open_key(kept, prompter)


def delete_key(uri: TpmUri, prompter: Prompter | None) -> None:  # noqa: ARG001 - every backend's shape
    """Delete the key file, or evict the key from its handle. The owner of either may; the PIN is not needed."""
    place = _place(uri)
    if uri.file is not None:
        try:
            uri.file.unlink()
            for ending in ENDINGS:
                uri.file.with_name(uri.file.name + ending).unlink(missing_ok=True)
        except OSError as error:
            raise DeviceFailed(f"{uri.file} cannot be deleted: {error.strerror}") from error
    elif place.handle is not None:
        worker_for(place.tcti).call(_evict, place.tcti, place.handle)


def list_devices(tctis: Sequence[str] | None, on_error: Callable[[HwKeyError], None]) -> list[DeviceInfo]:
    """The TPMs given, or the machine's own, with the keys at persistent handles."""
    found = []
    try:
        wanted = [default_tcti()] if tctis is None else tctis
    except HwKeyError as error:
        on_error(error)
        return []
    for tcti in wanted:
        try:
            found.append(worker_for(check_tcti(tcti)).call(_list, tcti))
        except HwKeyError as error:
            on_error(error)
    return found


class _JustChosen:
    """Answers the first question with the PIN that was chosen a moment ago; the person answers any other."""

    def __init__(self, pin: bytes, prompter: Prompter) -> None:
        self._pin: str | None = Pin(pin.decode())
        self._prompter = prompter

    def pin(self, request: PinRequest) -> str:
        """The chosen PIN, once."""
        pin, self._pin = self._pin, None
        return self._prompter.pin(request) if pin is None else pin

    def confirm_last_try(self, request: PinRequest) -> bool:
        """The person's to say."""
        return self._prompter.confirm_last_try(request)


def _tcti(uri: TpmUri) -> str:
    return default_tcti() if uri.tcti is None else check_tcti(uri.tcti)


def _place(uri: TpmUri) -> Place:
    if uri.file is None and uri.handle is None:
        raise UriError("the URI names a TPM, not a key", hint="add file=… or handle=…")
    blob = None if uri.file is None else read_key_file(uri.file)
    return Place(
        tcti=_tcti(uri),
        blob=blob,
        handle=uri.handle,
        parent=blob.parent if blob is not None else uri.parent or OWNER,
        # What the caller says counts before what stands in the file, which others may be able to write.
        storage_name=uri.srk_name or (None if blob is None else blob.parent_name),
        file=uri.file,
    )


def _exact(uri: TpmUri, place: Place) -> str:
    return str(replace(uri, tcti=place.tcti, pin_source=None))


def _new_pin(uri: TpmUri, device: DeviceInfo, prompter: Prompter | None) -> bytes:
    if uri.no_auth:
        return b""
    if prompter is None:
        raise PinNeeded(
            "a new TPM key wants a PIN of its own, and there is nobody to ask",
            hint="give a prompter, a pin-source=file:… in the URI, or auth=none for a key without a PIN",
        )
    name = str(uri.file) if uri.handle is None else f"0x{uri.handle:08x}"
    return pin_octets(ask_pin(prompter, PinRequest(device=device, key=name, new=True)))


def _look(tcti: str, handle: int | None) -> TpmState:
    with Tpm(tcti) as tpm:
        if handle is not None and handle in tpm.handles(_PERSISTENT):
            raise KeyExists(f"the persistent handle 0x{handle:08x} is taken")
        return read_state(tpm)


def _generate(tcti: str, uri: TpmUri, pin: bytes, template: PublicArea) -> KeyFile:
    parent = uri.parent or OWNER
    with Tpm(tcti) as tpm, conversation(tpm, parent, uri.srk_name) as talk:
        private, public = tpm.create(talk.storage, talk.session, template, pin)
        area = area_of(public)
        refuse_unfit(area)
        if replace(area, x=b"", y=b"") != template:
            raise KeyNotAsAsked("the TPM made another key than the template asked for")
        area.public_key()
        if uri.handle is not None:
            with tpm.loaded(talk.storage, talk.session, private, public) as handle:
                tpm.persist(handle, uri.handle)
        return KeyFile(public, private, empty_auth=not pin, parent=parent, parent_name=talk.storage_name)


def _evict(tcti: str, handle: int) -> None:
    with Tpm(tcti) as tpm, tpm.persistent(handle) as (key, public):
        # Other handles hold what the machine needs: the storage key, the endorsement key.
        refuse_unfit(decode_public(public))
        tpm.evict(key)


def _list(tcti: str) -> DeviceInfo:
    with Tpm(tcti) as tpm:
        keys = []
        for handle in tpm.handles(_PERSISTENT):
            with tpm.persistent(handle) as (_key, public):
                try:
                    area = decode_public(public)
                    refuse_unfit(area)
                except KeyNotAsAsked:
                    continue
            uri = str(TpmUri(handle=handle, tcti=tcti))
            keys.append(KeyInfo(uri=uri, label="", key_id=handle.to_bytes(4), kind=area.kind, purpose=area.purpose))
        return read_state(tpm).info(tcti, tuple(keys))
