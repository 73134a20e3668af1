"""The law between the folders, read from the sources with `ast`: who may import whom, where, and when."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import networkx as nx
import pytest

PROJECT = Path(__file__).parents[2]
FOLDERS = {
    "netwright.specs": "specs",
    "netwright.compiler": "compiler",
    "netwright.runtime": "runtime",
    "netwright": "api",
}
MAY_IMPORT = {
    "netwright.specs": set(),
    "netwright.compiler": {"netwright.specs"},
    "netwright.runtime": {"netwright.specs"},
    "netwright": {"netwright.specs", "netwright.compiler", "netwright.runtime"},
}
ONLY_IN = {
    "networkx": ("netwright.compiler.graph",),
    "llvmlite": ("netwright.compiler.codegen",),
    "click": ("netwright",),
}
OPTIONAL = {
    "google",
    "httptools",
    "lsprotocol",
    "matplotlib",
    "mpi4py",
    "onnx",
    "orjson",
    "prometheus_client",
    "pygls",
    "sklearn",
    "torch",
    "uvicorn",
    "wasmtime",
    "ziglang",
}
AT_HOME = {  # packages that are nothing without them
    "google": "netwright.onnx",
    "httptools": "netwright.serving",
    "lsprotocol": "netwright.lsp",
    "onnx": "netwright.onnx",
    "orjson": "netwright.serving",
    "prometheus_client": "netwright.serving",
    "pygls": "netwright.lsp",
    "sklearn": "netwright.sklearn",
    "uvicorn": "netwright.serving",
}
LAZY = (
    "netwright",  # the front door: `import netwright` and each command load what they need
    "netwright.cli",
    "netwright.compiler.graph.graph",  # networkx, for those who ask for its graph: compiling does not need it
)
CODE_FROM_DATA = {"dill", "marshal", "pickle", "shelve"}


@dataclass(frozen=True)
class Import:
    """One imported name: `target` is the module, or the module and the name taken from it."""

    module: str
    package: str
    target: str
    relative: bool
    local: bool
    types_only: bool
    line: int

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


@cache
def modules() -> dict[str, Path]:
    """Every module of ours by its import name."""
    found = {}
    for root, folder in FOLDERS.items():
        for path in sorted((PROJECT / folder).rglob("*.py")):
            parts = path.relative_to(PROJECT / folder).with_suffix("").parts
            found[".".join([root, *(part for part in parts if part != "__init__")])] = path
    return found


def home(name: str) -> str | None:
    """The root of the law's table that a dotted name belongs to; None when it is not ours."""
    return next((root for root in FOLDERS if within(name, root)), None)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


Found = tuple[ast.Import | ast.ImportFrom, bool, bool]
#: What has statements in it.
BRANCHES = ast.stmt | ast.ExceptHandler | ast.match_case


def statements(node: ast.AST, local: bool = False, types_only: bool = False) -> Iterator[Found]:
    """Every import below `node`: whether it stands in a function, and whether it is for type checkers alone."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, local, types_only
        if not isinstance(child, BRANCHES):
            continue  # an expression holds no imports, and most nodes are in expressions
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        checking = isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING")
        yield from statements(child, local or inside, types_only or checking)


@cache
def imports() -> list[Import]:
    found = []
    for module, path in modules().items():
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        for node, local, types_only in statements(tree(path)):
            relative = isinstance(node, ast.ImportFrom) and node.level > 0
            for target in targets(node, package):
                found.append(Import(module, package, target, relative, local, types_only, node.lineno))
    return found


def targets(node: ast.Import | ast.ImportFrom, package: str) -> list[str]:
    """The dotted names an import statement in a module of `package` asks for."""
    if isinstance(node, ast.Import):
        return [name.name for name in node.names]
    base = node.module or ""
    if node.level:
        above = package.split(".")[: len(package.split(".")) - node.level + 1]
        base = ".".join([*above, *([node.module] if node.module else [])])
    return [base if name.name == "*" else f"{base}.{name.name}" for name in node.names]


def imported_module(target: str) -> str | None:
    """The module of ours behind `package.name`: `name` may be a module, or defined in `package`."""
    if target in modules():
        return target
    parent = target.rpartition(".")[0]
    return parent if parent in modules() else None


def needed(*, annotations: bool) -> dict[str, set[str]]:
    """The modules that each module imports, with or without those for names in annotations alone; what the front door
    imports when it is used does not count."""
    found: dict[str, set[str]] = {module: set() for module in modules()}
    for one in imports():
        target = imported_module(one.target)
        deferred = (one.types_only and not annotations) or (one.local and one.module in LAZY)
        if target is not None and target != one.module and not deferred:
            found[one.module].add(target)
    return found


def listed(broken: list[Import]) -> str:
    return "\n".join(map(str, broken))


def test_folders_import_only_what_the_table_allows() -> None:
    broken = []
    for found in imports():
        source, target = home(found.module), home(found.target)
        assert source is not None
        if target is not None and target != source and target not in MAY_IMPORT[source]:
            broken.append(found)
    assert not broken, listed(broken)


def test_imports_of_ours_name_something_that_exists() -> None:
    broken = [found for found in imports() if home(found.target) and imported_module(found.target) is None]
    assert not broken, listed(broken)


def test_relative_inside_a_package_absolute_across() -> None:
    broken = [
        found
        for found in imports()
        if home(found.target) is not None and (home(found.module) == home(found.target)) != found.relative
    ]
    assert not broken, listed(broken)


def test_lowering_names_no_operation() -> None:
    """It asks the primitive: a new operation is one file, whatever lowering has to know of it. `scan` alone has a graph
    inside, which the schedule loops over; `copy` is what it adds itself."""
    lowering = [module for module in modules() if within(module, "netwright.compiler.lowering")]
    known = {f"netwright.compiler.ops.{name}" for name in ("base", "protocols", "scans.scan_attributes")}
    broken = [
        one
        for one in imports()
        if one.module in lowering
        and within(one.target, "netwright.compiler.ops")
        and imported_module(one.target) not in known
    ]
    assert not broken, listed(broken)
    named = [
        f"{module}:{node.lineno} {ast.unparse(node)}"
        for module in lowering
        for node in ast.walk(tree(modules()[module]))
        if isinstance(node, ast.Compare)
        and isinstance(node.left, ast.Attribute)
        and node.left.attr == "op"
        and ast.unparse(node.comparators[0]) != "'input'"
        and not isinstance(node.ops[0], ast.Is)
    ]
    assert not named, "\n".join(named)


def test_no_cycles() -> None:
    """No module needs, to be loaded, one that needs it. (Names in annotations alone are not needed for that.)"""
    remaining = needed(annotations=False)
    while leaves := [module for module, targets in remaining.items() if not targets & remaining.keys()]:
        for module in leaves:
            del remaining[module]
    knot = {module: sorted(targets & remaining.keys()) for module, targets in remaining.items()}
    assert not knot, "\n".join(f"{module} -> {', '.join(targets)}" for module, targets in knot.items())


def test_knots_are_small_when_names_in_annotations_count() -> None:
    """Modules that name each other's types are read together: never more than three."""
    graph = nx.DiGraph(needed(annotations=True))
    large = [sorted(knot) for knot in nx.strongly_connected_components(graph) if len(knot) > 3]
    assert not large, "\n".join(map(", ".join, large))


