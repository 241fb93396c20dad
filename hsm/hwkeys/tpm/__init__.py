# SPDX-License-Identifier: Apache-2.0
"""The TPM backend.

``binding`` and ``commands`` are the only modules that import tpm2-pytss. ``public``, ``tss2`` and ``endorsement`` know
the formats and need no library; ``tcti`` says how to reach a TPM; ``session`` is the protected conversation; ``state``
reads the dictionary-attack counter; ``attestation`` and ``sealing`` are what a ``key`` can do besides signing and
agreeing.
"""
