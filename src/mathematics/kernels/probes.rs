//! Kernels one at a time, for `benches/`: each with the arithmetic and the traffic that nothing can spare it, beside probes
//! that measure the machine itself ([`limits`]).
//!
//! Weights come from the second-level cache here, as they do in a training: a network does not fit the first. Where one
//! matrix would, copies of it take turns.

pub mod limits;

use super::activation::Activation;
use super::backend::Backend;
use super::intensity::INTENSITY;
use super::lanes::{Lanes, as_flat_mut, lanes_for};
use super::matrix::InputMajor;
use super::{
    ActivePairs, ActiveRows, Block, Differentiated, ErrorBelow, Forwarded, LayerSignals, PreFactor, ProductAdjoint,
    RowAdjoint, RowRule, RowStep, STEPS, Scale, Seen, Shares, SynapticRule, Waiting, activate, forward, forward_active,
    forward_back, forward_batch, forward_pair, outer_sum, project_batch, step_rows, step_rows_back, update_layer,
};

/// How many steps of the first layer are carried out together where a rule allows it.
pub const STEPS_TOGETHER: usize = STEPS;

/// Bytes of weights that pass before the same ones are used again: several times a first-level cache, well within a second.
const APART: usize = 1 << 18;

/// One kernel on made-up numbers.
pub struct Probe {
    /// Kernel and sizes.
    pub name: String,
    /// Multiply-adds a run; those with zeros, and of zeros that pad, do not count.
    pub multiply_adds: f64,
    /// Bytes a run that come from the second-level cache: weights, without what pads them.
    pub read: f64,
    /// Bytes a run that go there.
    pub written: f64,
    run: Box<dyn FnMut()>,
}

impl Probe {
    pub(crate) fn new(
        name: impl Into<String>,
        multiply_adds: usize,
        [read, written]: [usize; 2],
        run: impl FnMut() + 'static,
    ) -> Self {
        let [multiply_adds, read, written] = [multiply_adds, read, written].map(|amount| amount as f64);
        Self { name: name.into(), multiply_adds, read, written, run: Box::new(run) }
    }

    /// Runs the kernel once.
    pub fn run(&mut self) {
        (self.run)();
    }
}

/// Multiplications and multiply-adds in σ(z), and in σ′ from it, as the kernels' polynomials have them. Divisions are not
/// counted: they have a unit of their own.
pub fn arithmetic_of(activation: Activation) -> [usize; 2] {
    /// eˣ and eˣ − 1, and ln(1 + t).
    const EXP: usize = 11;
    const LN_1P: usize = 10;
    match activation {
        Activation::Softplus { .. } => [1 + EXP + LN_1P, 1 + EXP],
        Activation::Tanh => [1 + EXP, 1],
        Activation::Relu => [0, 0],
        Activation::Sigmoid => [EXP, 1],
        Activation::Linear => [0, 0],
    }
}

/// Copies of a matrix, of which the next is used each time.
pub(crate) struct Weights {
    copies: Vec<InputMajor>,
    next: usize,
}

impl Weights {
    pub(crate) fn new(n_in: usize, n_out: usize) -> Self {
        let weights = InputMajor::from_fn(n_in, n_out, |i, j| ((i * 31 + j * 17) % 97) as f32 / 970.0 - 0.05);
        let n = APART.div_ceil(size_of_val(weights.lanes()));
        Self { copies: vec![weights; n], next: 0 }
    }

    pub(crate) fn next(&mut self) -> &mut InputMajor {
        self.next = (self.next + 1) % self.copies.len();
        &mut self.copies[self.next]
    }
}

pub(crate) fn vectors(n: usize, samples: usize) -> Vec<Lanes> {
    let mut rows = vec![Lanes::ZERO; samples * lanes_for(n)];
    for (s, row) in rows.chunks_exact_mut(lanes_for(n)).enumerate() {
        as_flat_mut(row)[..n].iter_mut().enumerate().for_each(|(k, x)| *x = ((s + k * 7) % 13) as f32 / 13.0);
    }
    rows
}

