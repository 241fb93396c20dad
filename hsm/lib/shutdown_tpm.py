# SPDX-License-Identifier: Apache-2.0
"""Send ``TPM2_Shutdown(CLEAR)`` to a software TPM: ``shutdown_tpm.py SOCKET``."""

import socket
import sys

# TPM 2.0 library specification, part 3, section 9.4: tag (no sessions), size 12, TPM_CC_Shutdown, TPM_SU_CLEAR.
SHUTDOWN = bytes.fromhex("8001 0000000c 00000145 0000")
# Tag, size 10, TPM_RC_SUCCESS.
SUCCESS = bytes.fromhex("8001 0000000a 00000000")


def shut_down(path: str) -> bool:
    """Return whether the TPM behind the Unix socket ``path`` answered with success, within five seconds."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(5)
        connection.connect(path)
        connection.sendall(SHUTDOWN)
        return connection.recv(len(SUCCESS)) == SUCCESS


if __name__ == "__main__":
    try:
        sys.exit(0 if shut_down(sys.argv[1]) else 1)
    except OSError as error:
        sys.exit(f"error: {error}")
