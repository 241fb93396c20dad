# SPDX-License-Identifier: Apache-2.0
"""The parts of ``bench transport``. Each module measures one group of figures and says which rows of the report they are.

A part is a module with ``TITLE``, ``async def measure(plan) -> dict`` and ``def rows(found) -> list[Row]``. What it could not
measure, and why, is in ``found["missing"]``.
"""
