//! Named random streams.
//!
//! A stream is ChaCha8 keyed by BLAKE3's key derivation from (seed, purpose, layer), and by nothing else: a learning rule
//! never enters, so rules that share a seed share initial weights and sample order. Numbers are made from the generator's
//! words by the few lines below, so their values are part of the format: `tests/reference/streams.py` makes the same ones.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The derivation's context string; raising its version changes every result of the program.
const CONTEXT: &str = "ojaflow random stream v1";

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Initial W, one stream per layer.
    ForwardWeights,
    /// Initial B, one stream per layer.
    FeedbackWeights,
    /// What single neurons are perturbed by, one stream per layer.
    Noise,
    /// What layers hear in a phase of noise, one stream per layer.
    Mirror,
    /// Which training samples are seen, and when.
    SampleOrder,
    /// Resamples of runs.
    Bootstrap,
    /// Tasks of meta-learning.
    Task,
    /// Samples that a class shows in every task of meta-learning, one stream per class.
    TaskSamples,
    /// Draws of tuning seeds: how probable is it that a cell is picked?
    Selection,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Purpose::ForwardWeights => "forward_weights",
            Purpose::FeedbackWeights => "feedback_weights",
            Purpose::Noise => "noise",
            Purpose::Mirror => "mirror",
            Purpose::SampleOrder => "sample_order",
            Purpose::Bootstrap => "bootstrap",
            Purpose::Task => "task",
            Purpose::TaskSamples => "task_samples",
            Purpose::Selection => "selection",
        }
    }
}

/// The stream of (seed, purpose, layer); purposes without layers take layer 0.
///
/// Key material: seed (8 bytes, little-endian), layer (4 bytes, little-endian), the purpose's name.
pub fn stream(seed: u64, purpose: Purpose, layer: u32) -> Stream {
    let mut material = Vec::with_capacity(32);
    material.extend_from_slice(&seed.to_le_bytes());
    material.extend_from_slice(&layer.to_le_bytes());
    material.extend_from_slice(purpose.name().as_bytes());
    Stream(ChaCha8Rng::from_seed(blake3::derive_key(CONTEXT, &material)))
}

/// Numbers that are made at a time where many are asked for.
const UNIFORMS_TOGETHER: usize = 256;

fn uniform(word: u64) -> f64 {
    const TWO_TO_MINUS_53: f64 = 1.0 / (1_u64 << 53) as f64;
    // Below 2⁵³, so that the sign makes no difference; and signed numbers are converted in one instruction.
    (word >> 11) as i64 as f64 * TWO_TO_MINUS_53
}

fn normal([u, v]: [f64; 2]) -> f64 {
    libm::sqrt(-2.0 * libm::log(1.0 - u)) * libm::cos(std::f64::consts::TAU * v)
}

