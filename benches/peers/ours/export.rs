//! What every side starts from and what ours ends at, as plain files: little-endian numbers without a header.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ojaflow::science::feedback::Feedback;
use ojaflow::science::meta::Sampling;

use crate::works::{Bench, recurrent_weights, weights};
use crate::{Result, bytes};

/// Into `folder`:
///
/// - `order.u32`: for each seed the images of an experiment, of which other works take the first;
/// - `NETWORK.forward.f32`, `NETWORK.feedback.f32`, `recurrent.f32`: for each seed the weights of each layer at the start;
/// - `WORK.f32`, with a dot for each slash of its name: what ours ends at, online works and recurrent ones for each seed;
/// - `tasks.u32`: for each episode of seed 0 its training samples, label and index, then its query samples;
/// - `tasks.f32`: for each episode W of each layer, then B;
/// - `RULE.gradients.f32`: for each coefficient, |dL/dθ| of each episode;
/// - `tuned.json`: the coefficients of the figures.
pub(crate) fn export(bench: &Bench<'_>, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let setting = bench.setting;
    let write = |name: &str, numbers: &[f32]| fs::write(folder.join(format!("{name}.f32")), bytes(numbers));
    let whole = |numbers: &[u32]| numbers.iter().flat_map(|i| i.to_le_bytes()).collect::<Vec<_>>();
    let orders: Vec<u32> =
        (0..setting.seeds).flat_map(|seed| setting.order(seed, setting.experiments.samples)).collect();
    fs::write(folder.join("order.u32"), whole(&orders))?;

    for network in setting.networks.keys() {
        let (mut forward, mut feedback) = (Vec::new(), Vec::new());
        for seed in 0..setting.seeds {
            let both = weights(&setting.network(network, Feedback::Plastic, seed)?);
            let (w, b) = both.split_at(both.len() / 2);
            forward.extend(w);
            feedback.extend(b);
        }
        write(&format!("{network}.forward"), &forward)?;
        write(&format!("{network}.feedback"), &feedback)?;
    }
    let starts = (0..setting.seeds).map(|seed| Ok(recurrent_weights(&setting.recurrent_network(seed)?)));
    write("recurrent", &starts.collect::<Result<Vec<_>>>()?.concat())?;

    let networks = setting.networks.keys();
    let online =
        networks.clone().flat_map(|network| setting.online.rules.keys().map(move |r| format!("online/{network}/{r}")));
    let recurrent = setting.recurrent.rules.keys().map(|rule| format!("recurrent/{rule}"));
    for name in online.chain(recurrent) {
        let ends = (0..setting.seeds).map(|seed| Ok(bench.work(&name, seed)?()?.numbers()));
        write(&name.replace('/', "."), &ends.collect::<Result<Vec<_>>>()?.concat())?;
    }
    let evaluated = networks.map(String::as_str).chain(["recurrent"]);
    for name in evaluated.map(|network| format!("evaluation/{network}")) {
        write(&name.replace('/', "."), &bench.work(&name, 0)?()?.numbers())?;
    }
    for rule in setting.episode.rules.keys() {
        write(&format!("episode.{rule}"), &bench.work(&format!("episode/{rule}"), 0)?()?.numbers())?;
        write(&format!("{rule}.gradients"), &bench.gradients(rule)?.concat())?;
    }

    let (mut drawn, mut starts) = (Vec::new(), Vec::new());
    for episode in 1..=setting.experiments.episodes.max(setting.episode.episodes) {
        let task = bench.pool.draw(setting.task(), Sampling::default(), 0, episode);
        drawn.extend(task.training.iter().chain(&task.query).flat_map(|&(class, index)| [class as u32, index]));
        starts.extend(weights(&setting.network(&setting.episode.network, Feedback::Plastic, task.seed)?));
    }
    fs::write(folder.join("tasks.u32"), whole(&drawn))?;
    write("tasks", &starts)?;
    let tuned: BTreeMap<_, _> = bench.tuned.iter().collect();
    Ok(fs::write(folder.join("tuned.json"), serde_json::to_string_pretty(&tuned)?)?)
}