/// Bytes of a matrix.
fn bytes(n_in: usize, n_out: usize) -> usize {
    n_in * n_out * size_of::<f32>()
}

/// Coefficients so small that no number moves, however long a probe runs.
const TINY: f32 = 1e-9;

fn gradient() -> SynapticRule {
    let by_error = PreFactor { activation: -TINY, ..PreFactor::default() };
    SynapticRule { forward: RowRule { by_error, ..RowRule::default() }, ..SynapticRule::default() }
}

fn gradient_and_oja() -> SynapticRule {
    let by_activation = PreFactor { activation: TINY, error: 0.0, projection: -TINY };
    SynapticRule { forward: RowRule { by_activation, ..gradient().forward }, ..SynapticRule::default() }
}

/// The paper's, equation (9).
fn rule_nine() -> SynapticRule {
    let RowRule { by_error, by_activation, .. } = gradient_and_oja().forward;
    SynapticRule {
        forward: RowRule { by_error: PreFactor { error: TINY, ..by_error }, by_activation, decay: TINY },
        feedback: RowRule { by_error, decay: TINY, ..RowRule::default() },
    }
}

/// The kernels of online learning, evaluation and meta-learning, at the sizes of the paper's networks.
pub fn probes(backend: Backend) -> Vec<Probe> {
    let mut probes = first_layer(backend);
    probes.extend(forward_and_updates(backend));
    probes.extend(functions(backend));
    probes.extend(batches(backend));
    probes.extend(meta_learning(backend));
    probes
}

const N_PIXELS: usize = 784;
const N_FIRST: usize = 170;

/// As in MNIST, a fifth of the pixels are not silent, and they lie together: rectangles of 12 × 13 that move about.
fn is_lit(image: usize, i: usize) -> bool {
    let (row, column) = (i / 28, i % 28);
    (4 + image % 7..16 + image % 7).contains(&row) && (4 + image % 5..17 + image % 5).contains(&column)
}

/// Pixels that any of the first `n` images lights.
fn lit_by_any(n: usize) -> usize {
    (0..N_PIXELS).filter(|&i| (0..n).any(|image| is_lit(image, i))).count()
}

fn first_layer(backend: Backend) -> Vec<Probe> {
    let mut probes = Vec::new();
    let pixels = (0..STEPS * N_PIXELS).map(|k| if is_lit(k / N_PIXELS, k % N_PIXELS) { 200 } else { 0 });
    let images = ActiveRows::from_bytes(&pixels.collect::<Vec<u8>>(), N_PIXELS, &INTENSITY);
    let n_lit = images.row(0).len();
    let (mut w, x, mut z) = (Weights::new(N_PIXELS, N_FIRST), images.clone(), vectors(N_FIRST, 1));
    let name = format!("forward {N_PIXELS}→{N_FIRST}, {n_lit} lit");
    probes.push(Probe::new(name, n_lit * N_FIRST, [bytes(n_lit, N_FIRST), 0], move || {
        forward_active(backend, w.next(), x.row(0), &mut z);
    }));

    let (mut w, pairs, mut z) =
        (Weights::new(N_PIXELS, N_FIRST), ActivePairs::new(&images, [[0, 1]]), vectors(N_FIRST, 2));
    let name = format!("the same of two images, {} lit", lit_by_any(2));
    probes.push(Probe::new(name, 2 * n_lit * N_FIRST, [bytes(lit_by_any(2), N_FIRST), 0], move || {
        forward_pair(backend, w.next(), &pairs, 0, &mut z);
    }));

    for (name, rule) in [("BP", gradient().forward), ("BP+Oja", gradient_and_oja().forward)] {
        let (mut block, mut seen) = (Block::new(&rule, N_FIRST), Seen::new(N_PIXELS));
        let (mut forwarded, mut shares) = (Forwarded::default(), Shares::default());
        let (mut w, x, e, y) =
            (Weights::new(N_PIXELS, N_FIRST), images.clone(), vectors(N_FIRST, 1), vectors(N_FIRST, 1));
        let mut z = vectors(N_FIRST, 1);
        let (moved, dense) = match rule.reads_projection() {
            true => (N_PIXELS, 2 * N_PIXELS * N_FIRST),
            false => (lit_by_any(STEPS), 0),
        };
        let multiply_adds = STEPS * (2 * n_lit * N_FIRST + dense);
        let traffic = [bytes(STEPS * n_lit + moved, N_FIRST), bytes(moved, N_FIRST)];
        let name = format!("{STEPS} steps of {N_PIXELS}→{N_FIRST}, {name}");
        probes.push(Probe::new(name, multiply_adds, traffic, move || {
            let w = w.next();
            seen.clear();
            block.begin(&rule);
            for step in 0..STEPS {
                block.forward(backend, w, &seen, x.row(step), &mut forwarded, &mut z);
                block.push(backend, &e, &y, &mut shares);
                seen.set(step, x.row(step), &[]);
            }
            block.write(backend, None, &seen, &mut [], w);
        }));
    }
    probes
}