/// Random numbers in a fixed order.
#[derive(Clone, Debug)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// How many words have been drawn.
    pub(crate) fn place(&self) -> u128 {
        self.0.get_word_pos()
    }

    /// Goes on after so many words, as if they had been drawn.
    pub(crate) fn go_to(&mut self, place: u128) {
        self.0.set_word_pos(place);
    }

    /// Uniform in [0, 1): the upper 53 bits of two words (the first is the lower half), times 2⁻⁵³.
    pub fn uniform_f64(&mut self) -> f64 {
        uniform(self.0.next_u64())
    }

    /// As many numbers as [`Stream::uniform_f64`] gives one by one, in less time.
    pub(crate) fn uniforms(&mut self, out: &mut [f64]) {
        // Words first, so that what makes numbers of them is a loop over vectors.
        let mut words = [0; UNIFORMS_TOGETHER];
        for out in out.chunks_mut(UNIFORMS_TOGETHER) {
            let words = &mut words[..out.len()];
            words.iter_mut().for_each(|word| *word = self.0.next_u64());
            out.iter_mut().zip(words).for_each(|(out, word)| *out = uniform(*word));
        }
    }

    /// Uniform in 0 … n − 1, without bias: Lemire's multiplication, one word a try.
    ///
    /// # Panics
    /// If `n` is 0.
    pub fn below(&mut self, n: u32) -> u32 {
        assert!(n > 0, "there is no number below 0");
        let rejected_below = n.wrapping_neg() % n; // 2³² mod n
        loop {
            let product = u64::from(self.0.next_u32()) * u64::from(n);
            if product as u32 >= rejected_below {
                return (product >> 32) as u32;
            }
        }
    }

    /// Standard normal: the cosine branch of Box & Muller from two uniform numbers u, v: √(−2 ln(1 − u)) cos 2πv.
    pub fn normal(&mut self) -> f64 {
        normal([self.uniform_f64(), self.uniform_f64()])
    }

    /// As many numbers as [`Stream::normal`] gives one by one, in less time.
    pub(crate) fn normals(&mut self, out: &mut [f64]) {
        let mut uniforms = [0.0; UNIFORMS_TOGETHER];
        for out in out.chunks_mut(UNIFORMS_TOGETHER / 2) {
            let uniforms = &mut uniforms[..2 * out.len()];
            self.uniforms(uniforms);
            for (out, pair) in out.iter_mut().zip(uniforms.as_chunks().0) {
                *out = normal(*pair);
            }
        }
    }

    /// `k` of 0 … n − 1, each at most once, in random order: the first k places of a Fisher–Yates shuffle, place i
    /// swapping with i + below(n − i).
    ///
    /// # Panics
    /// If `k` exceeds `n`.
    pub fn without_replacement(&mut self, n: u32, k: u32) -> Vec<u32> {
        assert!(k <= n, "cannot take {k} of {n} without replacement");
        let mut order: Vec<u32> = (0..n).collect();
        for place in 0..k {
            order.swap(place as usize, (place + self.below(n - place)) as usize);
        }
        order.truncate(k as usize);
        order
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// `tests/reference/streams.py` makes the same numbers from the definitions alone.
    #[test]
    fn numbers_are_those_of_the_independent_implementation() {
        let fixture = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/reference/fixtures/streams.json"));
        let vectors: Vec<Value> = serde_json::from_str(fixture).unwrap();
        let purposes = [
            Purpose::ForwardWeights,
            Purpose::FeedbackWeights,
            Purpose::SampleOrder,
            Purpose::Bootstrap,
            Purpose::Task,
            Purpose::TaskSamples,
            Purpose::Selection,
        ];
        assert_eq!(vectors.len(), 42);
        for vector in vectors {
            let seed = vector["seed"].as_str().unwrap().parse().unwrap();
            let purpose = *purposes.iter().find(|p| p.name() == vector["purpose"]).unwrap();
            let make = || stream(seed, purpose, vector["layer"].as_u64().unwrap() as u32);
            let integers = |key: &str| -> Vec<u32> {
                vector[key].as_array().unwrap().iter().map(|x| x.as_u64().unwrap() as u32).collect()
            };

            let mut uniforms = make();
            let drawn: Vec<f64> = (0..40).map(|_| uniforms.uniform_f64()).collect();
            let expected = vector["uniform_times_2_53"].as_array().unwrap();
            for (drawn, expected) in drawn.iter().step_by(13).zip(expected) {
                assert_eq!((drawn * 2_f64.powi(53)) as u64, expected.as_u64().unwrap());
            }
            let mut belows = make();
            let limits = [[3 << 30; 8].as_slice(), &[1, 10, 60_000]].concat();
            assert_eq!(limits.iter().map(|&n| belows.below(n)).collect::<Vec<_>>(), integers("below"));
            let mut normals = make();
            for expected in vector["normal"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()) {
                // The fixture's logarithm and cosine are another library's.
                assert!((normals.normal() - expected).abs() < 1e-14);
            }
            assert_eq!(make().without_replacement(50_000, 6), integers("without_replacement"));
        }
    }

    #[test]
    fn many_numbers_are_those_that_come_one_by_one() {
        for n in [1, 7, UNIFORMS_TOGETHER, 3 * UNIFORMS_TOGETHER + 5] {
            let [mut together, mut apart] = [0, 1].map(|_| stream(4, Purpose::ForwardWeights, 2));
            // Not from the beginning of a block of the generator.
            assert_eq!(together.below(1 << 20), apart.below(1 << 20));
            let mut numbers = vec![0.0; n];
            together.uniforms(&mut numbers);
            assert_eq!(numbers, (0..n).map(|_| apart.uniform_f64()).collect::<Vec<_>>());
            together.normals(&mut numbers);
            assert_eq!(numbers, (0..n).map(|_| apart.normal()).collect::<Vec<_>>());
            assert_eq!(together.below(1 << 20), apart.below(1 << 20));
        }
    }

    #[test]
    fn purpose_layer_and_seed_each_make_a_stream_of_their_own() {
        let first = |seed, purpose, layer| stream(seed, purpose, layer).uniform_f64();
        let base = first(1, Purpose::ForwardWeights, 1);
        assert_eq!(base, first(1, Purpose::ForwardWeights, 1));
        for other in [
            first(2, Purpose::ForwardWeights, 1),
            first(1, Purpose::FeedbackWeights, 1),
            first(1, Purpose::ForwardWeights, 2),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn below_is_uniform_and_a_permutation_is_one() {
        let mut s = stream(7, Purpose::Task, 0);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[s.below(7) as usize] += 1;
        }
        // 10,000 expected in each, standard deviation 93.
        assert!(counts.iter().all(|c| c.abs_diff(10_000) < 500), "{counts:?}");
        let mut order = s.without_replacement(1000, 1000);
        order.sort_unstable();
        assert!(order.into_iter().eq(0..1000));
    }

    #[test]
    fn normal_has_unit_moments() {
        let mut s = stream(3, Purpose::Task, 0);
        let n = 200_000;
        let (mut m1, mut m2, mut m4) = (0.0, 0.0, 0.0);
        for _ in 0..n {
            let x = s.normal();
            (m1, m2, m4) = (m1 + x, m2 + x * x, m4 + x.powi(4));
        }
        let n = f64::from(n);
        // Standard errors: 0.0022, 0.0032, 0.022.
        assert!((m1 / n).abs() < 0.01 && (m2 / n - 1.0).abs() < 0.015 && (m4 / n - 3.0).abs() < 0.1);
    }
}
