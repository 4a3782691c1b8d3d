//! Kernels one at a time, for `benches/`: each with its arithmetic and traffic, beside two that measure the machine itself.

use super::activation::Activation;
use super::backend::{Backend, Kernel, dispatch};
use super::intensity::INTENSITY;
use super::lanes::{Lanes, WIDTH, as_flat_mut, lanes_for};
use super::matrix::InputMajor;
use super::simd::Simd;
use super::{
    ActiveRows, DEPTH, Deferred, LayerSignals, PreFactor, RowRule, SynapticRule, activate, forward, forward_active,
    forward_batch, outer_sum, project_batch, update_layer,
};

/// One kernel on made-up numbers.
pub struct Probe {
    /// Kernel and sizes.
    pub name: String,
    /// Additions and multiplications a run.
    pub flops: f64,
    /// Bytes of weights read and written a run.
    pub bytes: f64,
    run: Box<dyn FnMut()>,
}

impl Probe {
    fn new(name: impl Into<String>, flops: usize, bytes: usize, run: impl FnMut() + 'static) -> Self {
        Self { name: name.into(), flops: flops as f64, bytes: bytes as f64, run: Box::new(run) }
    }

    /// Runs the kernel once.
    pub fn run(&mut self) {
        (self.run)();
    }
}

/// Fused multiply-adds on registers only: the peak of one core.
pub fn fma_peak(backend: Backend) -> Probe {
    const ROUNDS: usize = 10_000;
    Probe::new("FMA peak", ROUNDS * CHAINS * WIDTH * 2, 0, move || {
        std::hint::black_box(dispatch(backend, RegisterOnly { rounds: ROUNDS }));
    })
}

/// As many as hide the latency of an FMA and fit the registers of AVX2.
const CHAINS: usize = 6;

struct RegisterOnly {
    rounds: usize,
}

impl Kernel for RegisterOnly {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f32 {
        // x ← x / 2 + 1 converges to 2: no denormal, no overflow.
        let (half, one) = (simd.splat(std::hint::black_box(0.5)), simd.splat(std::hint::black_box(1.0)));
        let mut x = [simd.splat(0.0); CHAINS];
        for _ in 0..self.rounds {
            for x in &mut x {
                *x = simd.mul_add(*x, half, one);
            }
        }
        x.into_iter().map(|x| simd.sum(x)).sum()
    }
}

/// Reads and writes half a megabyte, the size of the first layer: the bandwidth of the second-level cache.
pub fn l2_bandwidth(backend: Backend) -> Probe {
    let mut data = vec![Lanes([1.0; WIDTH]); 8192];
    let bytes = 2 * size_of_val(data.as_slice());
    Probe::new("L2 read + write", data.len() * WIDTH, bytes, move || {
        dispatch(backend, Stream { data: &mut data });
    })
}

struct Stream<'a> {
    data: &'a mut [Lanes],
}

impl Kernel for Stream<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let one = simd.splat(std::hint::black_box(1.0));
        for lanes in self.data {
            simd.store(simd.mul(one, simd.load(lanes)), lanes);
        }
    }
}

fn weights(n_in: usize, n_out: usize) -> InputMajor {
    InputMajor::from_fn(n_in, n_out, |i, j| ((i * 31 + j * 17) % 97) as f32 / 970.0 - 0.05)
}

fn vectors(n: usize, samples: usize) -> Vec<Lanes> {
    let mut rows = vec![Lanes::ZERO; samples * lanes_for(n)];
    for (s, row) in rows.chunks_exact_mut(lanes_for(n)).enumerate() {
        as_flat_mut(row)[..n].iter_mut().enumerate().for_each(|(k, x)| *x = ((s + k * 7) % 13) as f32 / 13.0);
    }
    rows
}

