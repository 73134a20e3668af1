"""How often each network is right about recordings with "welcome" where it was in training, and where it never was.

    python table.py

It reads the trained weights in build, and writes a table in Markdown.
"""

from pathlib import Path

import netwright

FOLDER = Path(__file__).parent
NETWORKS = {
    "MLP over the whole recording": ("mlp", "mlp"),
    "the same, trained on shifted recordings": ("mlp", "shifted"),
    "scanning MLP": ("scan", "scan"),
    "CNN": ("cnn", "cnn"),
}


def main() -> None:
    print("| network | parameters | positions as in training | positions never seen |")
    print("|---|---|---|---|")
    for title, (spec, weights) in NETWORKS.items():
        model = netwright.load(FOLDER / f"{spec}.yaml")
        program = model.compile(FOLDER / "build" / f"{weights}.safetensors", entries=["loss"])
        right = [program.evaluate(model.data()[name])["accuracy"] for name in ("seen", "new")]
        shares = " | ".join(f"{share:.1%}" for share in right)
        print(f"| {title} | {model.summary().parameters:,} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
