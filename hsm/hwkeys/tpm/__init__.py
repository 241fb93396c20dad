# SPDX-License-Identifier: Apache-2.0
"""The TPM backend.

``binding`` is the only module that imports tpm2-pytss. ``public`` and ``tss2`` read and write the two formats and need
no library; ``tcti`` says how to reach a TPM; ``session`` is the protected conversation; ``state`` reads the
dictionary-attack counter; ``key`` signs.
"""
