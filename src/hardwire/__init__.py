# SPDX-License-Identifier: Apache-2.0
"""A private line between two people or two machines, proved by keys that cannot leave their hardware.

The layers, each importing only what stands to its right::

    cli → app → net → channel → handshake → certs → wire → errors
          └──→ hwkeys (a package of its own; only app opens keys)

``certs``, ``handshake`` and ``channel`` are pure: octets, values and the time go in, values and octets come out.
"""

__version__ = "0.1.0"
