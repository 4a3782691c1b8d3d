//! Each kernel and each whole computation beside its floor, on one core: `cargo bench --bench kernels`.
//! `OJAFLOW_KERNELS=portable|avx2|avx512` chooses the instructions, `-- --json FILE` keeps the numbers.
//!
//! The floor is the largest of three times: multiply-adds at their peak, bytes read at the rate at which the second-level cache
//! gives them, bytes written at the rate at which it takes them. The largest and not the sum, because a core of this kind does
//! the three side by side. It runs hundreds of instructions ahead of the oldest unfinished one, multiplications, loads and
//! stores have units of their own, and lines come from the second-level cache and go back to it by ways of their own: `updating`
//! measures that, for it reads and writes the same bytes at nearly the rate of either alone. And not the rate of
//! `updating` twice over, because most passes over weights only read: what bounds those is the rate of reading alone.
//!
//! A whole computation has phases that wait for each other: no layer's errors are known before the last layer's activation
//! is, and no update before the errors. Its floor is the sum of its phases' floors.

mod computations;
mod machine;
mod table;

use std::error::Error;
use std::path::PathBuf;

use computations::Bench;
use machine::{Limits, Times, Work};
use ojaflow::kernels::probes::{Probe, probes};
use ojaflow::kernels::{Backend, backend};
use ojaflow::science::plasticity;
use serde::Serialize;
use table::{Row, Section, Shown, Unit};

/// What `--json` keeps; seconds, and multiply-adds and bytes a second.
#[derive(Serialize)]
struct Kept<'a> {
    instructions: String,
    limits: &'a Limits,
    sections: &'a [Section],
}

fn main() -> Result<(), Box<dyn Error>> {
    let file = json_file()?;
    let backend = backend();
    let limits = Limits::measure(backend);
    show_limits(backend, &limits);
    let bench = Bench::new(&limits);
    let mut steps = bench.steps();
    steps.extend(bench.recurrent_steps());
    let mut longer = bench.evaluations();
    longer.extend(bench.episodes());
    let sections = [
        Section {
            title: "kernel",
            unit: Unit::Microseconds,
            rows: probes(backend).into_iter().map(|probe| kernel(probe, &limits)).collect(),
        },
        Section {
            title: "equation",
            unit: Unit::Microseconds,
            rows: plasticity::probes::probes(backend).into_iter().map(|probe| kernel(probe, &limits)).collect(),
        },
        Section { title: "online step", unit: Unit::Microseconds, rows: steps },
        Section { title: "evaluation, episode", unit: Unit::Milliseconds, rows: longer },
    ];
    for section in &sections {
        println!("\n{}", Shown(section, &limits));
    }
    if let Some(file) = file {
        let kept = Kept { instructions: backend.to_string(), limits: &limits, sections: &sections };
        std::fs::write(file, serde_json::to_string_pretty(&kept)? + "\n")?;
    }
    Ok(())
}

/// Behind `--json`; Cargo adds `--bench`.
fn json_file() -> Result<Option<PathBuf>, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match &arguments[..] {
        [] => Ok(None),
        [option, file] if option == "--json" => Ok(Some(PathBuf::from(file))),
        _ => Err("kernels: the only option is `--json FILE`".into()),
    }
}

fn kernel(mut probe: Probe, limits: &Limits) -> Row {
    let work = Work { multiply_adds: probe.multiply_adds, read: probe.read, written: probe.written };
    let times = Times::of(|| probe.run());
    Row::new(probe.name, times, 1.0, work.floor(limits), work)
}

fn show_limits(backend: Backend, limits: &Limits) {
    println!(
        "{backend}: {:.0} GFLOP/s; second-level cache: {:.0} GB/s read, {:.0} GB/s written, {:.0} GB/s each way at once; \
         first-level: {:.0} KiB, {:.0} GB/s read, {:.0} GB/s written",
        2e-9 * limits.multiply_adds,
        limits.read / 1e9,
        limits.written / 1e9,
        limits.updated / 1e9,
        limits.first_level_size / 1024.0,
        limits.first_level_read / 1e9,
        limits.first_level_written / 1e9,
    );
}