/// What a layer sees of e_ℓ, y_ℓ and y_{ℓ-1}; it is to make e_{ℓ-1} and Wᵀ y_ℓ.
fn signals<'a>(
    [error, activation, pre_activation]: [&'a [Lanes]; 3],
    [pre_error, projection]: [&'a mut [Lanes]; 2],
) -> LayerSignals<'a> {
    LayerSignals {
        error,
        activation,
        pre_activation,
        function: Activation::Tanh,
        pre_is_input: false,
        below: ErrorBelow::Wanted,
        pre_error,
        projection,
    }
}

fn forward_and_updates(backend: Backend) -> Vec<Probe> {
    let mut probes = Vec::new();
    for (n_in, n_out) in [(170, 130), (100, 70)] {
        let (mut w, y, mut z) = (Weights::new(n_in, n_out), vectors(n_in, 1), vectors(n_out, 1));
        let name = format!("forward {n_in}→{n_out}");
        probes.push(Probe::new(name, n_in * n_out, [bytes(n_in, n_out), 0], move || {
            forward(backend, w.next(), &y, &mut z);
        }));
    }
    for (n_in, n_out, name, rule) in [
        (170, 130, "BP", gradient()),
        (170, 130, "BP+Oja", gradient_and_oja()),
        (170, 130, "rule (9)", rule_nine()),
        (70, 10, "BP+Oja", gradient_and_oja()),
        (128, 128, "errors only", SynapticRule::default()),
    ] {
        let mut w = Weights::new(n_in, n_out);
        let mut b = (!rule.feedback.is_zero()).then(|| Weights::new(n_in, n_out));
        let updates = [&rule.forward, &rule.feedback]
            .map(|rule| usize::from(!rule.by_error.is_zero()) + usize::from(!rule.by_activation.is_zero()));
        let products = 1 + usize::from(rule.reads_projection());
        let multiply_adds = (products + updates[0] + updates[1]) * n_in * n_out;
        let matrices = 1 + usize::from(b.is_some());
        let written = if rule == SynapticRule::default() { 0 } else { matrices };
        let traffic = [matrices, written].map(|matrices| matrices * bytes(n_in, n_out));
        let (x, e, y) = (vectors(n_in, 1), vectors(n_out, 1), vectors(n_out, 1));
        let (mut pre_error, mut projection) = (vectors(n_in, 1), vectors(n_in, 1));
        probes.push(Probe::new(format!("update {n_in}→{n_out}, {name}"), multiply_adds, traffic, move || {
            let signals = signals([&e, &y, &x], [&mut pre_error, &mut projection]);
            update_layer(backend, &rule, w.next(), b.as_mut().map(Weights::next), None, signals);
        }));
    }
    // The two passes of a hidden layer's step: errors and factors, then the weights as the next forward pass moves them.
    for (name, rule) in [("BP", gradient()), ("BP+Oja", gradient_and_oja())] {
        let (n_in, n_out) = (170, 130);
        let mut w = Weights::new(n_in, n_out);
        let mut waiting = Waiting::new(n_in, n_out);
        let updates = if rule.reads_projection() { 2 } else { 1 };
        let (x, e, y, mut z) = (vectors(n_in, 1), vectors(n_out, 1), vectors(n_out, 1), vectors(n_out, 1));
        let (mut pre_error, mut projection) = (vectors(n_in, 1), vectors(n_in, 1));
        let traffic = [2 * bytes(n_in, n_out), bytes(n_in, n_out)];
        let name = format!("errors, then forward {n_in}→{n_out}, {name}");
        probes.push(Probe::new(name, (2 * updates + 1) * n_in * n_out, traffic, move || {
            let signals = signals([&e, &y, &x], [&mut pre_error, &mut projection]);
            // Another copy's turn: between the two passes of a layer a training reads all others.
            update_layer(backend, &rule, w.next(), None, Some(&mut waiting), signals);
            waiting.forward(backend, w.next(), &x, &mut z);
        }));
    }
    probes
}

