//! Our side of the comparison with other libraries, started by `benches/peers/run`.
//!
//! Two commands: `export FOLDER` writes what every side starts from, weights, sample orders and tasks, and what this side
//! ends at; `serve FOLDER` answers the requests of `compare.py` on standard input, the same as `worker.py` does for a peer.

mod experiments;
mod export;
mod setting;
mod works;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{BufRead, Write, stdin, stdout};
use std::path::Path;
use std::time::Instant;

use ojaflow::datasets::{self, Split};
use ojaflow::science::meta::ClassPool;
use ojaflow::science::samples::Samples;
use setting::Setting;
use works::{Bench, Outcome};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [command, folder] = &arguments[..] else {
        println!("peers: one side of a comparison, which benches/peers/run makes");
        return Ok(());
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let images = datasets::load(&datasets::find(&[root.join("data")], "mnist")?)?;
    let (train, test) = (samples(images.train)?, samples(images.test)?);
    let pool = ClassPool::new(vec![&train])?;
    let (setting, tuned) = (Setting::read(root)?, setting::tuned(root)?);
    let bench = Bench { setting: &setting, train: &train, test: &test, tuned: &tuned, pool: &pool };
    match command.as_str() {
        "export" => export::export(&bench, Path::new(folder)),
        "serve" => serve(&bench),
        _ => Err("peers: the commands are `export FOLDER` and `serve FOLDER`".into()),
    }
}

fn samples(split: Split) -> Result<Samples> {
    Ok(Samples::new(split.pixels, split.labels.into_iter().map(u16::from).collect(), datasets::PIXELS, 10)?)
}

/// One line a request, `prepare WORK` or `run WORK REPEATS [FILE]`, one line an answer, seconds, of a run one's; the first line
/// says what answers.
fn serve(bench: &Bench<'_>) -> Result<()> {
    let mut works = BTreeMap::new();
    answer(&ojaflow::kernels::backend().to_string())?;
    for request in stdin().lock().lines() {
        let request = request?;
        let words: Vec<_> = request.split_whitespace().collect();
        let seconds = match words[..] {
            ["prepare", name] => {
                let start = Instant::now();
                works.insert(name.to_owned(), bench.work(name, 0)?);
                start.elapsed().as_secs_f64()
            }
            ["run", name, repeats, ..] => {
                let work = works.get_mut(name).ok_or("this work was not prepared")?;
                let (seconds, outcome) = timed(repeats.parse()?, work)?;
                if let Some(file) = words.get(3) {
                    fs::write(file, bytes(&outcome.numbers()))?;
                }
                seconds
            }
            _ => return Err(format!("no such request: {request}").into()),
        };
        answer(&seconds.to_string())?;
    }
    Ok(())
}

/// Little-endian.
fn bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn answer(text: &str) -> Result<()> {
    let mut output = stdout().lock();
    writeln!(output, "{text}")?;
    Ok(output.flush()?)
}

/// Seconds for one of `repeats` runs of `work`, and the last one's outcome.
fn timed(repeats: u32, mut work: impl FnMut() -> Result<Outcome>) -> Result<(f64, Outcome)> {
    let start = Instant::now();
    let mut outcome = work()?;
    for _ in 1..repeats {
        outcome = work()?;
    }
    Ok((start.elapsed().as_secs_f64() / f64::from(repeats), outcome))
}
