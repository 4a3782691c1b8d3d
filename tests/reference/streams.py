"""The program's random streams, made again from their definition (src/science/seed.rs) without its libraries.

ChaCha8 is written out here; BLAKE3's key derivation comes from the `blake3` package. Writes the vectors that the Rust
test compares with:

    python tests/reference/streams.py > tests/reference/fixtures/streams.json
"""

import json
import math
import struct

from blake3 import blake3

CONTEXT = "ojaflow random stream v1"
PURPOSES = ["forward_weights", "feedback_weights", "sample_order", "bootstrap", "task", "task_samples", "selection"]
MASK = 0xFFFFFFFF


def rotate_left(x, n):
    return ((x << n) | (x >> (32 - n))) & MASK


def quarter_round(s, a, b, c, d):
    for x, y, z, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = (s[x] + s[y]) & MASK
        s[z] = rotate_left(s[z] ^ s[x], n)


def chacha_words(key, rounds=8):
    """The keystream's 32-bit words: 64-bit block counter from 0, 64-bit stream number 0."""
    counter = 0
    while True:
        start = list(struct.unpack("<4I", b"expand 32-byte k")) + list(struct.unpack("<8I", key))
        start += [counter & MASK, counter >> 32, 0, 0]
        state = list(start)
        for _ in range(rounds // 2):
            for column in range(4):
                quarter_round(state, column, 4 + column, 8 + column, 12 + column)
            for diagonal in range(4):
                quarter_round(
                    state, diagonal, 4 + (diagonal + 1) % 4, 8 + (diagonal + 2) % 4, 12 + (diagonal + 3) % 4
                )
        yield from ((a + b) & MASK for a, b in zip(state, start))
        counter += 1


class Stream:
    def __init__(self, seed, purpose, layer):
        material = struct.pack("<QI", seed, layer) + purpose.encode()
        self.words = chacha_words(blake3(material, derive_key_context=CONTEXT).digest())

    def uniform(self):
        low, high = next(self.words), next(self.words)
        return ((high << 32 | low) >> 11) * 2.0**-53

    def below(self, n):
        while True:
            product = next(self.words) * n
            if product & MASK >= (1 << 32) % n:
                return product >> 32

    def normal(self):
        radius = math.sqrt(-2.0 * math.log(1.0 - self.uniform()))
        return radius * math.cos(2.0 * math.pi * self.uniform())

    def without_replacement(self, n, k):
        order = list(range(n))
        for place in range(k):
            other = place + self.below(n - place)
            order[place], order[other] = order[other], order[place]
        return order[:k]


def check_chacha():
    """ChaCha20 of RFC 8439, appendix A.1, test vector 1: the rounds are the only difference."""
    words = chacha_words(bytes(32), rounds=20)
    assert [next(words) for _ in range(4)] == [0xADE0B876, 0x903DF1A0, 0xE56A5D40, 0x28BD8653]


def main():
    check_chacha()
    vectors = []
    for seed in (0, 1, 2**64 - 1):
        for purpose in PURPOSES:
            for layer in (0, 10):
                make = lambda: Stream(seed, purpose, layer)
                uniforms, belows, normals = make(), make(), make()
                vectors.append(
                    {
                        "seed": str(seed),
                        "purpose": purpose,
                        "layer": layer,
                        # Enough to leave the first block, and the blocks that a vectorised generator makes at once.
                        # Times 2⁵³, so that no JSON reader rounds them.
                        "uniform_times_2_53": [int(uniforms.uniform() * 2**53) for _ in range(40)][::13],
                        # 3 · 2³⁰ rejects a quarter of the words.
                        "below": [belows.below(n) for n in [3 << 30] * 8 + [1, 10, 60_000]],
                        "normal": [normals.normal() for _ in range(4)],
                        "without_replacement": make().without_replacement(50_000, 6),
                    }
                )
    print(json.dumps(vectors, indent=1))


if __name__ == "__main__":
    main()
