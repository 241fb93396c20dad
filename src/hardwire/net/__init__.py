# SPDX-License-Identifier: Apache-2.0
"""The line between two machines: invites, addresses, the one aiortc adapter, and the driver of a line."""