/// Of whole layers: what ten outputs take is latency, which has no floor here.
fn functions(backend: Backend) -> Vec<Probe> {
    let mut probes = Vec::new();
    for (name, function, n) in
        [("softplus", Activation::Softplus { beta: 10.0 }, N_FIRST), ("tanh", Activation::Tanh, 128)]
    {
        let mut y = vectors(n, 1);
        probes.push(Probe::new(format!("{name} of {n}"), n * arithmetic_of(function)[0], [0, 0], move || {
            activate(backend, function, n, &mut y);
        }));
    }
    probes
}

fn batches(backend: Backend) -> Vec<Probe> {
    let (n_in, n_out, samples) = (170, 130, 48);
    let multiply_adds = n_in * n_out * samples;
    let traffic = [bytes(n_in, n_out), 0];
    let (mut w, y, mut z) = (Weights::new(n_in, n_out), vectors(n_in, samples), vectors(n_out, samples));
    let forward = Probe::new("batch of 48, forward 170→130", multiply_adds, traffic, move || {
        forward_batch(backend, w.next(), &y, &mut z);
    });
    let (mut w, e, mut d) = (Weights::new(n_in, n_out), vectors(n_out, samples), vectors(n_in, samples));
    let project = Probe::new("batch of 48, projection 130→170", multiply_adds, traffic, move || {
        project_batch(backend, w.next(), &e, &mut d);
    });
    let (mut g, y, e) = (Weights::new(n_in, n_out), vectors(n_in, samples), vectors(n_out, samples));
    let written = [0, bytes(n_in, n_out)];
    let gradient = Probe::new("batch of 48, gradient 170→130", multiply_adds, written, move || {
        outer_sum(backend, &y, &e, g.next());
    });
    vec![forward, project, gradient]
}

