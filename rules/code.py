"""What a Python file means: what it makes a process do, and what it imports; not how that is written and explained."""

import ast
import hashlib
from typing import NamedTuple


class Code(NamedTuple):
    """A Python file, read."""

    meaning: str
    """SHA-256 of the syntax tree, without comments, docstrings and what only type checkers read, in hexadecimal."""
    imports: frozenset[str]
    """Dotted names in its import statements, nested ones included; ``from a import b`` gives a and a.b. Relative ones
    begin with their dots."""


def read_code(source: bytes) -> Code:
    """The file with this content. One that Python cannot parse means its bytes, and imports nothing."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return Code(hashlib.sha256(source).hexdigest(), frozenset())
    _strip(tree)
    return Code(hashlib.sha256(ast.dump(tree).encode()).hexdigest(), frozenset(_imports(tree)))


def _strip(tree: ast.Module) -> None:
    """Remove what does nothing when it is executed."""
    for node in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            statements = getattr(node, field, None)
            if isinstance(statements, list):  # an expression, in lambda and in a ternary, else
                setattr(node, field, [kept for one in statements for kept in _executed(one)])


def _executed(statement: ast.stmt) -> list[ast.stmt]:
    """What is executed of a statement: nothing of a string by itself, of ``if TYPE_CHECKING`` the other branch."""
    match statement:
        case ast.Expr(value=ast.Constant(value=str())):
            return []
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return [kept for one in statement.orelse for kept in _executed(one)]
    return [statement]


def _imports(tree: ast.Module) -> set[str]:
    names = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = "." * node.level + (node.module or "")
            names.add(package)
            joint = "" if package.endswith(".") else "."
            names.update(f"{package}{joint}{alias.name}" for alias in node.names)
    return names
