# SPDX-License-Identifier: Apache-2.0
"""How to reach a TPM.

By default the kernel's resource manager, ``/dev/tpmrm0``: a TPM has three slots for objects, and only the resource
manager keeps programs out of each other's. ``/dev/tpm0`` is never chosen. Another way is said in the URI,
``tcti=swtpm:path=…``, in the words of tpm2-tss.
"""

import errno
import os
import re
from pathlib import Path

from hwkeys.errors import DeviceMissing, UriError

RESOURCE_MANAGER = Path("/dev/tpmrm0")
_TCTI = re.compile(r"(device|swtpm|mssim|tabrmd)(:[\x21-\x7e]*)?\Z")


def default_tcti(device: Path = RESOURCE_MANAGER) -> str:
    """The machine's own TPM.

    Raises:
        DeviceMissing: There is none, or this user may not use it; the hint says what to do.
    """
    try:
        # Opened for writing and closed again: access() would not see what a container or an LSM forbids.
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError as error:
        raise DeviceMissing(
            f"this machine has no TPM: there is no {device}",
            hint="switch the TPM on in the firmware, or say tcti=… in the URI",
        ) from error
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            raise DeviceMissing(
                f"this user may not use the TPM at {device}",
                hint="join the group tss (`sudo usermod -aG tss $USER`) and log in again",
            ) from error
        if error.errno != errno.EBUSY:
            raise DeviceMissing(f"the TPM at {device} does not answer: {error.strerror}") from error
    return f"device:{device}"


def check_tcti(text: str) -> str:
    """The TCTI as given, if it is one of those that only open a device or a socket.

    ``cmd:`` would start a program, ``pcap:`` would write everything to a file, and a path would load a library.

    Raises:
        UriError: It is another one.
    """
    if not _TCTI.match(text):
        raise UriError("tcti must be device:…, swtpm:…, mssim:… or tabrmd:…", hint="for example device:/dev/tpmrm0")
    return text


def missing(tcti: str) -> DeviceMissing:
    """The error for a TPM that does not answer at all."""
    return DeviceMissing(f"no TPM answers at {tcti}", hint="check that it is running, and the tcti in the URI")