/// The kernels of online learning and of evaluation, at the sizes of the paper's networks.
pub fn probes(backend: Backend) -> Vec<Probe> {
    let mut probes = Vec::new();
    let (n_in, n_out) = (784, 170);

    // As in MNIST, a fifth of the pixels are not silent, and they lie together: rectangles of 12 × 13 that move about.
    let lit = |image: usize, i: usize| {
        let (row, column) = (i / 28, i % 28);
        (4 + image % 7..16 + image % 7).contains(&row) && (4 + image % 5..17 + image % 5).contains(&column)
    };
    let bytes: Vec<u8> = (0..DEPTH * n_in).map(|k| if lit(k / n_in, k % n_in) { 200 } else { 0 }).collect();
    let images = ActiveRows::from_bytes(&bytes, n_in, &INTENSITY);
    let (w, x, mut z) = (weights(n_in, n_out), images.clone(), vectors(n_out, 1));
    let n_active = images.row(0).len();
    let row = lanes_for(n_out) * WIDTH * 4;
    probes.push(Probe::new("forward 784→170, a fifth active", 2 * n_active * n_out, n_active * row, move || {
        forward_active(backend, &w, x.row(0), &mut z);
    }));

    for (n_in, n_out) in [(170, 130), (100, 70)] {
        let (w, y, mut z) = (weights(n_in, n_out), vectors(n_in, 1), vectors(n_out, 1));
        let traffic = n_in * lanes_for(n_out) * WIDTH * 4;
        probes.push(Probe::new(format!("forward {n_in}→{n_out}"), 2 * n_in * n_out, traffic, move || {
            forward(backend, &w, &y, &mut z);
        }));
    }

    let gradient = PreFactor { activation: -1e-9, ..PreFactor::default() };
    let oja = PreFactor { activation: 1e-9, error: 0.0, projection: -1e-9 };
    let bp = SynapticRule { forward: RowRule { by_error: gradient, ..RowRule::default() }, ..SynapticRule::default() };
    let with_oja = SynapticRule { forward: RowRule { by_activation: oja, ..bp.forward }, ..bp };
    for (name, rule) in [("BP", bp.forward), ("BP+Oja", with_oja.forward)] {
        let mut deferred = Deferred::new(rule, n_in, n_out).expect("the rule reads no e_0");
        let (mut w, x, e, y) = (weights(n_in, n_out), images.clone(), vectors(n_out, 1), vectors(n_out, 1));
        let mut z = vectors(n_out, 1);
        let (rows, dense) = (n_active * n_out, if rule.reads_projection() { 2 * n_in * n_out } else { 0 });
        let traffic = DEPTH * n_active * row + 2 * lanes_for(n_out) * WIDTH * 4 * n_in;
        let name = format!("{DEPTH} steps of 784→170, {name}");
        probes.push(Probe::new(name, 2 * DEPTH * (2 * rows + dense), traffic, move || {
            for step in 0..DEPTH {
                deferred.forward(backend, &w, x.row(step), &mut z);
                deferred.push(backend, x.row(step), &e, &y);
            }
            deferred.apply(backend, &mut w);
        }));
    }
    for (n_in, n_out, name, rule) in [
        (784, 170, "BP+Oja", with_oja),
        (170, 130, "BP", bp),
        (170, 130, "BP+Oja", with_oja),
        (70, 10, "BP+Oja", with_oja),
    ] {
        let propagate = n_in != 784;
        let dots = usize::from(propagate) + usize::from(rule.reads_projection());
        let updates = 1 + usize::from(rule.reads_projection());
        let (mut w, mut x) = (weights(n_in, n_out), vectors(n_in, 1));
        if !propagate {
            as_flat_mut(&mut x).iter_mut().enumerate().filter(|(i, _)| i % 5 != 0).for_each(|(_, x)| *x = 0.0);
        }
        let (e, y) = (vectors(n_out, 1), vectors(n_out, 1));
        let (mut pre_error, mut projection) = (vectors(n_in, 1), vectors(n_in, 1));
        let traffic = 2 * n_in * lanes_for(n_out) * WIDTH * 4;
        let flops = 2 * n_in * n_out * (dots + updates);
        probes.push(Probe::new(format!("update {n_in}→{n_out}, {name}"), flops, traffic, move || {
            let signals = LayerSignals {
                error: &e,
                activation: &y,
                pre_activation: &x,
                function: Activation::Softplus { beta: 10.0 },
                pre_is_input: !propagate,
                propagate,
                pre_error: &mut pre_error,
                projection: &mut projection,
            };
            update_layer(backend, &rule, &mut w, None, None, signals);
        }));
    }

    let mut y = vectors(170, 1);
    probes.push(Probe::new("softplus of 170", 0, 0, move || {
        activate(backend, Activation::Softplus { beta: 10.0 }, 170, &mut y);
    }));

    let (n_in, n_out, samples) = (170, 130, 48);
    let flops = 2 * n_in * n_out * samples;
    let (w, y, mut z) = (weights(n_in, n_out), vectors(n_in, samples), vectors(n_out, samples));
    probes.push(Probe::new("batch of 48, forward 170→130", flops, 0, move || forward_batch(backend, &w, &y, &mut z)));
    let (w, e, mut d) = (weights(n_in, n_out), vectors(n_out, samples), vectors(n_in, samples));
    probes.push(Probe::new("batch of 48, projection 130→170", flops, 0, move || {
        project_batch(backend, &w, &e, &mut d)
    }));
    let (mut g, y, e) = (weights(n_in, n_out), vectors(n_in, samples), vectors(n_out, samples));
    probes.push(Probe::new("batch of 48, gradient 170→130", flops, 0, move || outer_sum(backend, &y, &e, &mut g)));
    probes
}
