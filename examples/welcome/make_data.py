"""Synthesizes recordings of three seconds, half of which contain the word "welcome".

    python make_data.py

espeak-ng speaks, in many voices, speeds and pitches. A recording has four places for words, each with another word or
none, and noise. In the training data "welcome" is in the first or second place. The recordings of the set `seen` are
like them; in those of the set `new`, "welcome" is in the third or fourth place. Both sets have voices of their own.

    build/train/no/0007.wav     one of 1,200 recordings, 22,050 samples per second
    build/seen/yes/0012.wav     one of 300 with "welcome" where it was in training
    build/new/yes/0012.wav      one of 300 with "welcome" where it never was
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
PLACES, PLACE, MARGIN = 4, int(0.6 * RATE), int(0.3 * RATE)  # each place has 0.6 s, both ends 0.3 s
LANGUAGES = ["en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbcwmd", "en-029"]
TRAIN_VOICES = """
    m1 m2 m3 m5 m6 m8 f1 f2 f4 f5 Annie Andy Gene Lee Mike Hugo Jacky Marco Denis Andrea adam anika antonio belinda
    benjamin boris caleb david ed gustave iven john linda max michel miguel norbert pablo quincy robert sandro shelby
"""
TEST_VOICES = "m4 m7 f3 Alex Diogo Michael Alicia Henrique edward paul rob steph travis victor"
WORDS = """
    become well come welfare wealth outcome income volcano balcony helicopter falcon elephant window yellow water
    wonderful welder felt kingdom calcium wilderness comedy company well-known column coming overcome hello good
    morning evening goodbye tomorrow yesterday twenty nothing somebody music garden station kitchen mountain river
    village wisdom wedding weather Wellington element melody silicon pelican handsome awesome
"""


def speak(word: str, voice: str, speed: int, pitch: int) -> np.ndarray:
    """A word as espeak-ng says it, without the silence around it, at full volume: float32 [samples]."""
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", word]
    spoken = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    with wave.open(io.BytesIO(spoken)) as file:
        assert file.getparams()[:3] == (1, 2, RATE)
        sound = np.frombuffer(file.readframes(len(spoken)), "<i2").astype(np.float32)
    loud = np.flatnonzero(np.abs(sound) > 0.02 * np.abs(sound).max())
    sound = sound[loud[0] : loud[-1] + 1]
    return sound[:PLACE] / np.abs(sound).max()


def utterances(
    word_list: list[str], count: int, variants: list[str], rng: np.random.Generator
) -> list[np.ndarray]:
    """So many words of a list, each spoken by somebody."""
    asked = [
        (
            str(rng.choice(word_list)),
            f"{rng.choice(LANGUAGES)}+{rng.choice(variants)}",
            int(rng.integers(150, 210)),
            int(rng.integers(20, 80)),
        )
        for _ in range(count)
    ]
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda each: speak(*each), asked))


def recording(words: list[np.ndarray | None], rng: np.random.Generator) -> np.ndarray:
    """Three seconds of noise with a word, or none, in each place: float32 [samples]."""
    sound = np.zeros(2 * MARGIN + PLACES * PLACE, np.float32)
    for place, word in enumerate(words):
        if word is not None:
            start = MARGIN + place * PLACE + int(rng.integers(0, PLACE - len(word) + 1))
            sound[start : start + len(word)] += word * rng.uniform(0.3, 0.8)
    return sound + rng.normal(0, rng.uniform(0.001, 0.02), len(sound))


def write(path: Path, sound: np.ndarray) -> None:
    """Writes a WAV file of 16 bits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())


def make(name: str, count: int, variants: list[str], places: list[int], rng: np.random.Generator) -> None:
    """A set of recordings, half of them with "welcome" in one of the ``places``."""
    welcomes = utterances(["welcome"], count // 2, variants, rng)
    others = utterances(WORDS.split(), count, variants, rng)
    for number in range(count):
        words = [others[int(rng.integers(count))] if rng.random() < 0.6 else None for _ in range(PLACES)]
        contains = number < count // 2
        if contains:
            words[int(rng.choice(places))] = welcomes[number]
        write(FOLDER / name / ("yes" if contains else "no") / f"{number:04d}.wav", recording(words, rng))
    print(f"wrote {count:,} recordings to build/{name}", flush=True)


def main() -> None:
    if shutil.which("espeak-ng") is None:
        sys.exit("this example needs the program espeak-ng: apt-get install espeak-ng")
    rng = np.random.default_rng(0)
    make("train", 1200, TRAIN_VOICES.split(), [0, 1], rng)
    make("seen", 300, TEST_VOICES.split(), [0, 1], rng)
    make("new", 300, TEST_VOICES.split(), [2, 3], rng)


if __name__ == "__main__":
    main()
