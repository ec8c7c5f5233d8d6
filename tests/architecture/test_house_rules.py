"""Sizes, names and words of the house, over every file that Git knows or would take."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULE_LINES, DAG_LINES, EXECUTE_LINES = 400, 60, 25
SHELVES_FOR_EVERYTHING = {"utils", "util", "helpers", "helper", "common", "misc"}
LATER = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
MACHINE_PATHS = re.compile(r"(?<![\w.~}])/(?:work|root|home/\w+|Users)/")
HIDING = {"skip", "skipif", "xfail", "importorskip"}
GENERATED = {"constraints.txt"}


def files(*patterns: str) -> list[Path]:
    """Files of the project, tracked or new, without what Git ignores."""
    words = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *patterns]
    listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return sorted({ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()})


PYTHON = files("*.py")
OWN_RULES = Path(__file__)
TEXT = [f for f in files() if f.name not in GENERATED and "recorded/data" not in f.as_posix() and f != OWN_RULES]


def named(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def long_executes(source: str) -> dict[int, int]:
    """`{line: length}` of every `execute` and `execute_complete` that is too long."""
    return {
        node.lineno: length
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef)
        and node.name in {"execute", "execute_complete"}
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > EXECUTE_LINES
    }


def hidden_tests(source: str) -> list[str]:
    """Every use of a marker or call that would hide a failing test."""
    return [node.attr for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute) and node.attr in HIDING]


def bare_excepts(source: str) -> list[int]:
    """Lines of handlers that catch everything."""
    return [n.lineno for n in ast.walk(ast.parse(source)) if isinstance(n, ast.ExceptHandler) and n.type is None]


def test_modules_are_short() -> None:
    lengths = {named(f): len(f.read_text().splitlines()) for f in PYTHON}
    assert {name: lines for name, lines in lengths.items() if lines > MODULE_LINES} == {}


def test_dag_files_read_as_runbooks() -> None:
    lengths = {f.name: len(f.read_text().splitlines()) for f in (ROOT / "dags").glob("*.py")}
    assert lengths
    assert {name: lines for name, lines in lengths.items() if lines > DAG_LINES} == {}


@pytest.mark.parametrize("file", files("plugins/*.py"), ids=named)
def test_operators_are_thin(file: Path) -> None:
    assert long_executes(file.read_text()) == {}


def test_a_long_execute_is_found() -> None:
    assert long_executes("def execute(self):\n" + "    x = 1\n" * 30) == {1: 31}


def test_no_shelf_for_everything() -> None:
    assert [named(f) for f in PYTHON if f.stem in SHELVES_FOR_EVERYTHING or f.parent.name in SHELVES_FOR_EVERYTHING] == []


def test_nothing_is_left_for_later() -> None:
    found = {named(f): LATER.findall(f.read_text(errors="replace")) for f in TEXT}
    assert {name: words for name, words in found.items() if words} == {}


def test_no_test_is_hidden() -> None:
    found = {named(f): hidden_tests(f.read_text()) for f in files("tests/*.py")}
    assert {name: uses for name, uses in found.items() if uses} == {}


def test_a_hidden_test_is_found() -> None:
    source = "import pytest\n@pytest.mark.skipif(True)\ndef test_a(): pytest.skip('no')"
    assert sorted(hidden_tests(source)) == ["skip", "skipif"]


def test_no_handler_catches_everything() -> None:
    found = {named(f): bare_excepts(f.read_text()) for f in PYTHON}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_no_path_of_a_machine() -> None:
    found = {named(f): sorted(set(MACHINE_PATHS.findall(f.read_text(errors="replace")))) for f in TEXT}
    assert {name: paths for name, paths in found.items() if paths} == {}


@pytest.mark.parametrize("folder", ["include/dalp_dr", "plugins/dalp_dr_airflow", "include/dalp_dr_lab"])
def test_every_module_says_what_it_is(folder: str) -> None:
    modules = [f for f in files(f"{folder}/*.py") if f.stat().st_size]
    assert modules
    assert [named(f) for f in modules if not ast.get_docstring(ast.parse(f.read_text()))] == []
