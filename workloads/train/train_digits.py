"""Train the `digits` posterior, quantise it, and record what inference must reproduce.

The network is a Bayesian binary neural network: each weight is +1 with probability p, else -1.

1. PyTorch learns p by the Bayesian learning rule of BayesBiNN (Meng, Bachmann, Khan, ICML 2020).
2. Batch-norm statistics and activation scales are fitted on the training images with the quantised arithmetic of
   `integer_network.py` itself.
3. The test images go through that integer network; its accumulators, logits and scores are written out.
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from check_digits import check
from integer_network import BN_EPS, KAPPA, LAYERS, PIXEL_MAX, acc_hash, calibrate, draw, infer, mode_of
from scores import activity, metrics, share, softmax, spread

MEMBERS = 10  # size of an ensemble
CALIBRATION = 200  # training images that are shipped
ATTRIBUTION = (
    "Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, "
    "https://doi.org/10.24432/C50P49, CC BY 4.0"
)


def forward(weights, x):
    """Logits of one mini-batch with the batch's own normalisation statistics."""
    for layer, w in zip(LAYERS, weights):
        x = F.conv2d(x, w, padding=1) if w.ndim == 4 else F.linear(x.flatten(1), w)
        if layer.pool > 1:
            x = F.max_pool2d(x, layer.pool)
        x = F.batch_norm(x, None, None, training=True, eps=BN_EPS)
        if layer is not LAYERS[-1]:
            x = F.relu(x)
    return KAPPA * x


