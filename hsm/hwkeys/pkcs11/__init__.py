# SPDX-License-Identifier: Apache-2.0
"""The PKCS#11 backend.

``binding``, ``operations`` and ``faults`` wrap python-pkcs11; everything in them runs on the module's worker thread.
``modules`` finds and keeps the vendors' libraries, ``tokens`` chooses one by what is printed on it, ``session`` keeps
the one login, ``login`` asks for the PIN, ``objects`` says which objects a key is made of, ``held`` finds a key again
when its token was pulled, and ``key`` makes ``cryptography`` keys of all this.
"""
