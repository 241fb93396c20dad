# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/transport.md from a report: ``python -m bench.markdown REPORT.json`` puts them between the two marks there.

The report is what ``bash hsm/up.sh bench transport --json`` prints. Measures with a bar are told, and what they are
compared with; of processor time what has packets of 1200 octets or those that the path takes.
"""

import json
import sys
from pathlib import Path

from bench.rows import number
from bench.transport import PARTS

DOCUMENT = Path(__file__).parents[2] / "docs" / "transport.md"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"


def is_told(row: dict) -> bool:
    """Whether a row belongs in a document that people read."""
    if row["measure"].startswith("processor time"):
        return "8 KB" not in row["measure"]
    return row["bar"] is not None or row["ratio"] is None


def tables(report: dict) -> str:
    """One for each part, and what the machine was."""
    lines = []
    for part in dict.fromkeys(row["part"] for row in report["rows"]):
        lines += [f"| {PARTS[part].TITLE} | | ratio | bar | met |", "|---|---|---|---|---|"]
        for row in report["rows"]:
            if row["part"] == part and is_told(row):
                ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
                met = {None: "", True: "yes", False: "no"}[row["met"]]
                value = f"{number(row['value'])} {row['unit']}".strip()
                lines.append(f"| {row['measure']} | {value} | {ratio} | {row['bar'] or ''} | {met} |")
        lines.append("")
    lines += [f"Not measured: {name}: {why}.\n" for name, why in report["missing"].items()]
    plan, facts = report["plan"], report["machine"]
    lines.append(
        f"{facts['cpu']}, {facts['cores']} cores, load {facts['load']} at the start, Python {facts['python']}; medians of"
        f" {plan['rounds']} rounds; files of {plan['file'] / 1e6:.0f} MB."
    )
    return "\n".join(lines) + "\n"


def replaced(document: str, report: dict) -> str:
    """The document with these figures in the place of those before."""
    before, rest = document.split(BEGIN)
    return before + BEGIN + "\n" + tables(report) + "\n" + END + rest.split(END)[1]


if __name__ == "__main__":
    found = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    DOCUMENT.write_text(replaced(DOCUMENT.read_text(encoding="utf-8"), found), encoding="utf-8")
