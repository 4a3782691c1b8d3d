"""Online training of a small recurrent network in JAX, float64: writes fixtures/rnn_training.json.

Written from the equations of section 2.4 as plain loops; every gradient, that of the loss and that behind Oja's rule, is
taken by reverse-mode automatic differentiation, so no line of backpropagation through time is repeated here.

    python tests/reference/rnn_fixture.py        # needs numpy and jax
"""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)

N_INPUTS, N_HIDDEN, N_OUTPUTS = 9, 7, 3
N_SAMPLES, N_UPDATES = 12, 50
BETA = 10.0

SIGMA = {"tanh": jnp.tanh, "softplus": lambda z: jnp.logaddexp(0.0, BETA * z) / BETA}

CASES = [
    {"activation": "tanh", "n_steps": 6, "n_input_steps": 2, "gradient": 0.2, "oja": 0.0, "oja_target": "hidden_state"},
    {"activation": "tanh", "n_steps": 6, "n_input_steps": 2, "gradient": 0.2, "oja": 0.01, "oja_target": "hidden_state"},
    {"activation": "tanh", "n_steps": 9, "n_input_steps": 9, "gradient": 0.1, "oja": 0.02, "oja_target": "activation"},
    {"activation": "softplus", "n_steps": 4, "n_input_steps": 1, "gradient": 0.1, "oja": 0.02, "oja_target": "hidden_state"},
]


def run(weights, x, case):
    """Hidden states z_1 … z_T and the logits."""
    w_x, w_h, w_o = weights
    sigma = SIGMA[case["activation"]]
    states = []
    for t in range(case["n_steps"]):
        z = w_x @ x if t < case["n_input_steps"] else jnp.zeros(N_HIDDEN)
        if t > 0:
            z = z + w_h @ sigma(states[-1])
        states.append(z)
    return states, w_o @ sigma(states[-1])


def loss(weights, x, label, case):
    logits = run(weights, x, case)[1]
    return jax.scipy.special.logsumexp(logits) - logits[label]


def reconstruction_error(w_h, targets, projected):
    """½ Σ ‖target_t − W_hᵀ v_t‖² with v_t held fixed (claim C16)."""
    return 0.5 * sum(jnp.sum((target - w_h.T @ v) ** 2) for target, v in zip(targets, projected))


def update(weights, x, label, case):
    d_x, d_h, d_o = jax.grad(loss)(weights, x, label, case)
    w_x, w_h, w_o = weights
    sigma = SIGMA[case["activation"]]
    earlier = run(weights, x, case)[0][:-1]
    projected = [w_h @ sigma(z) for z in earlier]
    targets = earlier if case["oja_target"] == "hidden_state" else [sigma(z) for z in earlier]
    oja = -jax.grad(reconstruction_error)(w_h, targets, projected)
    theta = case["gradient"]
    return w_x - theta * d_x, w_h - theta * d_h + case["oja"] * oja, w_o - theta * d_o


def main():
    rng = np.random.default_rng(7)
    pixels = rng.integers(0, 256, size=(N_SAMPLES, N_INPUTS)) * rng.integers(0, 2, size=(N_SAMPLES, N_INPUTS))
    labels = rng.integers(0, N_OUTPUTS, size=N_SAMPLES)
    order = rng.integers(0, N_SAMPLES, size=N_UPDATES)
    shapes = [(N_HIDDEN, N_INPUTS), (N_HIDDEN, N_HIDDEN), (N_OUTPUTS, N_HIDDEN)]
    # Multiples of 2^-12 are exact in float32 and short in JSON.
    start = [np.round(rng.uniform(-1, 1, size=s) * np.sqrt(6 / sum(s)) * 4096) / 4096 for s in shapes]

    cases = []
    for case in CASES:
        step = jax.jit(lambda w, x, label, case=case: update(w, x, label, case))
        weights = tuple(jnp.asarray(w) for w in start)
        for i in order:
            weights = step(weights, pixels[i] / 255.0, labels[i])
        moved = [float(np.linalg.norm(w - s) / np.linalg.norm(s)) for w, s in zip(weights, start)]
        assert min(moved) > 0.05, f"weights hardly moved, the fixture would prove little: {moved}"
        states, logits = run(weights, pixels[0] / 255.0, case)
        cases.append(
            case
            | dict(zip(["input", "recurrent", "readout"], [np.asarray(w).ravel().round(9).tolist() for w in weights]))
            | {"norms_of_sample_0": [float(jnp.linalg.norm(z)) for z in states]}
            | {"loss_of_sample_0": float(loss(weights, pixels[0] / 255.0, labels[0], case))}
        )
    fixture = {
        "made_by": f"rnn_fixture.py, jax {jax.__version__}, numpy {np.__version__}",
        "sizes": [N_INPUTS, N_HIDDEN, N_OUTPUTS],
        "softplus_beta": BETA,
        "pixels": pixels.ravel().tolist(),
        "labels": labels.tolist(),
        "order": order.tolist(),
        "start": dict(zip(["input", "recurrent", "readout"], [w.ravel().tolist() for w in start])),
        "cases": cases,
    }
    path = Path(__file__).parent / "fixtures" / "rnn_training.json"
    path.write_text(json.dumps(fixture) + "\n")


if __name__ == "__main__":
    main()
