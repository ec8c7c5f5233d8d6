"""Every complaint about an environment file says where: file, line, field."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dalp_dr.errors import EnvironmentFileError
from dalp_dr.model import environment_file
from sandbox_sample import LAB_FILE

TEXT = LAB_FILE.read_text(encoding="utf-8")
DOCUMENT = yaml.safe_load(TEXT)
LINES = TEXT.splitlines()


def complaint(data: str | bytes) -> EnvironmentFileError:
    with pytest.raises(EnvironmentFileError) as raised:
        environment_file.parse(data.encode() if isinstance(data, str) else data, "lab.yaml")
    return raised.value


def line_of(text: str, start: int = 0) -> int:
    """The number of the first line that begins so."""
    return next(n for n, line in enumerate(LINES, 1) if n > start and line.strip().startswith(text))


def test_the_labs_file_is_good_and_nothing_is_lost() -> None:
    environment = environment_file.read(LAB_FILE)
    assert environment.name == "lab"
    assert environment_file.parse(TEXT.encode(), "x") == environment


BOMB = "a: &a [x, x]\n" + "".join(f"b{i}: [{', '.join(['*a'] * 10)}]\n" for i in range(6))
SYNTAX: dict[str, tuple[str | bytes, str]] = {
    "not YAML": ("version: 1\nname: [lab\n", r"lab\.yaml:3: "),
    "a tab": ("version: 1\n\tname: lab\n", r"lab\.yaml:2: "),
    "empty": ("", r"lab\.yaml:1: not a mapping"),
    "a list": ("- version: 1\n", r"lab\.yaml:1: not a mapping"),
    "two documents": ("version: 1\n---\nversion: 1\n", r"lab\.yaml:2: "),
    "not UTF-8": (b"name: \xff\n", r"lab\.yaml: not UTF-8 at byte 6"),
    "a control character": ("name: \x00\n", r"lab\.yaml: not YAML"),
    "an alias bomb": (BOMB, r"lab\.yaml:7: more than 50 aliases"),
    "deep nesting": ("a: " + "[" * 40 + "]" * 40, r"lab\.yaml:1: nested deeper than 30"),
    "deep nesting without an end": ("a: " + "[" * 100_000, r"lab\.yaml:1: nested deeper than 30"),
    "a field twice": ("version: 1\nname: lab\nname: prod\n", r"lab\.yaml:3: field 'name' is given twice"),
    "an inner field twice": ("source:\n  backup_bucket: a\n  backup_bucket: b\n", r"lab\.yaml:3: field 'backup_bucket' is given twice"),
    "a list as a field's name": ("version: 1\n? [a]\n: b\n", r"lab\.yaml:2: a field's name must be plain text"),
    "code": ("a: !!python/object/apply:os.system [true]\n", r"lab\.yaml:1: could not determine a constructor"),
    "an alias of nothing": ("a: *b\n", r"lab\.yaml:1: found undefined alias"),
}


@pytest.mark.parametrize("case", SYNTAX)
@pytest.mark.timeout(20)
def test_syntax(case: str) -> None:
    data, pattern = SYNTAX[case]
    error = complaint(data)
    assert re.match(pattern, str(error)), str(error)
    assert error.next_step, "it says what to do next"


def test_a_bomb_below_the_limit_is_not_written_out() -> None:
    levels = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 3)}]\n" for i in range(1, 17))
    assert len(str(complaint(levels))) < 20_000


def test_too_big(tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    path.write_bytes(b"#" * (environment_file.LIMIT_BYTES + 1))
    with pytest.raises(EnvironmentFileError, match=r"big\.yaml: 262145 bytes; at most 262144 are read"):
        environment_file.read(path)


def test_not_there(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFileError, match=r"none\.yaml: cannot be read \(No such file"):
        environment_file.read(tmp_path / "none.yaml")


@given(st.text(max_size=200))
@pytest.mark.timeout(60)
def test_any_text_is_read_or_refused_and_never_crashes(text: str) -> None:
    complaint(text.encode("utf-8", "surrogatepass"))


def replaced(old: str, new: str) -> str:
    assert TEXT.count(old) >= 1, old
    return TEXT.replace(old, new, 1)


FIELDS: dict[str, tuple[str, str, int]] = {
    "an unknown field": (
        replaced("version: 1\n", "version: 1\nmood: good\n"),
        "mood: Extra inputs are not permitted",
        line_of("version") + 1,
    ),
    "a misspelt inner field": (
        replaced("      backup_max_age_hours: 26\n", "      backup_max_age: 26\n"),
        "source.namespaces.0.backup_max_age: Extra inputs",
        line_of("backup_max_age_hours"),
    ),
    "another version": (replaced("version: 1\n", "version: 2\n"), "version: Input should be 1", line_of("version")),
    "a negative age": (
        replaced("backup_max_age_hours: 26", "backup_max_age_hours: -1"),
        "source.namespaces.0.backup_max_age_hours: Input should be greater than 0",
        line_of("backup_max_age_hours"),
    ),
    "text where a number belongs": (replaced("rto_seconds: 900", "rto_seconds: soon"), "targets.rto_seconds", line_of("rto_seconds")),
    "a day that is no day": (replaced('approved_on: "2026-01-15"', "approved_on: spring"), "targets.approved_on", line_of("approved_on")),
    "approved by nobody": (replaced("approved_by: owner", 'approved_by: ""'), "targets.approved_by", line_of("approved_by")),
    "one healthy answer": (replaced("health_polls: 3", "health_polls: 1"), "health_polls", line_of("health_polls")),
    "a workload of an unknown kind": (
        replaced("workload: deployment/dalp-erpc", "workload: pod/dalp-erpc"),
        "services.0.workload",
        line_of("- {name: dalp-erpc"),
    ),
    "a port beyond the last": (replaced("port: 4000", "port: 70000"), "services.0.port", line_of("- {name: dalp-erpc")),
    "no canary": (re.sub(r"  canaries:\n(    - .*\n)+", "  canaries: []\n", TEXT), "sandbox.canaries", line_of("canaries")),
}


@pytest.mark.parametrize("case", FIELDS)
def test_a_wrong_field_is_named_with_its_line(case: str) -> None:
    text, words, line = FIELDS[case]
    assert f"lab.yaml:{line}: {words}" in str(complaint(text))


def test_all_wrong_fields_are_told_at_once() -> None:
    text = replaced("version: 1\n", "version: 2\n").replace("health_polls: 3", "health_polls: 1")
    assert len(str(complaint(text)).splitlines()) == 2


Change = Callable[[dict[str, Any]], object]
TOGETHER: dict[str, tuple[Change, str]] = {
    "two namespaces of one role": (
        lambda d: d["source"]["namespaces"][1].update(role="app"),
        "source.namespaces: names and roles must each be different",
    ),
    "a namespace twice": (
        lambda d: d["source"]["namespaces"][1].update(name="dalp"),
        "source.namespaces: names and roles must each be different",
    ),
    "a sandbox that looks like the source": (
        lambda d: d["sandbox"].update(namespace_prefix="dalp-supp-") or d["source"]["namespaces"][1].update(name="dalp-supp-ort"),
        "sandbox.namespace_prefix: source namespace dalp-supp-ort begins with it",
    ),
    "a database elsewhere": (lambda d: d["database"].update(namespace="other"), "database.namespace: other is not among"),
    "a service of an unknown role": (lambda d: d["services"][0].update(role="gone"), "services[dalp-erpc].role: gone is not the role"),
    "observability of an unknown role": (lambda d: d["observability"].update(role="gone"), "observability.role: gone is not the role"),
    "no worker": (
        lambda d: d.update(services=[s for s in d["services"] if s["serves"] != "worker"]),
        "services: no service has `serves: worker`",
    ),
    "a surface without a target": (
        lambda d: d["targets"]["rpo_seconds"].pop("observability"),
        "targets.rpo_seconds: observability has no target",
    ),
    "evidence beside the backups": (lambda d: d.update(evidence_bucket="velero"), "evidence_bucket: evidence must not share a bucket"),
    "evidence beside the archive": (lambda d: d.update(evidence_bucket="dalp-wal"), "evidence_bucket: evidence must not share a bucket"),
    "no trace to ask for": (
        lambda d: d["observability"].update(signals=[{"kind": "log", "path": "/", "contains": "x"}] * 3),
        "observability.signals: name at least one metric, one log line and one trace",
    ),
}


@pytest.mark.parametrize("case", TOGETHER)
def test_fields_that_do_not_fit_together(case: str) -> None:
    change, words = TOGETHER[case]
    document = copy.deepcopy(DOCUMENT)
    change(document)
    error = str(complaint(yaml.safe_dump(document)))
    assert error.startswith("lab.yaml:") and words in error


def test_anchors_and_merges_may_be_used() -> None:
    text = replaced("  quota: {cpu:", "  quota: &bounds {cpu:").replace("  drill_host_suffix", "  drill_host_suffix")
    merged = text.replace("sandbox:\n", "sandbox:\n  routes: {<<: {operator_namespace: cnpg-other}}\n", 1)
    assert environment_file.parse(merged.encode(), "x").sandbox.routes.operator_namespace == "cnpg-other"


def test_the_digest_is_of_the_meaning_and_not_of_the_text() -> None:
    lab = environment_file.read(LAB_FILE)
    again = environment_file.parse(yaml.safe_dump(DOCUMENT).encode(), "x")
    assert environment_file.digest(again) == environment_file.digest(lab)
    assert re.fullmatch(r"[0-9a-f]{64}", environment_file.digest(lab))
    assert environment_file.digest(lab.model_copy(update={"health_polls": 4})) != environment_file.digest(lab)


def extended(tmp_path: Path, text: str) -> Path:
    (tmp_path / "base.yaml").write_text(LAB_FILE.read_text())
    (tmp_path / "mine.yaml").write_text(text)
    return tmp_path / "mine.yaml"


def test_a_file_may_extend_another(tmp_path: Path) -> None:
    base = environment_file.read(LAB_FILE)
    found = environment_file.read(
        extended(tmp_path, "extends: base.yaml\nname: mine\nchain: {max_lag_blocks: 7}\nowners: [{user: o, name: O}]")
    )
    assert (found.name, found.chain.max_lag_blocks, found.chain.chain_id) == ("mine", 7, base.chain.chain_id), "mappings are merged"
    assert [o.user for o in found.owners] == ["o"], "lists are replaced"
    assert found.source == base.source, "the rest is the other file's"


BAD_EXTENSIONS = {
    "a folder": ("extends: ../base.yaml", "not a file beside"),
    "itself an extension": ("extends: mine.yaml", "extends another file itself"),
    "no such file": ("extends: gone.yaml", "gone.yaml: cannot be read"),
    "a wrong field over it": ("extends: base.yaml\nname: mine\nclutser: same", "mine.yaml:3: clutser"),
}


@pytest.mark.parametrize("case", BAD_EXTENSIONS)
def test_an_extension_that_cannot_be(case: str, tmp_path: Path) -> None:
    text, said = BAD_EXTENSIONS[case]
    with pytest.raises(EnvironmentFileError, match=said):
        environment_file.read(extended(tmp_path, text))
