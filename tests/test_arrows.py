"""Which part may import which: the table is the rule, and imports inside functions count too (`docs/design.md`)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "d365setup"

MAY_IMPORT: dict[str, set[str]] = {
    "model": set(),
    "errors": {"model"},
    "outcome": {"model"},
    "scope": {"model"},
    "conditions": set(),
    "ruleset": {"conditions"},
    "kinds": {"model", "scope", "conditions", "ruleset"},
    "playbook": {"model", "errors", "conditions"},
    "center": {"model", "ruleset"},
    "pages": set(),
    "survey": {"model", "errors", "center", "ruleset", "dataverse"},
    "routing": {"center", "conditions", "ruleset"},
    "audit": {"model", "center", "conditions", "ruleset", "routing", "pages", "playbook", "kinds"},
    "waivers": {"model", "errors", "audit", "pages", "playbook"},
    "needs": {"model"},
    "starting": {"errors"},
    "comparing": {"model", "center", "conditions", "ruleset"},
    "against": {
        "model", "scope", "errors", "dataverse", "kinds", "live", "plan", "session", "playbook", "journal", "survey",
    },
    "doctor": {"needs"},
    "evidence": {"errors"},
    "healthbot": {
        "dataverse", "model", "outcome", "scope", "errors", "playbook", "audit", "journal", "center", "conditions",
        "kinds", "routing",
    },
    "fleet": {"model", "errors", "dataverse", "playbook"},
    "exporting": {
        "model", "errors", "center", "conditions", "dataverse", "kinds", "playbook", "ruleset", "survey",
    },
    "report": {
        "comparing",
        "fleet", "evidence", "healthbot", "model", "outcome", "errors", "doctor", "journal", "center", "audit", "pages",
        "proof", "routing", "conditions", "ruleset",
    },
    "proof": {"model", "routing"},
    "proving": {"center", "playbook", "proof", "routing"},
    "intended": {"model", "scope", "center", "kinds", "plan", "playbook", "ruleset"},
    "journal": {"model", "outcome", "errors"},
    "undo": {"model", "journal"},
    "saved": {"model", "errors", "plan"},
    "lease": {"errors"},
    "dataverse": set(),
    "emulator": set(),
    "plan": {"model", "scope", "errors"},
    "staging": {"model"},
    "live": {"model", "errors", "kinds", "dataverse"},
    "apply": {
        "model", "outcome", "scope", "errors", "plan", "live", "staging", "kinds", "dataverse", "journal", "undo",
    },
    "beside": {"model", "outcome", "plan", "apply", "dataverse", "journal"},
    "bringing": {"model", "outcome", "errors", "plan", "apply", "healthbot", "dataverse", "journal"},
    "importing": {"model", "outcome", "apply", "bringing", "healthbot", "journal", "session"},
    "session": {
        "model", "outcome", "scope", "errors", "plan", "live", "apply", "beside", "kinds", "playbook", "dataverse",
        "journal",
    },
    "rollback": {"model", "outcome", "errors", "live", "apply", "beside", "dataverse", "journal", "undo", "session"},
    "cli": {
        "model", "outcome", "errors", "session", "apply", "plan", "live", "kinds", "playbook", "report", "dataverse",
        "emulator", "doctor", "needs", "journal", "rollback", "saved", "lease", "evidence", "audit", "pages", "survey",
        "waivers", "center", "intended", "proof", "proving", "routing", "healthbot", "beside", "bringing", "importing",
        "starting", "comparing", "fleet", "exporting", "against",
    },
    "__main__": {"cli"},
    "__init__": set(),
}  # fmt: skip


def parts() -> list[str]:
    return sorted(
        path.stem if path.is_file() else path.name
        for path in PACKAGE.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    )


def imports(part: str) -> Iterator[tuple[str, str]]:
    """Each part of ours that a file of this part imports, with the file."""
    root = PACKAGE / part
    for file in sorted(root.rglob("*.py")) if root.is_dir() else [root.with_suffix(".py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            for name in _modules(node, file):
                pieces = name.split(".")
                if pieces[0] == "d365setup" and len(pieces) > 1:
                    yield pieces[1], file.relative_to(PACKAGE.parent).as_posix()


def _modules(node: ast.AST, file: Path) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            package = file.relative_to(PACKAGE.parent).with_suffix("").parts[: -node.level]
            base = ".".join((*package, *base.split("."))) if base else ".".join(package)
        names = [f"{base}.{alias.name}" for alias in node.names]
        return names if base == "d365setup" else [base]
    return []


def test_every_part_is_in_the_table() -> None:
    assert parts() == sorted(MAY_IMPORT)


@pytest.mark.parametrize("part", parts())
def test_arrows(part: str) -> None:
    allowed = MAY_IMPORT[part] | {part, "__version__"}
    wrong = {f"{file} imports {other}" for other, file in imports(part) if other not in allowed}
    assert not wrong


def test_the_table_has_no_circle() -> None:
    done: set[str] = set()
    while len(done) < len(MAY_IMPORT):
        free = {part for part, needs in MAY_IMPORT.items() if part not in done and needs <= done}
        assert free, f"a circle among {sorted(set(MAY_IMPORT) - done)}"
        done |= free


def test_it_sees_an_arrow_inside_a_function(tmp_path: Path) -> None:
    file = PACKAGE / "emulator" / "core.py"
    inside = ["from d365setup.kinds import base", "from ..model import Spec", "import d365setup.plan"]
    tree = ast.parse("def f():\n" + "".join(f"    {line}\n" for line in inside))
    found = [name for node in ast.walk(tree) for name in _modules(node, file)]
    assert found == ["d365setup.kinds", "d365setup.model", "d365setup.plan"]
