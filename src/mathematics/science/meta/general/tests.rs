//! Programs of random equations: the way back against differences, for everything that they read.

use super::matrix::{Matrix, dot};
use super::program::{LayerTerm, Memory, Site, SiteAdjoints};
use super::signals::{Adjoints, Signals};
use crate::kernels::noise::Noise;
use crate::science::plasticity::{Synapses, Term, Written, WrittenState};

const N_PRE: usize = 5;
const N_POST: usize = 7;

/// Equations that fit, of any form.
struct Author(Noise);

impl Author {
    fn choose<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.0.below(words.len() as u64) as usize]
    }

    fn function(&mut self) -> &'static str {
        self.choose(&["tanh", "exp", "abs", "relu", "sign", "threshold", "-"])
    }

    fn sign(&mut self) -> &'static str {
        self.choose(&["+", "-", ".*", ".*", "./"])
    }

    /// Divisors stay away from 0.
    fn pair(&mut self, a: String, b: String) -> String {
        match self.sign() {
            "./" => format!("({a} ./ (1 + ({b}).^2))"),
            sign => format!("({a} {sign} {b})"),
        }
    }

    fn number(&mut self, depth: usize) -> String {
        let kind = if depth == 0 { 0 } else { self.0.below(6) };
        match kind {
            0 => self.choose(&["0.5", "2", "loss", "loss_change", "level", "rate"]).to_owned(),
            5 => format!("max({})", self.post(depth - 1)),
            1 => format!("mean({})", self.post(depth - 1)),
            2 => format!("sum({})", self.pre(depth - 1)),
            3 => format!("(({})' * {})", self.post(depth - 1), self.post(depth - 1)),
            _ => {
                let (a, b) = (self.number(depth - 1), self.number(depth - 1));
                self.pair(a, b)
            }
        }
    }

    fn post(&mut self, depth: usize) -> String {
        let kind = if depth == 0 { 0 } else { self.0.below(6) };
        match kind {
            0 => self.choose(&["y_post", "e_post", "z_post", "label", "noise", "theta"]).to_owned(),
            1 => format!("{}({})", self.function(), self.post(depth - 1)),
            2 => {
                let (a, b) = (self.post(depth - 1), self.post(depth - 1));
                self.pair(a, b)
            }
            3 => {
                let (a, b) = (self.number(depth - 1), self.post(depth - 1));
                self.pair(a, b)
            }
            4 => format!("({} * {})", self.matrix(depth - 1), self.pre(depth - 1)),
            _ => format!("(diag({}) * {})", self.post(depth - 1), self.post(depth - 1)),
        }
    }

    fn pre(&mut self, depth: usize) -> String {
        let kind = if depth == 0 { 0 } else { self.0.below(5) };
        match kind {
            0 => self.choose(&["y_pre", "e_pre", "trace"]).to_owned(),
            1 => format!("{}({})", self.function(), self.pre(depth - 1)),
            2 => {
                let (a, b) = (self.pre(depth - 1), self.pre(depth - 1));
                self.pair(a, b)
            }
            3 => format!("({}).^3", self.pre(depth - 1)),
            _ => format!("(({})' * {})", self.matrix(depth - 1), self.post(depth - 1)),
        }
    }

    /// n_ℓ × n_{ℓ-1}.
    fn matrix(&mut self, depth: usize) -> String {
        let kind = if depth == 0 { self.0.below(2) } else { 1 + self.0.below(9) };
        match kind {
            0 => self.choose(&["W", "B'"]).to_owned(),
            1 | 2 => {
                let depth = depth.saturating_sub(1);
                format!("({} * ({})')", self.post(depth), self.pre(depth))
            }
            3 => format!("{}({})", self.function(), self.matrix(depth - 1)),
            4 => {
                let (a, b) = (self.matrix(depth - 1), self.matrix(depth - 1));
                self.pair(a, b)
            }
            5 => {
                let (a, b) = (self.matrix(depth - 1), self.number(depth - 1));
                self.pair(a, b)
            }
            6 => format!("(diag({}) * {})", self.post(depth - 1), self.matrix(depth - 1)),
            7 => format!("({} * diag({}))", self.matrix(depth - 1), self.pre(depth - 1)),
            8 => {
                let (a, b, of) = (self.post(depth - 1), self.post(depth - 1), self.matrix(depth - 1));
                format!("(lower({a} * ({b})') * {of})")
            }
            _ => {
                let (a, b, of) = (self.pre(depth - 1), self.pre(depth - 1), self.matrix(depth - 1));
                format!("(lower({a} * ({b})') * ({of})')'")
            }
        }
    }

    fn term(&mut self) -> Written {
        let state = |name: &str, update: String| WrittenState { name: name.to_owned(), start: 0.1, update };
        let state = vec![state("theta", self.post(2)), state("trace", self.pre(2)), state("level", self.number(2))];
        let equation = self.matrix(3);
        let (synapses, equation) = match self.0.below(3) {
            0 => (Synapses::Feedback, format!("({equation})'")),
            _ => (Synapses::Forward, equation),
        };
        let parameters = vec![("rate".to_owned(), 0.3)];
        Written { name: "term".to_owned(), synapses, equation, parameters, state }
    }
}

