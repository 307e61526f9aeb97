"""Recompute some recorded images with plain Python integers and floats: `python check_digits.py [FOLDER]`.

This shares no code with the trainer; it knows only the files, as another implementation would. Python's float
arithmetic rounds once per operation and its round() is half to even: that is all the arithmetic needs.
"""

import json
import math
import sys
from pathlib import Path

from safetensors import safe_open

HASH_K = 0x9E3779B97F4A7C15
# (member, image); member None is the mode network. Full accumulators are recorded for images 0 to 3 only.
CASES = ((None, 0), (None, 3), (None, 359), (0, 0), (9, 2), (5, 200))


def layer_forward(layer, signs, x):
    """Accumulators [cout][y][x] of input codes x [cin][y][x], straight from the definition."""
    size, pad, k = len(x[0]), layer["pad"], layer["kernel"]
    fan_in = layer["cin"] * k * k
    acc = []
    for o in range(layer["cout"]):
        w = signs[o * fan_in : (o + 1) * fan_in]
        plane = [[0] * size for _ in range(size)]
        for row, sign in enumerate(w):  # row of the crossbar matrix = cin * k * k + ky * k + kx
            channel, dy, dx = x[row // (k * k)], row // k % k - pad, row % k - pad
            for y in range(max(0, -dy), min(size, size - dy)):
                for z in range(max(0, -dx), min(size, size - dx)):
                    plane[y][z] += sign * channel[y + dy][z + dx]
        acc.append(plane)
    return acc


def finish(layer, acc, mean, var, s_in, s_out, kappa, eps):
    """Max-pool, batch norm and requantisation; logits where s_out is None."""
    size, step = len(acc[0]), layer["pool"]
    out = []
    for plane, m, v in zip(acc, mean, var, strict=True):
        sd = math.sqrt(v + eps)
        if s_out is None:
            mul, add = (kappa * s_in) / sd, (-(kappa * m)) / sd
        else:
            mul, add = s_in / (sd * s_out), (-m) / (sd * s_out)
        pooled = [
            [max(plane[y + a][z + b] for a in range(step) for b in range(step)) for z in range(0, size, step)]
            for y in range(0, size, step)
        ]
        values = [[a * mul + add for a in line] for line in pooled]
        out.append(values if s_out is None else [[min(max(round(a), 0), 15) for a in line] for line in values])
    return out


def flatten(planes):
    return [v for plane in planes for line in plane for v in line]


def check(folder):
    files = {
        name: safe_open(folder / f"{name}.safetensors", "numpy") for name in ("posterior", "test", "trainer_record")
    }
    post, test, record = (f.get_tensor for f in files.values())
    about = json.loads(files["posterior"].metadata()["crossbayes"])
    layers = about["layers"]
    for member, image in CASES:
        kind, at, suffix = ("mode", image, "_mode") if member is None else ("samples", (member, image), "")
        x = test("images")[image].tolist()
        for i, layer in enumerate(layers):
            name, last = layer["name"], i + 1 == len(layers)
            if layer["kind"] == "fc":
                x = [[[v]] for v in flatten(x)]  # a 1x1 map
            if member is None:
                assert image > 3 or flatten(x) == record(f"mode.{name}.codes")[image].ravel().tolist(), name
                signs = [1 if q > 0.5 else -1 for q in post(f"{name}.p").ravel().tolist()]
            else:
                packed = post(f"{name}.w_samples_packed")[member].tolist()
                signs = [1 if packed[b // 8] >> b % 8 & 1 else -1 for b in range(math.prod(layer["shape"]))]
            acc = layer_forward(layer, signs, x)
            flat = flatten(acc)
            assert image > 3 or flat == record(f"{kind}.{name}.acc")[at].ravel().tolist(), name
            total = sum(a * pow(HASH_K, j + 1, 2**64) for j, a in enumerate(flat)) % 2**64
            assert total == int(record(f"{kind}.acc_hash")[at][i]) % 2**64, name
            mean, var = (post(f"{name}.bn_{what}{suffix}").tolist() for what in ("mean", "var"))
            s_in = float(post(f"{name}.input_scale")[0])
            s_out = None if last else float(post(f"{layers[i + 1]['name']}.input_scale")[0])
            x = finish(layer, acc, mean, var, s_in, s_out, about["kappa"], about["bn_eps"])
        assert flatten(x) == record(f"{kind}.logits")[at].tolist(), "logits"
    print(f"self-check passed: {len(CASES)} passes, bit for bit")


if __name__ == "__main__":
    check(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent / "digits")
