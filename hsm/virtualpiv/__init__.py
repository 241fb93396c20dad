# SPDX-License-Identifier: Apache-2.0
"""Virtual YubiKeys: cards that OpenSC, ykcs11 and yubikit take for real ones, for demonstrations and tests.

Part of the checkout, not of the installed package. The keys in such a card are software and protect nothing; its maker
is invented anew by each service, so that nobody's roots lead to it by accident.

::

    with Service(directory) as service:
        card = VirtualPiv(service, serial=20_000_001)
        card.insert()
        subprocess.run([...], env={**os.environ, **service.environment})

A service is a smart-card daemon of its own with two readers, in namespaces made by ``unshare`` (see ``server``):
root's, or a user's own where the kernel allows it. It meets none of the machine's own cards, and nobody on the network
meets it.

Modules remember a card's content until it is pulled, so a changed card must be pulled and inserted. That takes half a
second each: the service looks at its readers that often.
"""

from virtualpiv.client import Service, ServiceFailed, VirtualPiv

__all__ = ["Service", "ServiceFailed", "VirtualPiv"]
