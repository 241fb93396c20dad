# SPDX-License-Identifier: Apache-2.0
"""The PKCS#11 backend.

``binding`` and ``faults`` are the only modules that import python-pkcs11; everything in ``binding`` runs on the
module's worker thread. ``modules`` finds and keeps the vendors' libraries, ``tokens`` chooses one by what is printed
on it, ``session`` keeps the one login, ``objects`` says which objects a key is made of, ``key`` signs.
"""
