"""What the source of a package says: which modules it has, and what each of them imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

APART = "emulator"
"""The local server: a program of its own, which is counted for itself."""


@dataclass(frozen=True, slots=True)
class Import:
    """One import statement's target: a module of the package without the package's name, or another's top name."""

    target: str
    is_own: bool
    is_relative: bool
    line: int
    only_for_types: bool
    inside_function: bool


@dataclass(frozen=True)
class Package:
    """A package in a folder. Its modules are named without it; "" is its own ``__init__``."""

    root: Path

    @classmethod
    def at(cls, path: Path) -> Package:
        """Return the package that a folder is, or the one of this project in a checkout. Raises ValueError."""
        for root in (path.resolve(), path.resolve() / "airflow_provider_oss"):
            if (root / "__init__.py").exists():
                return cls(root)
        raise ValueError(f"{path} is neither a package nor a checkout of this project")

    @property
    def name(self) -> str:
        """The package's name."""
        return self.root.name

    @cached_property
    def modules(self) -> tuple[str, ...]:
        """All modules."""
        paths = (path.relative_to(self.root).with_suffix("") for path in sorted(self.root.rglob("*.py")))
        return tuple(".".join(path.parts).removesuffix("__init__").rstrip(".") for path in paths)

    def path_of(self, module: str) -> Path:
        """Return the file of a module."""
        path = self.root.joinpath(*module.split(".")) if module else self.root
        return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")

    def tree_of(self, module: str) -> ast.Module:
        """Return a module's syntax tree."""
        return ast.parse(self.path_of(module).read_text("utf-8"))

    def imports(self, module: str) -> Iterator[Import]:
        """Yield every import of a module, in functions and under ``TYPE_CHECKING`` too."""
        yield from self._walk(module, self.tree_of(module), only_for_types=False, inside_function=False)

    def chain(self) -> list[str]:
        """
        Return the longest chain of modules in which each imports the next, in functions too, the local server apart.

        Where modules import each other in a circle the chain ends.
        """
        modules = [module for module in self.modules if part_of(module) != APART]
        known: dict[str, list[str]] = {}

        def below(module: str, above: tuple[str, ...]) -> list[str]:
            if module in above:
                return []
            if module not in known:
                chains = (below(target, (*above, module)) for target in sorted(targets[module]))
                known[module] = [module, *max(chains, key=len, default=[])]
            return known[module]

        targets = {
            module: {
                found.target
                for found in self.imports(module)
                if found.is_own and not found.only_for_types and found.target in modules
            }
            - {module}
            for module in modules
        }
        return max((below(module, ()) for module in modules), key=len)

    def _walk(self, module: str, node: ast.AST, *, only_for_types: bool, inside_function: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import | ast.ImportFrom):
                is_relative = isinstance(child, ast.ImportFrom) and child.level > 0
                for name in self._names(module, child):
                    is_own = name == self.name or name.startswith(f"{self.name}.")
                    target = name.removeprefix(self.name).lstrip(".") if is_own else name.split(".")[0]
                    yield Import(target, is_own, is_relative, child.lineno, only_for_types, inside_function)
            yield from self._walk(
                module,
                child,
                only_for_types=only_for_types or _is_for_types(child),
                inside_function=inside_function or isinstance(child, _FUNCTIONS),
            )

    def _names(self, module: str, node: ast.Import | ast.ImportFrom) -> list[str]:
        if isinstance(node, ast.Import):
            return [alias.name for alias in node.names]
        source = ".".join([*self._package_of(module, node.level), *([node.module] if node.module else [])])
        # What is imported from a package may be a module of it
        full = (f"{source}.{alias.name}" for alias in node.names)
        return list(dict.fromkeys(name if name in self._full_names else source for name in full))

    def _package_of(self, module: str, level: int) -> list[str]:
        """Return what so many dots stand for in a module."""
        parts = [self.name, *module.split(".")] if module else [self.name]
        is_package = self.path_of(module).name == "__init__.py"
        return parts[: len(parts) - level + is_package] if level else []

    @cached_property
    def _full_names(self) -> frozenset[str]:
        return frozenset(f"{self.name}.{module}" for module in self.modules if module)


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def part_of(module: str) -> str:
    """Return the part of the package that a module belongs to: the first of its name."""
    return module.split(".", maxsplit=1)[0]
