//! Blocks of steps against steps made one at a time in double precision. Their derivatives are held against differences of whole
//! inner loops (`science/meta/tests`).

use super::*;
use crate::kernels::noise::Noise;
use crate::kernels::{PreFactor, SynapticRule, as_flat, as_flat_mut, zeros};

const N_STEPS: usize = STEPS + 7;

/// W and B as rows, one for each input.
type Rows = Vec<Vec<f64>>;

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// One step of a row.
fn move_row(row: &mut [f64], rule: &RowRule, [x, a, d]: [f64; 3], e: &[f64], y: &[f64]) {
    let factor = |f: PreFactor| f64::from(f.activation) * x + f64::from(f.error) * a + f64::from(f.projection) * d;
    let (alpha, gamma) = (factor(rule.by_error), factor(rule.by_activation));
    let keep = 1.0 - f64::from(rule.decay);
    row.iter_mut().zip(e.iter().zip(y)).for_each(|(w, (e, y))| *w = keep * *w + alpha * e + gamma * y);
}

fn in_double(matrix: &InputMajor) -> Rows {
    (0..matrix.n_in()).map(|i| matrix.outgoing(i).iter().map(|&w| f64::from(w)).collect()).collect()
}

#[track_caller]
fn assert_close(found: &[f32], expected: &[f64], what: &str) {
    for (found, expected) in found.iter().zip(expected) {
        assert!((f64::from(*found) - expected).abs() < 2e-5 * (1.0 + expected.abs()), "{what}: {found}, {expected}");
    }
}

/// What a layer has of its steps: each z_1 and e_0, and at the end W and B.
type Course = (Vec<Vec<Lanes>>, Vec<Vec<f32>>, InputMajor, InputMajor);

struct Case {
    rule: SynapticRule,
    through_b: bool,
    start: [InputMajor; 2],
    /// Lit pixels with their x and the mask of e_0.
    images: Vec<(Vec<u32>, Vec<f32>, Vec<f32>)>,
    /// e_ℓ and y_ℓ.
    signals: Vec<[Vec<Lanes>; 2]>,
}

impl Case {
    fn new(random: &mut Noise, rule: SynapticRule, through_b: bool, n_in: usize, n_out: usize) -> Self {
        let start = [0, 1].map(|_| InputMajor::from_fn(n_in, n_out, |_, _| 0.2 * random.normal() as f32));
        let images = (0..N_STEPS).map(|_| {
            let lit: Vec<u32> = (0..n_in as u32).filter(|_| random.below(3) == 0).collect();
            let x = lit.iter().map(|_| random.normal() as f32).collect();
            let mask = lit.iter().map(|_| random.normal() as f32).collect();
            (lit, x, mask)
        });
        let images = images.collect();
        let mut vector = || {
            let mut v = zeros(n_out);
            as_flat_mut(&mut v)[..n_out].iter_mut().for_each(|x| *x = 0.5 * random.normal() as f32);
            v
        };
        let signals = (0..N_STEPS).map(|_| [vector(), vector()]).collect();
        Self { rule, through_b, start, images, signals }
    }

    fn in_blocks(&self, backend: Backend) -> Course {
        let (n_in, n_out) = (self.start[0].n_in(), self.start[0].n_out());
        let rules = [&self.rule.forward, &self.rule.feedback];
        let mut blocks = rules.map(|rule| Block::new(rule, n_out));
        let (mut matrices, mut seen) = (self.start.clone(), Seen::new(n_in));
        let (mut all_z, mut errors) = (Vec::new(), Vec::new());
        for (s, ((lit, x, mask), [e, y])) in self.images.iter().zip(&self.signals).enumerate() {
            let place = s % STEPS;
            if place == 0 {
                seen.clear();
                blocks.iter_mut().zip(rules).for_each(|(block, rule)| block.begin(rule));
            }
            let (x, mut z, mut a) = (Active::new(lit, x), zeros(n_out), Vec::new());
            blocks[0].forward(backend, &matrices[0], &seen, x, &mut Forwarded::default(), &mut z);
            let which = usize::from(self.through_b);
            let propagate = Propagate {
                weights: &matrices[which],
                seen: &seen,
                rows: lit,
                error: e,
                mask,
                made: &mut Propagated::default(),
                pre_error: &mut a,
            };
            blocks[which].propagate(backend, propagate);
            blocks.iter_mut().for_each(|block| block.push(backend, e, y, &mut Shares::default()));
            assert_eq!(blocks[0].pending(), place + 1);
            seen.set(place, x, &a);
            if place + 1 == STEPS || s + 1 == N_STEPS {
                for (block, matrix) in blocks.iter().zip(&mut matrices) {
                    let before = matrix.clone();
                    let mut through = vec![NO_STEPS; if block.projects { n_in } else { 0 }];
                    block.write(backend, &before, &seen, &mut through, matrix);
                }
            }
            all_z.push(z);
            errors.push(a);
        }
        let [w, b] = matrices;
        (all_z, errors, w, b)
    }

