"""Synthesizes recordings of spoken numbers, digit by digit, and writes down what is said in them.

    python make_data.py

espeak-ng speaks, in many voices, speeds and pitches; noise is added. Nobody who speaks in the training data speaks in
the held-out recordings.

    build/train/0007.wav     one of 2,400 recordings, 22,050 samples per second
    build/train.tsv          a line per recording: 0007.wav, a tab, 30718
    build/valid/…            150 recordings by other voices, and build/valid.tsv
"""

import io
import shutil
import subprocess
import sys
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "build"
RATE = 22_050
LANGUAGES = ["en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbcwmd", "en-029"]
TRAIN_VOICES = """
    m1 m2 m3 m5 m6 m8 f1 f2 f4 f5 Annie Andy Gene Lee Mike Hugo Jacky Marco Mario Denis Andrea Nguyen adam anika antonio
    aunty belinda benjamin boris caleb croak david ed edward2 fast grandma grandpa gustave iven iven2 john kaukovalta
    klatt klatt2 klatt4 linda marcelo max michel miguel norbert pablo pedro quincy robert sandro shelby steph2 zac
"""
VALID_VOICES = "m4 m7 f3 Alex Diogo Michael Alicia Henrique edward paul rob steph travis victor"


def speak(number: str, voice: str, speed: int, pitch: int) -> np.ndarray:
    """The digits of a number as espeak-ng says them, one by one, with noise: float32 [samples]."""
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", " ".join(number)]
    spoken = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    with wave.open(io.BytesIO(spoken)) as file:
        assert file.getparams()[:3] == (1, 2, RATE)
        sound = np.frombuffer(file.readframes(len(spoken)), "<i2").astype(np.float32)
    return sound / np.abs(sound).max()


def write(path: Path, sound: np.ndarray) -> None:
    """Writes a WAV file of 16 bits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())


def make(name: str, count: int, variants: list[str], rng: np.random.Generator) -> None:
    """A set of recordings of numbers with two to five digits."""
    numbers = ["".join(map(str, rng.integers(0, 10, rng.integers(2, 6)))) for _ in range(count)]
    asked = [
        (
            number,
            f"{rng.choice(LANGUAGES)}+{rng.choice(variants)}",
            int(rng.integers(150, 210)),
            int(rng.integers(20, 80)),
        )
        for number in numbers
    ]
    with ThreadPoolExecutor(2) as pool:
        for row, sound in enumerate(pool.map(lambda each: speak(*each), asked)):
            noise = rng.normal(0, rng.uniform(0.001, 0.01), len(sound))
            write(FOLDER / name / f"{row:04d}.wav", sound * rng.uniform(0.3, 0.9) + noise)
    lines = [f"{row:04d}.wav\t{number}\n" for row, number in enumerate(numbers)]
    (FOLDER / f"{name}.tsv").write_text("".join(lines), encoding="utf-8")
    print(
        f"wrote {count:,} recordings to build/{name}, and what is said in them to build/{name}.tsv",
        flush=True,
    )


def main() -> None:
    if shutil.which("espeak-ng") is None:
        sys.exit("this example needs the program espeak-ng: apt-get install espeak-ng")
    rng = np.random.default_rng(0)
    make("train", 2400, TRAIN_VOICES.split(), rng)
    make("valid", 150, VALID_VOICES.split(), rng)


if __name__ == "__main__":
    main()
