# SPDX-License-Identifier: Apache-2.0
"""The command line: renders events and returns the person's answers. One command a file.

Manners: data goes to stdout and talk to stderr; an error is one line and a ``hint:``; nothing asks where there is
no terminal; ``--json`` prints one event a line. aiortc and the device libraries are imported only inside the
command that needs them.
"""
