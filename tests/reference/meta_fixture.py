"""The inner loop of meta-learning in JAX, float64, and its meta-gradient by reverse-mode automatic differentiation: writes
fixtures/meta_gradients.json.

Written from rule (9) with dense matrices and nothing else: no adjoint of the rule is worked out here.

    python tests/reference/meta_fixture.py        # needs numpy and jax
"""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)

SIZES = [14, 9, 6, 4]
N_TRAINING, N_QUERY = 30, 8
BETA = 10.0

SIGMA = {"tanh": jnp.tanh, "softplus": lambda z: jnp.logaddexp(0.0, BETA * z) / BETA}
SLOPE = {"tanh": lambda z: 1 - jnp.tanh(z) ** 2, "softplus": lambda z: jax.nn.sigmoid(BETA * z)}

CASES = [
    {"activation": "softplus", "feedback": "plastic", "theta": [0.05, 0.03, 0.02, 0.004, 0.03, 0.006]},
    {"activation": "softplus", "feedback": "plastic", "theta": [0.001, 0.0, 0.0, 0.0, 0.0, 0.0]},
    {"activation": "tanh", "feedback": "plastic", "theta": [0.05, 0.03, 0.02, 0.004, 0.03, 0.006]},
    {"activation": "softplus", "feedback": "symmetric", "theta": [0.06, 0.0, 0.0, 0.0, 0.0, 0.0]},
]


def forward(weights, x, sigma):
    z = []
    y = [x]
    for w in weights:
        z.append(w @ y[-1])
        y.append(sigma(z[-1]))
    y[-1] = jax.nn.softmax(z[-1])
    return z, y


def query_loss(theta, weights, feedback, training, query, case):
    sigma, slope = SIGMA[case["activation"]], SLOPE[case["activation"]]
    symmetric = case["feedback"] == "symmetric"
    n_layers = len(weights)
    weights, feedback = list(weights), list(feedback)
    for x, label in training:
        z, y = forward(weights, x, sigma)
        back = [w.T for w in weights] if symmetric else feedback
        e = [None] * (n_layers + 1)
        e[n_layers] = y[n_layers] - jax.nn.one_hot(label, SIZES[-1])
        for layer in range(n_layers - 1, 0, -1):
            e[layer] = (back[layer] @ e[layer + 1]) * slope(z[layer - 1])
        e[0] = (back[0] @ e[1]) * (1 - jnp.exp(-BETA * x) if case["activation"] == "softplus" else 1.0)
        for k in range(n_layers):
            pre_y, post_y, pre_e, post_e, w = y[k], y[k + 1], e[k], e[k + 1], weights[k]
            weights[k] = (
                w
                - theta[0] * jnp.outer(post_e, pre_y)
                + theta[1] * jnp.outer(post_e, pre_e)
                + theta[2] * (jnp.outer(post_y, pre_y) - jnp.outer(post_y, post_y) @ w)
                - theta[3] * w
            )
            feedback[k] = feedback[k] - theta[4] * jnp.outer(pre_y, post_e) - theta[5] * feedback[k]
    losses = []
    for x, label in query:
        logits = forward(weights, x, sigma)[0][-1]
        losses.append(jax.scipy.special.logsumexp(logits) - logits[label])
    return jnp.mean(jnp.stack(losses))


def main():
    rng = np.random.default_rng(11)
    n = N_TRAINING + N_QUERY
    pixels = rng.integers(1, 256, size=(n, SIZES[0])) * (rng.random((n, SIZES[0])) < 0.4)
    labels = rng.integers(0, SIZES[-1], size=n)
    shapes = list(zip(SIZES[1:], SIZES[:-1]))
    # Multiples of 2^-12 are exact in float32 and short in JSON.
    draw = lambda shape: np.round(rng.uniform(-1, 1, size=shape) * np.sqrt(6 / sum(shape)) * 4096) / 4096
    weights = [draw(shape) for shape in shapes]
    feedback = [draw(shape[::-1]) for shape in shapes]
    samples = [(jnp.asarray(p / 255.0), int(c)) for p, c in zip(pixels, labels)]
    training, query = samples[:N_TRAINING], samples[N_TRAINING:]

    cases = []
    for case in CASES:
        loss = lambda theta, case=case: query_loss(theta, weights, feedback, training, query, case)
        value, gradient = jax.value_and_grad(loss)(jnp.asarray(case["theta"]))
        cases.append(case | {"loss": float(value), "gradient": gradient.tolist()})
    fixture = {
        "made_by": f"meta_fixture.py, jax {jax.__version__}, numpy {np.__version__}",
        "sizes": SIZES,
        "softplus_beta": BETA,
        "n_training": N_TRAINING,
        "pixels": pixels.ravel().tolist(),
        "labels": labels.tolist(),
        "weights": [w.ravel().tolist() for w in weights],
        "feedback": [b.ravel().tolist() for b in feedback],
        "cases": cases,
    }
    path = Path(__file__).parent / "fixtures" / "meta_gradients.json"
    path.write_text(json.dumps(fixture) + "\n")


if __name__ == "__main__":
    main()
