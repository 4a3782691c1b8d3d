//! Each kernel against the roofline that this run measures: peak of fused multiply-adds and bandwidth of the second-level
//! cache, one core. `cargo bench --bench kernels`; `OJAFLOW_KERNELS=portable|avx2|avx512` chooses the instructions.

use std::time::{Duration, Instant};

use ojaflow::kernels::backend;
use ojaflow::kernels::probes::{Probe, fma_peak, l2_bandwidth, probes};

/// Median seconds a run, over samples of about a millisecond each.
fn median_seconds(probe: &mut Probe) -> f64 {
    const SAMPLES: usize = 41;
    let mut repeats = 1_u32;
    loop {
        if timed(probe, repeats) > Duration::from_millis(1) {
            break;
        }
        repeats *= 2;
    }
    let mut seconds: Vec<f64> =
        (0..SAMPLES).map(|_| timed(probe, repeats).as_secs_f64() / f64::from(repeats)).collect();
    seconds.sort_by(f64::total_cmp);
    seconds[SAMPLES / 2]
}

fn timed(probe: &mut Probe, repeats: u32) -> Duration {
    let start = Instant::now();
    (0..repeats).for_each(|_| probe.run());
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
}