def train(images, labels, args):
    """Return p = P(w = +1) of each layer, float32."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    generator = torch.Generator().manual_seed(args.seed)
    x, y = torch.from_numpy(images).float() / PIXEL_MAX, torch.from_numpy(labels).long()
    n_eff = args.likelihood_weight * len(x)

    # The natural parameter: p = sigmoid(2 lambda), E[w] = tanh(lambda).
    lambdas = [args.init * (2 * torch.bernoulli(torch.full(s.shape, 0.5), generator=generator) - 1) for s in LAYERS]
    momenta = [torch.zeros_like(v) for v in lambdas]
    batches = len(x) // args.batch
    for epoch in range(args.epochs):
        mean_loss = 0.0
        order = torch.randperm(len(x), generator=generator)[: batches * args.batch]
        for i, batch in enumerate(order.split(args.batch)):
            # One binary sample w ~ p per mini-batch: the temperature -> 0 limit of BayesBiNN's relaxed sample.
            # The gradient at w stands for the one with respect to E[w] (straight-through, scale factor s = 1):
            # the factor of the relaxed sample diverges in that limit.
            weights = [2 * torch.bernoulli(torch.sigmoid(2 * v), generator=generator) - 1 for v in lambdas]
            loss = F.cross_entropy(forward([w.requires_grad_() for w in weights], x[batch]), y[batch])
            mean_loss += loss.item() / batches
            lr = args.lr * 0.5 * (1 + math.cos(math.pi * (epoch + i / batches) / args.epochs))
            for v, m, grad in zip(lambdas, momenta, torch.autograd.grad(loss, weights)):
                # Natural gradient of N E[loss] + KL(q || prior), for the prior p = 1/2.
                m.mul_(args.momentum).add_(n_eff * grad + v, alpha=1 - args.momentum)
                v.sub_(m, alpha=lr)
        if (epoch + 1) % 25 == 0:
            print(f"epoch {epoch + 1:3d}: training loss {mean_loss:.4f}", flush=True)
    p = [torch.sigmoid(2 * v).numpy() for v in lambdas]
    # p = 1/2 exactly would leave the mode undefined.
    return [np.where(q == 0.5, np.nextafter(np.float32(0.5), np.float32(1)), q) for q in p]


def to_i16(a):
    assert np.abs(a).max() < 2**15
    return a.astype(np.int16)


def describe(layer, side):
    conv = len(layer.shape) == 4
    cout, cin = layer.shape[:2]
    return {
        "name": layer.name,
        "kind": "conv" if conv else "fc",
        "shape": layer.shape,
        "cin": cin,
        "cout": cout,
        "kernel": 3 if conv else 1,
        "stride": 1,
        "pad": 1 if conv else 0,
        "pool": layer.pool,
        "input_height": side if conv else 1,
        "input_width": side if conv else 1,
        "input_bits": layer.input_bits,
        "relu": layer is not LAYERS[-1],
    }


def save(path, tensors, metadata):
    # A single metadata key: safetensors writes several in no fixed order.
    tensors = {name: np.ascontiguousarray(t) for name, t in tensors.items()}
    save_file(tensors, path, metadata={"crossbayes": json.dumps(metadata, sort_keys=True)})
    print(f"{path.name}: {path.stat().st_size} bytes")


def save_images(path, images, labels):
    about = {
        "format": "crossbayes-images",
        "version": 1,
        "name": "digits",
        "pixel_max": PIXEL_MAX,
        "classes": 10,
        "attribution": ATTRIBUTION,
    }
    save(path, {"images": images, "labels": labels}, about)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent.parent / "digits")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--lr", type=float, default=0.003, help="first step size; falls to 0 as a cosine")
    parser.add_argument("--momentum", type=float, default=0.9)
    parser.add_argument("--init", type=float, default=1.0, help="|lambda| at the start")
    parser.add_argument(
        "--likelihood-weight",
        type=float,
        default=4000.0,
        help="effective data-set size / number of images: larger is sharper",
    )
    parser.add_argument("--ensembles", type=int, default=100, help="fresh ensembles for the score distribution")
    parser.add_argument("--validate", action="store_true", help="score a fifth of the training set; write nothing")
    args = parser.parse_args()

    # The split never changes with --seed, so the test images stay unseen by every choice.
    digits = load_digits()
    images, labels = digits.images.astype(np.uint8)[:, None], digits.target.astype(np.uint8)
    x, x_test, y, y_test = train_test_split(images, labels, test_size=360, stratify=labels, random_state=0)
    if args.validate:
        x, x_test, y, y_test = train_test_split(x, y, test_size=0.2, stratify=y, random_state=args.seed)

    p = train(x, y, args)

    stored_rng, calibration_rng, fresh_rng = (np.random.default_rng([args.seed, k]) for k in range(3))
    sampled, scales = calibrate([draw(p, calibration_rng) for _ in range(32)], x)
    of_mode, _ = calibrate([mode_of(p)], x, scales)

    logits, accs, inputs = infer(mode_of(p), x_test, of_mode, scales)
    members = [draw(p, stored_rng) for _ in range(MEMBERS)]
    sample_logits, sample_accs, _ = zip(*(infer(w, x_test, sampled, scales) for w in members))
    mean_probs = softmax(np.stack(sample_logits)).mean(axis=0)
    single, fresh = [], []
    for _ in range(args.ensembles):
        probs = [softmax(infer(draw(p, fresh_rng), x_test, sampled, scales)[0]) for _ in range(MEMBERS)]
        single += [metrics(q, y_test) for q in probs]
        fresh.append(metrics(np.mean(probs, axis=0), y_test))
    scores = {
        "images": len(x_test),
        "mode": metrics(softmax(logits), y_test),
        "stored_ensemble": metrics(mean_probs, y_test),
        "fresh_ensembles": {"count": args.ensembles, "members": MEMBERS} | spread(fresh),
        "single_samples": {"count": len(single)} | spread(single),
        "probabilistic_share": {"eps_0.05": share(p, 0.05), "eps_0.01": share(p, 0.01)},
        "mode_activity": activity(inputs),
    }
    print(json.dumps(scores, indent=2, sort_keys=True))
    if args.validate:
        return

    args.out.mkdir(parents=True, exist_ok=True)
    posterior = {}
    for i, layer in enumerate(LAYERS):
        packed = [np.packbits(w[i].ravel() > 0, bitorder="little") for w in members]
        tensors = {"p": p[i], "w_samples_packed": np.stack(packed), "input_scale": np.array([scales[i]])}
        for suffix, stats in (("", sampled), ("_mode", of_mode)):
            tensors |= {f"bn_mean{suffix}": stats[i][0], f"bn_var{suffix}": stats[i][1]}
        posterior |= {f"{layer.name}.{key}": t for key, t in tensors.items()}
    trained_with = {key: value for key, value in vars(args).items() if key not in ("out", "validate", "ensembles")}
    trained_with |= {
        "rule": "BayesBiNN, straight-through",
        "train_images": len(x),
        "numpy": np.__version__,
        "torch": torch.__version__.split("+")[0],
    }
    save(
        args.out / "posterior.safetensors",
        posterior,
        {
            "format": "crossbayes-posterior",
            "version": 1,
            "name": "digits",
            "kappa": KAPPA,
            "bn_eps": BN_EPS,
            "layers": [describe(layer, side) for layer, side in zip(LAYERS, (8, 8, 1, 1))],
            "input_scale": "float32; codes * input_scale = real input",
            "trained_with": trained_with,
            "scores": scores,
        },
    )
    save_images(args.out / "test.safetensors", x_test, y_test)
    save_images(args.out / "calibration.safetensors", x[:CALIBRATION], y[:CALIBRATION])
    record = {
        "mode.logits": logits,
        "samples.logits": np.stack(sample_logits),
        "samples.mean_probabilities": mean_probs,
        "mode.acc_hash": np.stack([acc_hash(a) for a in accs], axis=1),
        "samples.acc_hash": np.stack([np.stack([acc_hash(a) for a in m], axis=1) for m in sample_accs]),
    }
    for i, layer in enumerate(LAYERS):
        record[f"mode.{layer.name}.acc"] = to_i16(accs[i][:4])
        codes = inputs[i][:4]
        record[f"mode.{layer.name}.codes"] = codes if len(layer.shape) == 4 else codes.reshape(4, -1)
        record[f"samples.{layer.name}.acc"] = to_i16(np.stack([m[i][:4] for m in sample_accs]))
    save(args.out / "trainer_record.safetensors", record, scores)
    (args.out / "scores.json").write_text(json.dumps(scores, indent=2, sort_keys=True) + "\n")
    check(args.out)


if __name__ == "__main__":
    main()