/// Everything that a term reads, or a direction in which it changes.
#[derive(Clone)]
struct Inputs {
    w: Matrix,
    b: Matrix,
    signals: Signals,
    memory: Memory,
}

impl Inputs {
    fn new(random: &mut Noise, term: &LayerTerm) -> Self {
        let mut number = || (random.below(2001) as f64 - 1000.0) / 900.0;
        let mut vector = |n: usize| (0..n).map(|_| number()).collect::<Vec<f64>>();
        let mut matrix = || {
            let mut matrix = Matrix::zeros(N_PRE, N_POST);
            matrix.values_mut().copy_from_slice(&vector(N_PRE * N_POST));
            matrix
        };
        let [w, b] = [matrix(), matrix()];
        let mut layers = || vec![vec![0.0; 2], vector(N_PRE), vector(N_POST)];
        let signals =
            Signals { label: 3, y: layers(), z: layers(), e: layers(), noise: layers(), ..Signals::default() };
        let memory = term.memory().iter().map(|values| vector(values.len())).collect();
        let told = vector(2);
        Self { w, b, signals: Signals { loss: told[0], loss_change: told[1], ..signals }, memory }
    }

    /// What has a derivative, one after the other: numbers by group.
    fn groups(&mut self) -> Vec<&mut [f64]> {
        let Self { w, b, signals, memory } = self;
        let Signals { y, z, e, loss, loss_change, .. } = signals;
        let vectors = y.iter_mut().chain(z).chain(e).chain(memory).map(|vector| &mut vector[..]);
        let told = [std::slice::from_mut(loss), std::slice::from_mut(loss_change)];
        vectors.chain(told).chain([w.values_mut(), b.values_mut()]).collect()
    }

    fn site(&self) -> Site<'_> {
        Site { w: &self.w, b: Some(&self.b), signals: &self.signals, memory: &self.memory }
    }
}

/// V · T and what is remembered times weights of its own.
fn judged(term: &LayerTerm, inputs: &Inputs, v: &Matrix, of_memory: &Memory) -> (f64, f64) {
    let values = term.values(inputs.site());
    let mut moved = Matrix::zeros(N_PRE, N_POST);
    term.learn(1.0, &values, inputs.site(), &mut moved);
    let remembered = term.remember(&values);
    let of_t = dot(v.values(), moved.values());
    (of_t, of_t + remembered.iter().zip(of_memory).map(|(a, b)| dot(a, b)).sum::<f64>())
}

#[test]
fn the_way_back_through_random_equations_agrees_with_differences() {
    let mut author = Author(Noise(1));
    let (mut n_compared, mut n_kinks) = (0, 0);
    for case in 0..600 {
        let written = author.term();
        let term = Term::of_equation(&written).unwrap_or_else(|fault| panic!("{written:?}: {fault:?}"));
        let term = LayerTerm::new(&term, 2, [N_PRE, N_POST], false);
        let mut random = Noise(100 + case);
        let mut inputs = Inputs::new(&mut random, &term);
        let weights = Inputs::new(&mut random, &term);
        let (of_t, judgement) = judged(&term, &inputs, &weights.w, &weights.memory);
        if judgement.is_nan() || judgement.abs() > 1e5 {
            continue;
        }
        let mut adjoints = Inputs {
            w: Matrix::zeros(N_PRE, N_POST),
            b: Matrix::zeros(N_PRE, N_POST),
            signals: Signals::default(),
            memory: term.memory().iter().map(|values| vec![0.0; values.len()]).collect(),
        };
        let mut bar = Adjoints::zeros(&[2, N_PRE, N_POST]);
        let mut to = SiteAdjoints {
            w: &mut adjoints.w,
            b: Some(&mut adjoints.b),
            signals: &mut bar,
            memory: &mut adjoints.memory,
        };
        let of_theta = term.back(1.0, &term.values(inputs.site()), inputs.site(), &weights.w, &weights.memory, &mut to);
        assert!((of_theta - of_t).abs() <= 1e-9 * (1.0 + of_t.abs()), "{written:?}: {of_theta} for {of_t}");
        let Adjoints { y, z, e, loss, loss_change } = bar;
        adjoints.signals = Signals { y, z, e, loss, loss_change, ..Signals::default() };
        let mut direction = Inputs::new(&mut random, &term);
        for group in 0..inputs.groups().len() {
            let along = direction.groups()[group].to_vec();
            let found = dot(&along, adjoints.groups()[group]);
            let mut at = |h: f64| {
                let before = inputs.groups()[group].to_vec();
                inputs.groups()[group].iter_mut().zip(&along).for_each(|(x, d)| *x += h * d);
                let judgement = judged(&term, &inputs, &weights.w, &weights.memory).1;
                inputs.groups()[group].copy_from_slice(&before);
                judgement
            };
            let mut difference = |h: f64| (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
            let [expected, nearer] = [1e-5, 3e-6].map(&mut difference);
            let scale = expected.abs() + judgement.abs() + 1.0;
            if (expected - nearer).abs() > 1e-5 * scale {
                n_kinks += 1;
                continue;
            }
            let off = (found - expected).abs() / scale;
            assert!(off < 1e-8, "group {group} of {written:?}: {found} for {expected}");
            n_compared += 1;
        }
    }
    assert!(n_compared > 6000 && n_kinks < n_compared / 50, "{n_compared}, {n_kinks}");
}
