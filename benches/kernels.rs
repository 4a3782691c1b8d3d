//! Each kernel, and whole online steps, against the roofline that this run measures: peak of fused multiply-adds and bandwidth
//! of the second-level cache, one core. `cargo bench --bench kernels`; `OJAFLOW_KERNELS=portable|avx2|avx512|neon` chooses the
//! instructions.

use std::path::Path;
use std::time::{Duration, Instant};

use ojaflow::datasets;
use ojaflow::kernels::backend;
use ojaflow::kernels::probes::{Probe, fma_peak, l2_bandwidth, probes};
use ojaflow::science::activation::Activation;
use ojaflow::science::initialization::{Feedback, Initialization};
use ojaflow::science::network::{Architecture, Network};
use ojaflow::science::online::OnlineTrainer;
use ojaflow::science::plasticity::{Coefficient, Rule};
use ojaflow::science::samples::Samples;

/// Median seconds a run, over samples of about a millisecond each.
fn median_seconds(probe: &mut Probe) -> f64 {
    median(|| probe.run())
}

fn median(mut run: impl FnMut()) -> f64 {
    const SAMPLES: usize = 41;
    let mut repeats = 1_u32;
    loop {
        if timed(&mut run, repeats) > Duration::from_millis(1) {
            break;
        }
        repeats *= 2;
    }
    let mut seconds: Vec<f64> =
        (0..SAMPLES).map(|_| timed(&mut run, repeats).as_secs_f64() / f64::from(repeats)).collect();
    seconds.sort_by(f64::total_cmp);
    seconds[SAMPLES / 2]
}

fn timed(run: &mut impl FnMut(), repeats: u32) -> Duration {
    let start = Instant::now();
    (0..repeats).for_each(|_| run());
    start.elapsed()
}

fn main() {
    let backend = backend();
    let (mut fma, mut l2) = (fma_peak(backend), l2_bandwidth(backend));
    let peak = fma.flops / median_seconds(&mut fma);
    let bandwidth = l2.bytes / median_seconds(&mut l2);
    println!("{backend}: {:.0} GFLOP/s, {:.0} GB/s from and to the second-level cache\n", peak / 1e9, bandwidth / 1e9);
    println!("{:34} {:>9} {:>9} {:>6} {:>7} {:>6} {:>8}", "kernel", "µs", "GFLOP/s", "peak", "GB/s", "L2", "roofline");
    for mut probe in probes(backend) {
        let seconds = median_seconds(&mut probe);
        let (flops, bytes) = (probe.flops / seconds, probe.bytes / seconds);
        // The share of the limit that binds: whichever of arithmetic and traffic takes longer at the measured peaks.
        let bound = (probe.flops / peak).max(probe.bytes / bandwidth) / seconds;
        let percent = |share: f64| if share > 0.0 { format!("{:.0} %", 100.0 * share) } else { String::new() };
        println!(
            "{:34} {:9.2} {:9.1} {:>6} {:7.1} {:>6} {:>8}",
            probe.name,
            seconds * 1e6,
            flops / 1e9,
            percent(flops / peak),
            bytes / 1e9,
            percent(bytes / bandwidth),
            percent(bound)
        );
    }
    steps(peak, bandwidth);
}

/// Online steps on MNIST, beside what no program can undercut on this core: the multiply-adds of the equations at their peak,
/// and one reading and writing of every weight that changes.
fn steps(peak: f64, bandwidth: f64) {
    const STEPS: usize = 500;
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let test = datasets::find(&data, "mnist").and_then(|info| datasets::load(&info)).expect("MNIST is in data/").test;
    let lit = test.pixels[..STEPS * datasets::PIXELS].iter().filter(|&&pixel| pixel != 0).count() as f64 / STEPS as f64;
    let labels = test.labels.into_iter().map(u16::from).collect();
    let samples = Samples::new(test.pixels, labels, datasets::PIXELS, 10).expect("images are well formed");
    let order: Vec<u32> = (0..STEPS as u32).collect();
    println!("\n{:34} {:>9} {:>12} {:>12} {:>8}", "online step, MNIST", "µs", "arithmetic", "traffic", "× floor");
    for (name, sizes) in [
        ("5 layers", &[784, 170, 130, 100, 70, 10][..]),
        ("10 layers", &[784, 170, 150, 130, 120, 110, 100, 90, 80, 70, 10]),
    ] {
        for oja in [0.0, 1e-5] {
            let hidden: f64 = sizes.windows(2).skip(1).map(|pair| (pair[0] * pair[1]) as f64).sum();
            let (active, first) = (lit * sizes[1] as f64, (sizes[0] * sizes[1]) as f64);
            // Forward, backward and gradient; with Oja's rule the projection and its update as well.
            let (multiply_adds, changing) = match oja == 0.0 {
                true => (2.0 * active + 3.0 * hidden, active + hidden),
                false => (2.0 * active + 2.0 * first + 5.0 * hidden, first + hidden),
            };
            let (arithmetic, traffic) = (2.0 * multiply_adds / peak, 8.0 * changing / bandwidth);
            let architecture = Architecture::new(sizes.to_vec(), Activation::Softplus { beta: 10.0 }).expect("sizes");
            let network = Network::initialize(&architecture, &Initialization::Xavier, Feedback::Symmetric, 1);
            let mut terms = vec![("gradient", Coefficient::Uniform(1e-5))];
            if oja != 0.0 {
                terms.push(("oja", Coefficient::Uniform(oja)));
            }
            let mut trainer = OnlineTrainer::new(network, Rule::new(&terms).expect("shipped terms")).expect("it fits");
            let seconds = median(|| trainer.advance(&samples, &order).expect("finite")) / STEPS as f64;
            println!(
                "{:34} {:9.1} {:12.1} {:12.1} {:8.2}",
                format!("{name}, {}", if oja == 0.0 { "BP" } else { "BP+Oja" }),
                seconds * 1e6,
                arithmetic * 1e6,
                traffic * 1e6,
                seconds / arithmetic.max(traffic)
            );
        }
    }
}
