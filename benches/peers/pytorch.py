"""Passes per CPU-second of the networks of benches/functional.rs in PyTorch, fp32, one thread.

    pip install torch
    python benches/peers/pytorch.py             # then, on the same quiet machine:
    cargo bench --bench functional -- pass

Weights are +-1 at random: speed does not depend on them. Images go through in batches of 32, as PyTorch likes it; crossbayes
takes one at a time. Compare ratios of one machine and one session.
"""

import time

import torch
from torch import nn

torch.set_num_threads(1)
BATCH, ROUNDS = 32, 5


def network(channels, side, convolutions, linears):
    """3x3 convolutions with their pools, then fully connected layers; batch norm and ReLU behind each."""
    layers, width = [], channels
    for outputs, pool in convolutions:
        layers.append(nn.Conv2d(width, outputs, 3, padding=1, bias=False))
        if pool > 1:
            layers.append(nn.MaxPool2d(pool))
            side //= pool
        layers += [nn.BatchNorm2d(outputs), nn.ReLU()]
        width = outputs
    layers.append(nn.Flatten())
    width *= side * side
    for outputs in linears:
        layers += [nn.Linear(width, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()]
        width = outputs
    model = nn.Sequential(*layers).eval()
    for parameter in model.parameters():
        parameter.data.sign_()
    return model


NETWORKS = {
    "digits_like": (1, 8, [(16, 1), (32, 2)], [64, 10]),
    "cifar10_quarter": (3, 32, [(32, 1), (32, 2), (64, 1), (64, 2), (128, 1), (128, 2)], [256, 10]),
    "conv2_of_vgg": (128, 32, [(128, 2)], [10]),
    "vgg_binaryconnect": (3, 32, [(128, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 2)], [1024, 1024, 100]),
}

for name, description in NETWORKS.items():
    model, (channels, side) = network(*description), description[:2]
    images = torch.rand(BATCH, channels, side, side)
    rates = []
    with torch.no_grad():
        model(images)
        for _ in range(ROUNDS):
            start, passes = time.process_time(), 0
            while time.process_time() - start < 1:
                model(images)
                passes += BATCH
            rates.append(passes / (time.process_time() - start))
    print(f"{name:20} {sorted(rates)[ROUNDS // 2]:10.1f} passes a CPU-second (torch {torch.__version__})")
