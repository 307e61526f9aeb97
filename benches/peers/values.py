"""Values against PyTorch and aihwkit: what crossbayes, PyTorch (fp32) and aihwkit (PCM tiles) compute a CPU-second.

    python3 -m venv venv && venv/bin/pip install torch aihwkit==1.1.0    # aihwkit is optional
    venv/bin/python benches/peers/values.py [--rounds 5] [--seconds 1]

Everything runs on one thread, a second of each in turn, so that other load on the machine hits all alike; medians of the rounds
and the medians of the ratios of each round are printed. Weights are random: speed does not depend on them. PyTorch has 32 images in
a batch, crossbayes takes one image at a time; aihwkit has the 64 positions of the layer in a batch.
"""

import argparse
import os
import statistics
import subprocess
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import nn

torch.set_num_threads(1)

NETWORKS = {
    "vgg_binaryconnect": (3, 32, [(128, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 2)], [1024, 1024, 100]),
    "cifar10_quarter": (3, 32, [(32, 1), (32, 2), (64, 1), (64, 2), (128, 1), (128, 2)], [256, 10]),
}
ROWS, COLUMNS, POSITIONS, ARRAY = 4608, 512, 64, 256


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


def timed(call, passes, seconds):
    """Passes a CPU-second."""
    start, done = time.process_time(), 0
    while (spent := time.process_time() - start) < seconds:
        call()
        done += passes
    return done / spent


def pytorch(name):
    description = NETWORKS[name]
    model = network(*description)
    images = torch.rand(32, description[0], description[1], description[1])
    with torch.no_grad():
        model(images)

    def run(seconds):
        with torch.no_grad():
            return timed(lambda: model(images), 32, seconds)

    return run


def aihwkit(redrawn=False, **forward):
    """The layer on PCM tiles; read noise is frozen, or drawn anew for each batch."""
    from aihwkit.inference import PCMLikeNoiseModel
    from aihwkit.nn import AnalogLinearMapped
    from aihwkit.simulator.configs import TorchInferenceRPUConfig

    config = TorchInferenceRPUConfig(noise_model=PCMLikeNoiseModel(g_max=25.0))
    config.mapping.max_input_size = config.mapping.max_output_size = ARRAY
    config.forward.inp_res = config.forward.out_res = 1 / 254
    config.forward.out_noise = forward.get("out_noise", 0.0)
    layer = AnalogLinearMapped(ROWS, COLUMNS, bias=False, rpu_config=config).eval()
    assert len(list(layer.analog_tiles())) == (ROWS // ARRAY) * (COLUMNS // ARRAY)
    layer.program_analog_weights()
    layer.drift_analog_weights(1.0)
    inputs = torch.rand(POSITIONS, ROWS)

    def batch():
        if redrawn:
            layer.drift_analog_weights(1.0)
        layer(inputs)

    def run(seconds):
        with torch.no_grad():
            return timed(batch, POSITIONS, seconds)

    return run


def crossbayes_bench():
    """Builds the bench and gives its path."""
    command = ["cargo", "bench", "--bench", "values", "--no-run"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    return said.split("(")[-1].split(")")[0]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=1.0)
    arguments.add_argument("--bench", help="the built bench `values`; built if left out")
    arguments = arguments.parse_args()
    program = arguments.bench or crossbayes_bench()

    def crossbayes(case):
        def run(seconds):
            return float(subprocess.run([program, case, str(seconds)], check=True, capture_output=True, text=True).stdout)

        return run

    groups = []
    for name in NETWORKS:
        # 16 bits are exact for all arrays; PyTorch knows none.
        cases = {f"{rows} rows, {what}": crossbayes(f"{name}/{rows}/{bits}")
                 for rows in (128, 256) for what, bits in (("exact", 16), ("8-bit converters", 8))}
        groups.append((name, "images", "PyTorch fp32", pytorch(name), cases))
    try:
        peers = [("aihwkit, programmed", aihwkit(), ("frozen", "frozen_serial", "ideal_serial")),
                 ("aihwkit, output noise", aihwkit(out_noise=0.04), ("white", "white_serial")),
                 ("aihwkit, read noise of each batch", aihwkit(redrawn=True), ("white", "white_serial"))]
    except ImportError:
        print("aihwkit is not installed: the layer is left out")
        peers = []
    for name, peer, cases in peers:
        groups.append((f"layer of {ROWS} x {COLUMNS}", "positions", name, peer,
                       {case: crossbayes(f"layer/{case}") for case in cases}))

    print(f"torch {torch.__version__}; one thread; medians of {arguments.rounds} rounds")
    print(f"{'':20} {'':36} {'a CPU-second':>14} {'ratio':>7}")
    for network_name, unit, peer_name, peer, cases in groups:
        rates = {key: [] for key in [peer_name, *cases]}
        for _ in range(arguments.rounds):
            for key, run in [(peer_name, peer), *cases.items()]:
                rates[key].append(run(arguments.seconds))
        for key, of in rates.items():
            ratio = statistics.median(a / b for a, b in zip(of, rates[peer_name]))
            print(f"{network_name:20} {key:36} {statistics.median(of):8.1f} {unit:9} {ratio:5.2f}")


if __name__ == "__main__":
    main()
