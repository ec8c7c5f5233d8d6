"""Reads an environment file: bounded, safe, and with line and field in every complaint."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import rfc8785
import yaml
from pydantic import ValidationError

from dalp_dr.errors import EnvironmentFileError
from dalp_dr.model.environment import Environment

LIMIT_BYTES = 256 * 1024
LIMIT_ALIASES = 50
LIMIT_DEPTH = 30


class _BoundedLoader(yaml.SafeLoader):
    """SafeLoader that refuses duplicate keys, alias bombs and absurd nesting."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.aliases = 0
        self.depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        self.aliases += isinstance(event, yaml.AliasEvent)
        if self.aliases > LIMIT_ALIASES:
            raise yaml.MarkedYAMLError(problem=f"more than {LIMIT_ALIASES} aliases", problem_mark=event.start_mark)
        self.depth += 1
        if self.depth > LIMIT_DEPTH:
            raise yaml.MarkedYAMLError(problem=f"nested deeper than {LIMIT_DEPTH}", problem_mark=event.start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a field's name must be plain text", problem_mark=key.start_mark)
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            name = self.construct_object(key, deep=True)
            if name in seen:
                raise yaml.MarkedYAMLError(problem=f"field {name!r} is given twice", problem_mark=key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


def read(path: Path) -> Environment:
    """The environment in `path`. Raises EnvironmentFileError with file, line, field and what to do."""
    return parse(_bytes(path), path.name, path.parent)


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EnvironmentFileError(
            f"{path.name}: cannot be read ({error.strerror}).", "Give the name of a file in include/environments."
        ) from error
    if len(data) > LIMIT_BYTES:
        raise EnvironmentFileError(f"{path.name}: {len(data)} bytes; at most {LIMIT_BYTES} are read.", "Split or shorten it.")
    return data


def parse(data: bytes, name: str, folder: Path | None = None) -> Environment:
    """The environment in `data`; `name` is used in messages, `folder` is where a file that it `extends` lies."""
    tree, document = _document(data, name)
    if "extends" in document:
        document = _extended(document, name, folder)
    try:
        return Environment.model_validate(document)
    except ValidationError as error:
        raise EnvironmentFileError(
            "\n".join(_complaint(name, tree, e) for e in error.errors()),
            "Correct these fields; include/environments/lab.yaml shows each of them.",
        ) from error


def _extended(document: dict[str, Any], name: str, folder: Path | None) -> dict[str, Any]:
    """The file that is extended, with what this one says put over it: mappings are merged, everything else is replaced."""
    own = {key: value for key, value in document.items() if key != "extends"}
    base = str(document["extends"])
    if folder is None or not base.endswith(".yaml") or Path(base).name != base:
        raise EnvironmentFileError(
            f"{name}:1: extends: {base!r} is not a file beside this one.", "Name it like lab.yaml, without a folder."
        )
    _, below = _document(_bytes(folder / base), base)
    if "extends" in below:
        raise EnvironmentFileError(f"{name}:1: extends: {base} extends another file itself.", "Extend that file, or copy what is needed.")
    return _over(below, own)


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    both = {k: _over(below[k], v) if isinstance(v, dict) and isinstance(below.get(k), dict) else v for k, v in above.items()}
    return {**below, **both}


def _document(data: bytes, name: str) -> tuple[yaml.Node | None, dict[str, Any]]:
    """(node tree, mapping) of a file. Raises EnvironmentFileError with the line."""
    try:
        text = data.decode("utf-8")
        tree = _BoundedLoader(text).get_single_node()
        document = _BoundedLoader(text).get_single_data()
    except UnicodeDecodeError as error:
        raise EnvironmentFileError(f"{name}: not UTF-8 at byte {error.start}.", "Save it as UTF-8.") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise EnvironmentFileError(f"{name}:{line}: {error.problem or 'not YAML'}.", "Correct that line.") from error
    except (yaml.YAMLError, ValueError) as error:
        raise EnvironmentFileError(f"{name}: not YAML ({error}).", "Correct the file.") from error
    if not isinstance(document, dict):
        raise EnvironmentFileError(f"{name}:1: not a mapping.", "Start from include/environments/lab.yaml.")
    return tree, document


def _complaint(name: str, tree: yaml.Node | None, error: Any) -> str:
    """`file:line: field: message`, for one error of pydantic."""
    where = [part for part in error["loc"]]
    line, node = 1, tree
    for part in where:
        child = _child(node, part)
        if child is None:
            break
        node = child[1]
        line = child[0]
    field = ".".join(str(part) for part in where)
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{name}:{line}: {field + ': ' if field else ''}{message}"


def _child(node: yaml.Node | None, part: int | str) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark.line + 1, node.value[part]
    return None


def digest(environment: Environment) -> str:
    """sha256 (hex) of the canonical JSON of the document, defaults included."""
    return hashlib.sha256(rfc8785.dumps(environment.model_dump(mode="json"))).hexdigest()
