"""Files that include others: what is taken over, what is refused, and where errors point."""

from pathlib import Path

from netwright.specs import LoadResult, load_spec

MAIN = """\
netwright: 1
model: m
include: {include}
dims: {{N: batch}}
inputs: {{x: {{shape: [N, 3]}}}}
layers: [{{name: a, use: b, with: {{n: 3}}}}]
outputs: {{y: a}}
"""
BLOCK = "blocks: {b: {args: {n: int}, layers: [{name: d, type: dense, units: $n * $k}]}}\n"


def written(folder: Path, include: str, **files: str) -> LoadResult:
    (folder / "spec.yaml").write_text(MAIN.format(include=include))
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return load_spec(folder / "spec.yaml")


def told(result: LoadResult) -> list[tuple[str, str, int]]:
    return [(one.code, Path(one.span.file).name, one.span.line) for one in result.diagnostics]


def test_definitions_of_included_files(tmp_path: Path) -> None:
    lib = {"lib__blocks": f"include: [values.yaml]\n{BLOCK}", "lib__values": "netwright: 1\nvars: {k: 2}\n"}
    result = written(tmp_path, "[lib/blocks.yaml, lib/values.yaml]", **lib)
    assert result.model is not None, result.diagnostics.to_text()
    assert result.model.layers[0].units == 6  # type: ignore[attr-defined]


def test_errors_point_into_the_included_file(tmp_path: Path) -> None:
    lib = "\n" + BLOCK.replace("units", "unit") + "vars: {k: 1}\n"
    result = written(tmp_path, "lib.yaml", lib=lib)
    assert told(result) == [("NW0201", "lib.yaml", 2)]
    text = result.diagnostics.to_text()
    assert "lib.yaml:2" in text
    assert "used here as a" in text
    assert "spec.yaml" in text


def test_files_that_can_not_be_included(tmp_path: Path) -> None:
    (tmp_path / "out.yaml").write_text("vars: {}\n")
    inside = tmp_path / "in"
    inside.mkdir()
    (inside / "link.yaml").symlink_to(tmp_path / "out.yaml")
    (inside / "folder").mkdir()
    for path in (
        "../out.yaml",
        str(tmp_path / "in" / "lib.yaml"),
        "link.yaml",
        "none.yaml",
        "folder",
        "a/../../out.yaml",
    ):
        result = written(inside, path, lib="vars: {}\n")
        assert told(result)[0] == ("NW0115", "spec.yaml", 3), path
        assert result.model is None
    for path in ("'C:\\x.yaml'", "~/x.yaml", '"a\\0"'):
        assert told(written(inside, path))[0][0] in ("NW0115", "NW0111"), path


def test_cycles_and_chains(tmp_path: Path) -> None:
    cycle = written(
        tmp_path, "a.yaml", a="include: b.yaml\n", b=f"include: [a.yaml]\nvars: {{k: 1}}\n{BLOCK}"
    )
    assert told(cycle) == [("NW0116", "b.yaml", 1)]
    assert "a.yaml → b.yaml → a.yaml" in cycle.diagnostics.items[0].message
    itself = written(tmp_path, "spec.yaml")
    assert ("NW0116", "spec.yaml", 3) in told(itself)
    chain = {f"c{i}": f"include: c{i + 1}.yaml\n" for i in range(40)}
    assert any(code == "NW0116" for code, *_ in told(written(tmp_path, "c0.yaml", **chain)))


def test_what_an_included_file_may_hold(tmp_path: Path) -> None:
    lib = f"layers: []\nvars: 3\n{BLOCK}netwright: 2\n"
    found = told(written(tmp_path, "lib.yaml", lib=lib))
    assert found == [("NW0201", "lib.yaml", 1), ("NW0203", "lib.yaml", 2), ("NW0209", "lib.yaml", 4)]
    twice = written(tmp_path, "[l.yaml, m.yaml]", l=f"vars: {{k: 1}}\n{BLOCK}", m="vars: {k: 2}\n")
    assert told(twice) == [("NW0301", "m.yaml", 1)]
    assert told(written(tmp_path, "l.yaml", l="[1]\n"))[0] == ("NW0203", "l.yaml", 1)
    assert told(written(tmp_path, "{a: b}"))[0] == ("NW0203", "spec.yaml", 3)
    assert told(written(tmp_path, "l.yaml", l="a: b: c\n"))[0] == ("NW0101", "l.yaml", 1)
