# SPDX-License-Identifier: Apache-2.0
"""`python -m hardwire`: the command line."""

from hardwire.cli.main import main

main()
