"""Training by a plasticity term that the program does not ship, in float64 numpy: writes fixtures/made_up_term.json.

The term is (y_ℓ + ½ e_ℓ) (2 e_{ℓ-1} − W_{ℓ-1,ℓ}ᵀ y_ℓ)ᵀ, beside the shipped gradient term, in a network with feedback
weights of its own. It serves no purpose but to combine signals as no shipped term does.

    python tests/reference/made_up_term_fixture.py        # needs numpy
"""

import json
from pathlib import Path

import numpy as np
from network import Activation, Network

SIZES = [20, 17, 6]
N_SAMPLES = 12
COEFFICIENTS = [0.1, 0.2]  # of the made-up term, by layer
GRADIENT = 0.05


def learn(network, x, label):
    z, y = network.forward(x)
    e = network.errors(z, y, label)
    updates = [None]
    for layer, coefficient in enumerate(COEFFICIENTS, start=1):
        left = y[layer] + 0.5 * e[layer]
        right = 2 * e[layer - 1] - network.weights[layer].T @ y[layer]
        updates.append(coefficient * np.outer(left, right) - GRADIENT * np.outer(e[layer], y[layer - 1]))
    for layer in range(1, len(SIZES)):
        network.weights[layer] += updates[layer]


def main():
    random = np.random.default_rng(20241007)
    shapes = list(zip(SIZES[1:], SIZES[:-1]))
    # Rounded to single precision, so that both sides start from the same numbers.
    single = lambda shape: random.normal(scale=0.2, size=shape).astype(np.float32).astype(np.float64)
    forward, feedback = [single(shape) for shape in shapes], [single(shape[::-1]) for shape in shapes]
    pixels = random.integers(0, 256, (N_SAMPLES, SIZES[0]))
    labels = random.integers(0, SIZES[-1], N_SAMPLES)
    network = Network([None] + forward, [None] + feedback, Activation("tanh"))
    for image, label in zip(pixels, labels):
        learn(network, image / 255.0, label)
    flat = lambda matrices: [matrix.ravel().tolist() for matrix in matrices]
    fixture = {
        "sizes": SIZES,
        "coefficients": COEFFICIENTS,
        "gradient": GRADIENT,
        "pixels": pixels.ravel().tolist(),
        "labels": labels.tolist(),
        "forward": flat(forward),
        "feedback": flat(feedback),
        "trained": flat(network.weights[1:]),
    }
    path = Path(__file__).parent / "fixtures" / "made_up_term.json"
    path.write_text(json.dumps(fixture) + "\n")


if __name__ == "__main__":
    main()