    fn check(&self, (all_z, errors, w, b): &Course) {
        let n_out = w.n_out();
        let [mut expected_w, mut expected_b] = [0, 1].map(|k| in_double(&self.start[k]));
        for (s, ((lit, x, mask), signals)) in self.images.iter().zip(&self.signals).enumerate() {
            let [e, y] =
                [0, 1].map(|k| as_flat(&signals[k])[..n_out].iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
            let mut z = vec![0.0; n_out];
            let (mut x_of, mut a_of) = (vec![0.0; w.n_in()], vec![0.0; w.n_in()]);
            for ((&i, &x), &mask) in lit.iter().zip(x).zip(mask) {
                let i = i as usize;
                x_of[i] = f64::from(x);
                z.iter_mut().zip(&expected_w[i]).for_each(|(z, w)| *z += x_of[i] * w);
                let row = if self.through_b { &expected_b[i] } else { &expected_w[i] };
                a_of[i] = f64::from(mask) * dot(row, &e);
            }
            assert_close(as_flat(&all_z[s]), &z, "z");
            let a: Vec<f64> = lit.iter().map(|&i| a_of[i as usize]).collect();
            assert_close(&errors[s], &a, "e_0");
            for i in 0..w.n_in() {
                let signals = [x_of[i], a_of[i], dot(&expected_w[i], &y)];
                move_row(&mut expected_w[i], &self.rule.forward, signals, &e, &y);
                move_row(&mut expected_b[i], &self.rule.feedback, signals, &e, &y);
            }
        }
        for i in 0..w.n_in() {
            assert_close(w.outgoing(i), &expected_w[i], "W");
            assert_close(b.outgoing(i), &expected_b[i], "B");
        }
    }
}

/// For ragged sizes, with and without each kind of signal, through B and through W, over a whole block and a part of one; on
/// every backend the same bits.
#[test]
fn blocks_of_steps_are_steps_made_at_once() {
    let mut random = Noise(11);
    let factor = |activation, error, projection| PreFactor { activation, error, projection };
    let row = |by_error, by_activation, decay| RowRule { by_error, by_activation, decay };
    let nothing = PreFactor::default();
    let everything = row(factor(-0.03, 0.02, 0.01), factor(0.02, -0.01, -0.02), 0.01);
    let feedback = row(factor(-0.02, 0.01, 0.0), factor(0.01, 0.03, 0.0), 0.02);
    let gradient = row(factor(-0.05, 0.0, 0.0), nothing, 0.0);
    let oja = row(factor(-0.05, 0.0, 0.0), factor(0.01, 0.0, -0.01), 0.0);
    for (forward, feedback, through_b, n_in, n_out) in [
        (everything, feedback, true, 40, 33),
        (everything, RowRule::default(), false, 13, 80),
        (oja, gradient, true, 25, 17),
        (gradient, RowRule::default(), false, 6, 1),
    ] {
        let case = Case::new(&mut random, SynapticRule { forward, feedback }, through_b, n_in, n_out);
        let found = case.in_blocks(Backend::Portable);
        case.check(&found);
        for backend in Backend::available() {
            assert_eq!(case.in_blocks(backend), found, "{backend}");
        }
    }
}

#[test]
#[should_panic(expected = "32 steps are waiting already")]
fn no_more_steps_wait_than_there_is_room_for() {
    let mut block = Block::new(&RowRule::default(), 3);
    (0..=STEPS).for_each(|_| block.push(Backend::Portable, &zeros(3), &zeros(3), &mut Shares::default()));
}
