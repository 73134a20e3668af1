"""Runs an example from the data to the executable: the commands of its README, one after the other.

    python examples/run.py mnist

The commands are those of the README's blocks `sh` that a comment above marks as `example`. They run in the example's
folder, with the programs of the Python that runs this file. All that they make is in the folder `build`, which is
emptied first. The first command that fails ends the run.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent
BLOCK = re.compile(r"^<!-- example -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(name: str) -> list[str]:
    """The commands of an example, in order; one that ends in a backslash goes on in the next line."""
    readme = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
    return [
        line for block in BLOCK.findall(readme) for line in block.replace("\\\n", "").splitlines() if line
    ]


def main() -> int:
    names = sorted(
        readme.parent.name for readme in EXAMPLES.glob("*/README.md") if commands(readme.parent.name)
    )
    if len(sys.argv) != 2 or sys.argv[1] not in names:
        print(f"usage: python {sys.argv[0]} NAME\n\nNAME is one of {', '.join(names)}.", file=sys.stderr)
        return 2
    folder = EXAMPLES / sys.argv[1]
    shutil.rmtree(folder / "build", ignore_errors=True)
    environment = dict(os.environ, PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for command in commands(sys.argv[1]):
        print(f"$ {command}", flush=True)
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", command], cwd=folder, env=environment)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
