"""`file.py:name` -> the lines and the code that the name stands for, found with `ast`."""

import ast
from dataclasses import dataclass
from pathlib import Path

from preprocessing.files import UserError


@dataclass(frozen=True)
class Reference:
    """A function, class, method or constant of the repository."""

    path: str
    name: str
    first: int  # line, counted from 1
    last: int
    code: str


def resolve(text, root="."):
    """Find `path:name`, such as `tf_raw/layers.py:batch_norm` or `tf_raw/adam.py:Adam.apply`.

    Raises
    ------
    UserError
        There is no such file or name: the report claims what the code no longer says.
    """
    path, _, name = text.partition(":")
    try:
        source = (Path(root) / path).read_text()
    except OSError:
        raise UserError(f"report.typ refers to {text}, but there is no file {path}: mend the reference") from None
    body = ast.parse(source).body
    for part in name.split("."):
        node = next((node for node in body if part in _names(node)), None)
        if node is None:
            raise UserError(f"report.typ refers to {text}, but {path} defines no {part}: mend the reference")
        body = getattr(node, "body", [])
    first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
    code = "\n".join(source.splitlines()[first - 1 : node.end_lineno])
    return Reference(path, name, first, node.end_lineno, code)


def _names(node):
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []
