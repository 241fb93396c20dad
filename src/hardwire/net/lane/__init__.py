# SPDX-License-Identifier: Apache-2.0
"""The direct lane's sockets: where one may be made, how two sides meet, threads that carry chunks, and who keeps it."""
