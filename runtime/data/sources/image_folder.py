"""`type: images`: a folder of images by class, or images to predict for, read by Pillow."""

from __future__ import annotations

from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.specs.files import open_regular
from netwright.specs.manifest import BufferInfo
from netwright.specs.models.data import ImagesData

from ...arrays.binding import parse_shape
from ...errors import DataError
from ..extras import need
from ..input_files import list_files
from ..inputs import Inputs, samples_in_files
from ..samples import Header
from ..wanted import Wanted
from .folders import FolderSamples, Listing, list_folder

#: Formats that are data alone: Pillow hands some others to programs.
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".pgm", ".ppm", ".tif", ".tiff", ".webp")
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
#: Pillow's modes of 8 bits per channel, which its conversions keep apart from others.
_BYTES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV"}


def open_set(spec: ImagesData, folder: Path, wanted: Wanted) -> ImageSamples:
    """Lists a folder of images, and reads one. Raises DataError."""
    path = folder / spec.path
    need("PIL.Image", path)
    input = wanted.input(spec.input, (3, 4), path)
    target = wanted.target(spec.target, path)
    listing = list_folder(path, wanted, target, SUFFIXES)
    return ImageSamples(listing, ImageReader(spec, input, path))


def read_inputs(spec: ImagesData, paths: Sequence[Path], wanted: Wanted, size: int) -> Inputs:
    """Images, and folders of images, to predict for. Raises DataError if there is no input that they fill, and for
    other paths.
    """
    need("PIL.Image", spec.path)
    reader = ImageReader(spec, wanted.input(spec.input, (3, 4), spec.path), spec.path)
    files = list_files(paths, SUFFIXES, "image")
    return samples_in_files(files, lambda file: {reader.name: reader.read(file)}, wanted, size)


class ImageSamples(FolderSamples):
    """Images as uint8 ``[samples, rows, columns, channels]``, without the last axis if the input has none."""

    def __init__(self, listing: Listing, reader: ImageReader):
        self._reader, self._first = reader, listing.files[0]
        image = reader.read(self._first)
        self._size = image.shape[:2]
        super().__init__(listing, reader.name, Header(image.shape, image.dtype))

    def read_file(self, path: Path, names: Container[str]) -> dict[str, NDArray]:
        image = self._reader.decode(path)
        if image.shape[:2] != self._size:
            (rows, columns), (first, second) = image.shape[:2], self._size
            raise DataError(
                f"{path} is {rows}×{columns}, {self._first.name} is {first}×{second}; resize makes them equal"
            )
        return {self._reader.name: image}


class ImageReader:
    """Reads images as the input ``name`` takes them. Raises DataError, beginning with ``where``, if it can't."""

    def __init__(self, spec: ImagesData, input: BufferInfo, where: object):
        sizes = parse_shape(input)
        channels = sizes[3] if len(sizes) == 4 else 1
        if not isinstance(channels, int) or channels not in _MODES:
            raise DataError(f"{where}: images have 1, 3 or 4 channels, {input.name} has {channels}")
        self.name = input.name
        self._mode, self._flat = _MODES[channels], len(sizes) == 3
        self._fixed = tuple(size for size in sizes[1:3] if isinstance(size, int))
        self._resize = spec.resize

    def read(self, path: Path) -> NDArray[np.uint8]:
        """The image in a file ``[rows, columns, channels]``. Raises DataError, also for one of another size than the
        input takes.
        """
        image = self.decode(path)
        if len(self._fixed) == 2 and image.shape[:2] != self._fixed:
            rows, columns = image.shape[:2]
            raise DataError(f"{path} is {rows}×{columns}, {self.name} takes {self._hint()}")
        return image

    def decode(self, path: Path) -> NDArray[np.uint8]:
        """As ``read``, of any size."""
        pillow, ops = need("PIL.Image", path), need("PIL.ImageOps", path)
        try:
            with open_regular(path) as file, pillow.open(file, formats=_FORMATS) as image:
                if image.mode not in _BYTES:
                    raise DataError(f"{path} has {_depth(image)}; only images of 8 bits per channel are read")
                upright = ops.exif_transpose(image).convert(self._mode)
                if self._resize is not None:
                    rows, columns = self._resize
                    upright = upright.resize((columns, rows), pillow.Resampling.BILINEAR)
                array = np.asarray(upright)
        except DataError:
            raise
        except OSError as error:
            raise DataError(f"{path}: {error.strerror or _reason(error)}") from error
        except Exception as error:  # damaged files make Pillow's decoders raise many kinds
            raise DataError(f"{path}: not a readable image: {error}") from error
        return array if self._flat or array.ndim == 3 else array[:, :, None]

    def _hint(self) -> str:
        rows, columns = self._fixed
        resize = f"resize: [{rows}, {columns}]"
        return (
            f"{rows}×{columns}" if self._resize is not None else f"{rows}×{columns}; {resize} makes them fit"
        )


def _depth(image: Any) -> str:
    return "floats" if image.mode == "F" else "16 or 32 bits per channel"


def _reason(error: OSError) -> str:
    # Pillow's message holds the address of the file object.
    text = str(error)
    return "not a readable image" if text.startswith("cannot identify") else f"not a readable image: {text}"
