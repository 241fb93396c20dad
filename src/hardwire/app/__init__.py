# SPDX-License-Identifier: Apache-2.0
"""The composition root: wires hardware keys, certificates and the line together; what every face uses.

The only package that opens keys, reads the clock, touches the disk and draws randomness for the pure core.
"""