/// One layer's step of the inner loop, and both parts of it on the way back.
fn meta_learning(backend: Backend) -> Vec<Probe> {
    let (n_in, n_out) = (170, 130);
    let (size, traffic) = (n_in * n_out, bytes(n_in, n_out));
    let mut probes = Vec::new();
    // Multiply-adds a weight, forward and back; the derivations are in `row_step` and `row_adjoint`.
    for (name, rule, [there, back]) in [("BP", gradient(), [2, 6]), ("rule (9)", rule_nine(), [5, 14])] {
        let matrices = if rule.feedback.is_zero() { 1 } else { 2 };
        let (post, pre) = (vectors(n_out, 1), vectors(n_in, 1));
        let tiny = vec![Lanes([TINY; super::WIDTH]); lanes_for(n_out)];

        let mut w = Weights::new(n_in, n_out);
        let mut b = (matrices == 2).then(|| Weights::new(n_in, n_out));
        let (mut pre_error, mut projection) = (pre.clone(), pre.clone());
        let step = {
            let (post, pre) = (post.clone(), pre.clone());
            move || {
                let step = RowStep {
                    rule: &rule,
                    weights: w.next(),
                    feedback: b.as_mut().map(Weights::next),
                    error: &post,
                    activation: &post,
                    pre_activation: &pre,
                    slope: &pre,
                    propagate: true,
                    project: rule.reads_projection(),
                    pre_error: &mut pre_error,
                    projection: &mut projection,
                };
                step_rows(backend, step);
            }
        };
        let name_of = |part: &str| format!("meta, {part} {n_in}→{n_out}, {name}");
        probes.push(Probe::new(name_of("step"), there * size, [matrices * traffic; 2], step));

        let (mut w, mut v) = (Weights::new(n_in, n_out), Weights::new(n_in, n_out));
        let mut b = (matrices == 2).then(|| (Weights::new(n_in, n_out), Weights::new(n_in, n_out)));
        let mut adjoints = [post.clone(), post.clone(), pre.clone(), pre.clone()];
        let differentiated = move || {
            // They are added to: from zero each time, so that they do not grow.
            adjoints.iter_mut().for_each(|adjoint| adjoint.fill(Lanes::ZERO));
            let ([mut scale, mut scale_of_feedback], mut products) = ([Scale::ONE; 2], [0.0; 2]);
            let [error, activation, pre_activation, pre_error] = &mut adjoints;
            let step = RowAdjoint {
                rule: &rule,
                wanted: &rule,
                forward: Differentiated { weights: w.next(), adjoint: v.next(), scale: &mut scale },
                feedback: b.as_mut().map(|(b, u)| Differentiated {
                    weights: b.next(),
                    adjoint: u.next(),
                    scale: &mut scale_of_feedback,
                }),
                error: &post,
                activation: &post,
                pre_activation: &pre,
                pre_error: &pre,
                projection: &pre,
                slope: &pre,
                propagate: true,
                error_adjoint: error,
                activation_adjoint: activation,
                pre_activation_adjoint: pre_activation,
                pre_error_adjoint: pre_error,
                entering: Some([&pre, &tiny]),
                products: &mut products,
            };
            step_rows_back(backend, step);
        };
        probes.push(Probe::new(name_of("step back"), back * size, [2 * matrices * traffic; 2], differentiated));
    }
    let (mut w, pre, mut pre_adjoint) = (Weights::new(n_in, n_out), vectors(n_in, 1), vectors(n_in, 1));
    let post = vec![Lanes([TINY; super::WIDTH]); lanes_for(n_out)];
    probes.push(Probe::new(format!("meta, product back {n_in}→{n_out}"), size, [traffic, 0], move || {
        let product = ProductAdjoint {
            weights: w.next(),
            scale: 1.0,
            pre_activation: &pre,
            pre_synaptic_adjoint: &post,
            pre_activation_adjoint: &mut pre_adjoint,
        };
        forward_back(backend, product);
    }));
    probes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A probe that met a size it is not made for would panic; one that counted nothing would have no floor.
    #[test]
    fn every_probe_runs_on_every_backend_and_has_a_floor() {
        for backend in Backend::available() {
            for mut probe in probes(backend) {
                probe.run();
                assert!(probe.multiply_adds > 0.0, "{}", probe.name);
                assert!(probe.read + probe.written <= 6.0 * probe.multiply_adds, "{}", probe.name);
            }
        }
    }

    #[test]
    fn weights_take_turns_until_a_first_level_cache_has_forgotten_them() {
        for (n_in, n_out) in [(N_PIXELS, N_FIRST), (70, 10)] {
            let mut weights = Weights::new(n_in, n_out);
            let first = weights.next().lanes().as_ptr();
            let mut passed = size_of_val(weights.copies[0].lanes());
            while weights.next().lanes().as_ptr() != first {
                passed += size_of_val(weights.copies[0].lanes());
            }
            assert!(passed >= APART, "{n_in}→{n_out}: {passed} bytes");
        }
    }
}
