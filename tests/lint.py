"""What can be said about the code without running it: style, types, layers, docstrings.

    python -m tests.lint
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("sip", "rtp", "mcu", "softphone", "pcap", "confero")
SOURCE = re.compile(r"RFC \d{3,5}|ITU-T [A-Z]\.\d+|G\.\d{3}")
COMMANDS = (
    ("ruff", [sys.executable, "-m", "ruff", "check", "."]),
    ("mypy", [sys.executable, "-m", "mypy"]),
    ("layers", [sys.executable, "-c", "from importlinter.cli import lint_imports_command as main; main()"]),
)


def sources() -> Iterator[Path]:
    """Every module of the product."""
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def missing_docstrings(path: Path) -> Iterator[str]:
    """Public objects of a module without a docstring, as `file:line name`."""
    tree = ast.parse(path.read_text("utf-8"))
    where = path.relative_to(ROOT)
    if not ast.get_docstring(tree):
        yield f"{where}:1 module"
    yield from _missing_inside(tree, str(where), "")


def _missing_inside(node: ast.AST, where: str, prefix: str) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or child.name.startswith("_"):
            continue
        if not ast.get_docstring(child) and not _is_overload(child):
            yield f"{where}:{child.lineno} {prefix}{child.name}"
        if isinstance(child, ast.ClassDef):
            yield from _missing_inside(child, where, f"{prefix}{child.name}.")


def _is_overload(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    names = {d.attr if isinstance(d, ast.Attribute) else getattr(d, "id", "") for d in node.decorator_list}
    return bool(names & {"overload", "setter"})


def cites_a_source(path: Path) -> bool:
    """Whether the docstring of a protocol module names the RFC or recommendation that it implements."""
    return bool(SOURCE.search(ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""))


def docstring_findings() -> list[str]:
    """All that the docstring check finds."""
    findings = [finding for path in sources() for finding in missing_docstrings(path)]
    protocol = [p for p in sources() if p.relative_to(ROOT).parts[0] in ("sip", "rtp") and not p.name.startswith("__")]
    findings += [f"{p.relative_to(ROOT)}:1 names no RFC or recommendation" for p in protocol if not cites_a_source(p)]
    return findings


def main() -> int:
    """Run every check; 0 when all are clean."""
    failed = []
    for name, command in COMMANDS:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        print(f"{name}: {'ok' if done.returncode == 0 else 'failed'}", flush=True)
        if done.returncode != 0:
            print((done.stdout + done.stderr)[-6000:])
            failed.append(name)
    findings = docstring_findings()
    print(f"docstrings: {'ok' if not findings else 'failed'}")
    print("\n".join(findings[:40]), end="\n" if findings else "")
    return 1 if failed or findings else 0


if __name__ == "__main__":
    sys.exit(main())