def room(module: str) -> str:
    """The folder or file that a module is in, below the four folders: `netwright.compiler.passes`."""
    root = home(module)
    assert root is not None
    return ".".join(module.split(".")[: root.count(".") + 2])


def test_rooms_form_no_circle() -> None:
    """A folder stands above all that it uses, also within the four: names in annotations and what is imported where it
    is used count as well. The front door's table of names, which points everywhere, is no room."""
    graph = nx.DiGraph()
    examples: dict[tuple[str, str], Import] = {}
    for one in imports():
        target = imported_module(one.target)
        if target is not None and not {one.module, target} & set(FOLDERS):
            way = room(one.module), room(target)
            graph.add_edge(*way)
            examples.setdefault(way, one)
    graph.remove_edges_from(list(nx.selfloop_edges(graph)))
    broken = [
        str(examples[way])
        for knot in nx.strongly_connected_components(graph)
        for way in graph.subgraph(knot).edges
    ]
    assert not broken, "\n".join(broken)


def test_imports_stand_at_the_top() -> None:
    broken = [
        found
        for found in imports()
        if found.local
        and found.target.split(".")[0] not in OPTIONAL
        and not (found.module in LAZY or within(found.module, "netwright.cli"))
    ]
    assert not broken, listed(broken)


def test_optional_packages_are_imported_where_they_are_needed() -> None:
    broken = [
        found
        for found in imports()
        if (name := found.target.split(".")[0]) in OPTIONAL
        and not found.local
        and not (name in AT_HOME and within(found.module, AT_HOME[name]))
    ]
    assert not broken, listed(broken)


def test_each_heavy_package_has_one_home() -> None:
    broken = []
    for found in imports():
        homes = ONLY_IN.get(found.target.split(".")[0])
        if homes is None:
            continue
        # "netwright" as a home is the front door alone, not the folders below it.
        if not any(
            within(found.module, place) and (place not in FOLDERS or home(found.module) == place)
            for place in homes
        ):
            broken.append(found)
    assert not broken, listed(broken)


def test_every_package_imported_is_declared() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    import_names = {"pyyaml": {"yaml"}, "pydantic": {"pydantic", "pydantic_core"}}
    declared = {line.split(">")[0] for line in project["dependencies"]}
    imported = {name for package in declared for name in import_names.get(package, {package})}
    allowed = imported | OPTIONAL | set(sys.stdlib_module_names) | {"netwright"}
    broken = [found for found in imports() if found.target.split(".")[0] not in allowed]
    assert not broken, listed(broken)


def test_data_never_becomes_code() -> None:
    """A spec or a weights file must never run code: no eval, no exec, no pickle, no unsafe YAML."""
    broken = [str(found) for found in imports() if found.target.split(".")[0] in CODE_FROM_DATA]
    for module, path in modules().items():
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func) if isinstance(node.func, ast.Name | ast.Attribute) else ""
            unpickles = any(
                argument.arg == "allow_pickle"
                and not (isinstance(argument.value, ast.Constant) and not argument.value.value)
                for argument in node.keywords
            )
            if called in {"eval", "exec", "yaml.load", "yaml.unsafe_load", "yaml.full_load"} or unpickles:
                broken.append(f"{module}:{node.lineno} calls {called}")
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize(
    ("package", "banned"),
    [
        ("netwright", {"llvmlite", "networkx", "numpy", "pydantic", "yaml", "click", "rich"}),
        ("netwright.specs", {"llvmlite", "networkx", "click"}),
        ("netwright.runtime", {"llvmlite", "networkx", "click"}),
    ],
)
def test_light_packages_load_nothing_heavy(package: str, banned: set[str]) -> None:
    """What really happens at run time: `netwright` alone is lazy, the others load all their modules."""
    names = [package] if package == "netwright" else [name for name in modules() if within(name, package)]
    program = (
        f"import sys, {', '.join(names)}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not banned & set(done.stdout.split())
