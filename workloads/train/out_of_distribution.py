"""Make the out-of-distribution images of `digits` and `fashion_mnist` from each other's test images.

    python out_of_distribution.py

Clothes for the digits: the first 200 test images of Fashion-MNIST get a margin of two black pixels, 32 x 32; a pixel of
8 x 8 is the mean of a block of 4 x 4, in sixteenths of white, rounded half up. Digits for Fashion-MNIST: the first 200
test digits the other way round, each pixel a block of 4 x 4, 255/16 per count, rounded half up, without the outer two pixels.
Needs nothing beside Python.
"""

import json
import struct
from pathlib import Path

COUNT = 200
WORKLOADS = Path(__file__).resolve().parent.parent


def read(path):
    """The tensor `images` of a safetensors file as its shape and bytes."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    about = json.loads(data[8 : 8 + length])["images"]
    start, end = about["data_offsets"]
    return about["shape"], data[8 + length :][start:end]


def write(path, side, pixels, source):
    about = {
        "__metadata__": {"attribution": source},
        "images": {"dtype": "U8", "shape": [COUNT, 1, side, side], "data_offsets": [0, len(pixels)]},
    }
    header = json.dumps(about, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    path.write_bytes(struct.pack("<Q", len(header)) + header + pixels)


def to_digits(image):
    def at(y, x):
        return image[28 * y + x] if 0 <= y < 28 and 0 <= x < 28 else 0

    sums = (
        sum(at(4 * r + y - 2, 4 * c + x - 2) for y in range(4) for x in range(4)) for r in range(8) for c in range(8)
    )
    # Of 16 * 255 the sum is code / 16.
    return bytes((2 * total + 255) // 510 for total in sums)


def to_fashion(image):
    codes = (image[8 * ((y + 2) // 4) + (x + 2) // 4] for y in range(28) for x in range(28))
    return bytes((255 * code + 8) // 16 for code in codes)


def main():
    for source, target, side, make, attribution in [
        ("fashion_mnist", "digits", 8, to_digits, "Fashion-MNIST, Zalando SE, MIT License, scaled down to 8 x 8"),
        (
            "digits",
            "fashion_mnist",
            28,
            to_fashion,
            "Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, "
            "https://doi.org/10.24432/C50P49, CC BY 4.0, scaled up to 28 x 28",
        ),
    ]:
        (_, _, height, width), pixels = read(WORKLOADS / source / "test.safetensors")
        size = height * width
        made = b"".join(make(pixels[size * i : size * (i + 1)]) for i in range(COUNT))
        write(WORKLOADS / target / "out_of_distribution.safetensors", side, made, attribution)


if __name__ == "__main__":
    main()
