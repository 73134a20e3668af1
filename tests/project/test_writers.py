"""One place writes files: whatever else could write one is looked for in the sources."""

import ast
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[2]
FOLDERS = ("api", "specs", "compiler", "runtime")
#: The places (files that grow have one of their own), and a debugging aid that adds lines to a table.
ALLOWED = {"specs/files.py": None, "specs/appending.py": None, "compiler/observers.py": {"open"}}
METHODS = {
    *(
        "write_text",
        "write_bytes",
        "rename",
        "renames",
        "replace",
        "mkstemp",
        "mkdtemp",
        "NamedTemporaryFile",
    ),
    *("TemporaryFile", "TemporaryDirectory", "copy", "copy2", "copyfile", "copytree", "move", "save_file"),
    *(
        "savez",
        "savez_compressed",
        "save",
        "savetxt",
        "tofile",
        "dump",
        "truncate",
        "symlink_to",
        "hardlink_to",
    ),
    *("touch", "export_html", "save_html", "save_svg", "save_text", "FileIO", "memmap", "open_memmap"),
}
#: Whose functions those are.
MODULES = {"os", "shutil", "tempfile", "np", "onnx", "json", "yaml", "pickle", "io", "safetensors"}


def writers(path: Path) -> Iterator[tuple[str, int]]:
    """Calls that could write a file: `open` for writing, and what libraries have for it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        owner = (
            called.value.id
            if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name)
            else ""
        )
        if name in ("open", "fdopen") and owner != "archive":  # a member of an archive is no file
            texts = [
                argument.value
                for argument in (*node.args, *(keyword.value for keyword in node.keywords))
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            ]
            if any(set(text) <= set("rwaxbt+") and set(text) & set("wax+") for text in texts):
                yield name, node.lineno
        elif name == "ZipFile" and len(node.args) > 1 and not isinstance(node.args[0], ast.Name):
            yield name, node.lineno
        elif name in METHODS and isinstance(called, ast.Attribute):
            if name in ("write_text", "write_bytes", "tofile", "savez", "mkstemp", "NamedTemporaryFile"):
                yield name, node.lineno
            elif owner in MODULES:
                yield f"{owner}.{name}", node.lineno


def test_files_are_written_in_one_place() -> None:
    found = []
    for folder in FOLDERS:
        for path in sorted((PROJECT / folder).rglob("*.py")):
            name = path.relative_to(PROJECT).as_posix()
            allowed = ALLOWED.get(name, set())
            found += [
                f"{name}:{line} calls {call}"
                for call, line in writers(path)
                if allowed is not None and call not in allowed
            ]
    assert not found, "\n".join(["netwright.specs.files.write_file writes files:", *found])


def test_the_search_finds_what_writes(tmp_path: Path) -> None:
    source = tmp_path / "source.py"
    lines = [
        "open(path, 'w')",
        "path.open('ab')",
        "open(path, mode='x')",
        "path.write_text('')",
        "os.replace(a, b)",
        "shutil.copy(a, b)",
        "np.savez(path)",
        "zipfile.ZipFile(path / 'x', 'w')",
        "json.dump(value, file)",
        "tempfile.mkstemp()",
    ]
    source.write_text("\n".join(lines), encoding="utf-8")
    assert [line for _, line in writers(source)] == list(range(1, len(lines) + 1))
    source.write_text("open(path)\nopen(path, 'rb')\ntext.replace('w', 'a')\n", encoding="utf-8")
    assert list(writers(source)) == []
