"""The quantised `digits` network: exact integer accumulators, batch norm and requantisation in double precision.

Every operation on the way from pixels to logits is either exact (integers) or one correctly rounded IEEE 754 double
operation, so that another implementation can reproduce accumulators, codes and logits bit for bit.
"""

from collections import namedtuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Layer = namedtuple("Layer", "name shape pool input_bits")
LAYERS = (
    Layer("conv1", (16, 1, 3, 3), 1, 5),
    Layer("conv2", (32, 16, 3, 3), 2, 4),
    Layer("fc1", (64, 512), 1, 4),
    Layer("fc2", (10, 64), 1, 4),
)
KAPPA = 4.0  # logits = KAPPA * batch norm of the last layer
BN_EPS = 1e-5
PIXEL_MAX = 16  # input codes are the raw pixels 0..16; 16 needs a fifth bit
CODE_MAX = 15  # hidden activations have four bits
HASH_K = 0x9E3779B97F4A7C15


def draw(p, rng):
    """One weight sample: a list of +-1 arrays."""
    return [np.where(rng.random(q.shape) < q, 1, -1).astype(np.int8) for q in p]


def mode_of(p):
    return [np.where(q > 0.5, 1, -1).astype(np.int8) for q in p]


def accumulate(w, codes):
    """Exact sums of w * code before pooling: int64 [n, cout, (y, x)].

    The product runs in double precision for speed; all partial sums are integers far below 2^53, so it is exact.
    """
    matrix = w.reshape(len(w), -1).T.astype(np.float64)
    if w.ndim == 2:
        return (codes.reshape(len(codes), -1).astype(np.float64) @ matrix).astype(np.int64)
    padded = np.pad(codes, ((0, 0), (0, 0), (1, 1), (1, 1))).astype(np.float64)
    windows = sliding_window_view(padded, (3, 3), axis=(2, 3)).transpose(0, 2, 3, 1, 4, 5)
    n, height, width = windows.shape[:3]
    acc = windows.reshape(n * height * width, -1) @ matrix
    return acc.astype(np.int64).reshape(n, height, width, -1).transpose(0, 3, 1, 2)


def pool(acc, size):
    if size == 1:
        return acc
    n, c, height, width = acc.shape
    return acc.reshape(n, c, height // size, size, width // size, size).max(axis=(3, 5))


def affine(i, stats, scales):
    """Batch norm and requantisation of layer i as `acc * mul + add`, per output channel."""
    mean, sd = stats[i][0].astype(np.float64), np.sqrt(stats[i][1].astype(np.float64) + BN_EPS)
    s_in = np.float64(scales[i])
    if i + 1 == len(LAYERS):
        return (KAPPA * s_in) / sd, (-(KAPPA * mean)) / sd
    s_out = np.float64(scales[i + 1])
    return s_in / (sd * s_out), (-mean) / (sd * s_out)


def finish(i, pooled, stats, scales):
    """Pooled accumulators -> uint8 input codes of the next layer, or float64 logits after the last."""
    mul, add = affine(i, stats, scales)
    per_channel = (-1,) + (1,) * (pooled.ndim - 2)
    value = pooled.astype(np.float64) * mul.reshape(per_channel) + add.reshape(per_channel)
    if i + 1 == len(LAYERS):
        return value
    return np.clip(np.rint(value), 0, CODE_MAX).astype(np.uint8)


def fit_scale(values):
    """The step of a 4-bit quantiser that minimises the squared error on `values`."""
    candidates = np.linspace(0.2, 1.0, 161) * values.max() / CODE_MAX
    errors = [np.mean((np.clip(np.rint(values / s), 0, CODE_MAX) * s - values) ** 2) for s in candidates]
    return np.float32(candidates[int(np.argmin(errors))])


def calibrate(members, images, scales=None):
    """Batch-norm statistics (mean, variance) of `members` taken together, layer by layer, each with the
    quantised layers before it; also the activation scales where none are given."""
    fit = scales is None
    scales = [np.float32(1 / PIXEL_MAX)] if fit else scales
    stats = []
    codes = [images] * len(members)
    for i, layer in enumerate(LAYERS):
        pooled = [pool(accumulate(w[i], c), layer.pool).astype(np.int32) for w, c in zip(members, codes)]
        axes = (0,) + tuple(range(2, pooled[0].ndim))
        count = len(pooled) * pooled[0].size // layer.shape[0]
        total = sum(a.sum(axis=axes, dtype=np.int64) for a in pooled)
        squares = sum((a.astype(np.int64) ** 2).sum(axis=axes) for a in pooled)
        s_in, mean = np.float64(scales[i]), total / count
        stats.append(((s_in * mean).astype(np.float32), (s_in**2 * (squares / count - mean**2)).astype(np.float32)))
        if i + 1 == len(LAYERS):
            break
        if fit:
            # With an output scale of 1, acc * mul + add is the real-valued activation. Every 32nd image is plenty.
            mul, add = affine(i, stats, scales + [np.float32(1)])
            some = np.moveaxis(np.concatenate([a[::32] for a in pooled]), 1, -1)
            scales.append(fit_scale(np.maximum(some * mul + add, 0).ravel()))
        codes = [finish(i, a, stats, scales) for a in pooled]
    return stats, scales


def infer(w, images, stats, scales):
    """Return logits, accumulators before pooling, and input codes of each layer."""
    accs, inputs = [], [images]
    for i, layer in enumerate(LAYERS):
        accs.append(accumulate(w[i], inputs[-1]))
        inputs.append(finish(i, pool(accs[-1], layer.pool), stats, scales))
    return inputs.pop(), accs, inputs


def acc_hash(acc):
    """Per image: sum of acc[i] * K^(i + 1) mod 2^64 over the accumulators in C order [cout, y, x]."""
    flat = np.ascontiguousarray(acc.reshape(len(acc), -1)).view(np.uint64)
    powers = np.cumprod(np.full(flat.shape[1], HASH_K, dtype=np.uint64), dtype=np.uint64)
    return (flat * powers).sum(axis=1, dtype=np.uint64).view(np.int64)
