# SPDX-License-Identifier: Apache-2.0
"""The root of the events, and their one encoding."""

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Event:
    """Root of the events."""


def event_name(event: Event) -> str:
    """``FileOffer`` → ``file-offer``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(event).__name__).lower()


def to_json(event: Event) -> dict[str, object]:
    """The event as a flat JSON object, its name under ``event``."""
    fields: dict[str, object] = {"event": event_name(event)}
    for field in dataclasses.fields(event):
        value = getattr(event, field.name)
        if isinstance(value, Path):
            value = str(value)
        elif isinstance(value, float):
            value = round(value, 3)
        elif isinstance(value, tuple):
            value = list(value)
        fields[field.name] = value
    return fields
