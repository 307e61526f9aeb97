"""Accuracy and calibration of predictions; sparsity and activity of the network."""

import math

import numpy as np

from integer_network import LAYERS, accumulate


def softmax(logits):
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def metrics(probs, labels):
    """Accuracy, NLL, Brier score (summed over classes), ECE with 15 right-closed bins."""
    hit = probs.argmax(axis=1) == labels
    confidence = probs.max(axis=1)
    edges = np.arange(16) / 15
    bins = np.searchsorted(edges, confidence, side="left") - 1  # edges[b] < confidence <= edges[b + 1]
    gap = np.bincount(bins.clip(0, 14), weights=hit - confidence, minlength=15)
    return {
        "accuracy": float(hit.mean()),
        "nll": float(-np.log(probs[np.arange(len(labels)), labels]).mean()),
        "brier": float(((probs - np.eye(10)[labels]) ** 2).sum(axis=1).mean()),
        "ece": float(np.abs(gap).sum() / len(labels)),
    }


def spread(rows):
    """Mean and standard deviation of each metric over several results."""
    return {
        key: {"mean": float(np.mean([r[key] for r in rows])), "std": float(np.std([r[key] for r in rows], ddof=1))}
        for key in rows[0]
    }


def share(p, eps):
    """Share of probabilistic synapses, eps < p < 1 - eps, per layer and in total."""
    inside = {layer.name: (q > eps) & (q < 1 - eps) for layer, q in zip(LAYERS, p)}
    total = sum(int(m.sum()) for m in inside.values()) / sum(m.size for m in inside.values())
    return {"total": total} | {name: float(m.mean()) for name, m in inside.items()}


def activity(inputs):
    """Share of 1 bits per layer: of its input codes, and of what the crossbar rows see (zero padding included)."""
    codes, rows = {}, {}
    for layer, x in zip(LAYERS, inputs):
        ones = np.bitwise_count(x)
        codes[layer.name] = float(ones.mean() / layer.input_bits)
        per_position = accumulate(np.ones((1,) + layer.shape[1:]), ones)
        rows[layer.name] = float(per_position.mean() / (math.prod(layer.shape[1:]) * layer.input_bits))
    return {"input_codes": codes, "crossbar_rows": rows}
