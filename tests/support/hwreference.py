# SPDX-License-Identifier: Apache-2.0
"""The API reference of hwkeys, written from its signatures and docstrings, so that it cannot say anything else."""

import enum
import importlib
import inspect
import re
from collections.abc import Iterator

PACKAGES = ("hwkeys", "hwkeys.evidence")
_SECTION = re.compile(r"(Args|Attributes|Raises|Returns):$")
_ITEM = re.compile(r" {4}(\w+): (.*)$")
_HEAD = """<!-- Written by: python tests/unit/test_hwkeys_reference.py --write -->
# hwkeys: every public name

What it is for, and how it is used, stands in the [README](README.md).
"""


def reference() -> str:
    """The whole of REFERENCE.md."""
    parts = [_HEAD]
    for package in PACKAGES:
        module = importlib.import_module(package)
        found = {name: getattr(module, name) for name in sorted(module.__all__)}
        errors = {name: value for name, value in found.items() if _is_error(value)}
        others = {name: value for name, value in found.items() if name not in errors}
        parts.append(f"## {package}\n")
        functions = [name for name, value in others.items() if inspect.isfunction(value)]
        classes = [name for name in others if name not in functions]
        for name in functions + classes:
            parts += _entry(name, others[name])
        if errors:
            parts.append("## Errors\n\nEach has a `hint`: what to do next.\n")
            root = next(value for value in errors.values() if value.__base__ is Exception)
            parts.append("\n".join(_tree(root, set(errors.values()))) + "\n")
    return "\n".join(parts)


def _is_error(value: object) -> bool:
    return inspect.isclass(value) and issubclass(value, Exception)


def _tree(error: type, public: set[type], depth: int = 0) -> Iterator[str]:
    yield f"{'  ' * depth}- `{error.__name__}`: {_prose(inspect.getdoc(error) or '').split(chr(10) * 2)[0]}"
    for below in sorted(public, key=lambda one: one.__name__):
        if below.__base__ is error:
            yield from _tree(below, public, depth + 1)


def _entry(name: str, value: object) -> Iterator[str]:
    if inspect.isfunction(value):
        yield f"### {name}\n\n`{name}{_signature(value)}`\n\n{_doc(value)}\n"
    elif not inspect.isclass(value):
        yield f"### {name}\n\n`{_short(str(value))}`\n"
    elif issubclass(value, enum.Enum):
        yield f"### {name}\n\n{_doc(value)}\n\nMembers: {', '.join(f'`{member.name}`' for member in value)}.\n"
    else:
        yield f"### {name}\n\n{_doc(value)}\n"
        yield from filter(None, (_member(value, member) for member in _own_members(value)))


def _own_members(kind: type) -> Iterator[str]:
    """Public methods and properties that one of our classes defines, not those of its bases elsewhere."""
    seen = set()
    for base in kind.__mro__:
        if base.__module__.startswith("hwkeys"):
            # A frozen value's fields stand in its docstring.
            fields = getattr(base, "__dataclass_fields__", {})
            seen |= {name for name in vars(base) if not name.startswith("_") and name not in fields}
    yield from sorted(seen)


def _member(kind: type, name: str) -> str:
    value = inspect.getattr_static(kind, name)
    value = value.__func__ if isinstance(value, classmethod | staticmethod) else value
    if isinstance(value, property):
        return f"#### {kind.__name__}.{name}\n\n{_doc(value)}\n"
    if not inspect.isfunction(value):
        return ""
    return f"#### {kind.__name__}.{name}\n\n`{name}{_signature(value)}`\n\n{_doc(value)}\n"


def _signature(function: object) -> str:
    found = inspect.signature(function)
    shown = [one for name, one in found.parameters.items() if name not in ("self", "cls")]
    return _short(str(found.replace(parameters=shown)))


def _short(text: str) -> str:
    text = re.sub(r"<(\w+\.\w+): [^>]*>", r"\1", text)
    text = text.replace("~_", "")
    return re.sub(r"\b(?:[a-z_]\w*\.)+(?=\w)", "", text)


def _doc(value: object) -> str:
    lines = (inspect.getdoc(value) or "").splitlines()
    out: list[str] = []
    section = ""
    for line in lines:
        heading, item = _SECTION.match(line), _ITEM.match(line)
        if heading:
            section = heading[1]
            out.append(f"{section}:\n" if section != "Returns" else "Returns:")
        elif section and item and section != "Returns":
            out.append(f"- `{item[1]}`: {item[2]}")
        elif section and line:
            out.append(f"  {line.strip()}" if section != "Returns" else line.strip())
        else:
            section = section if line == "" else ""
            out.append(line)
    return _prose("\n".join(out))


def _prose(text: str) -> str:
    return text.replace("``", "`").replace("\n::\n", "\n").strip()
