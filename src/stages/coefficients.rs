//! The committed tables of tuned coefficients: written by tuning pipelines, looked up by data set, setting and rule.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::spec::carried;
use crate::spec::node::Node;
use crate::task::Source;

/// The folder beside the pipelines that holds one table for each tuning pipeline.
pub const FOLDER: &str = "coefficients";

/// One file of tuned coefficients.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CoefficientTable {
    /// The pipeline that found them.
    pub pipeline: String,
    /// The key of its race before it began: it covers the grid, the seeds, the criterion and the data.
    pub start: String,
    /// The key of the race at its end: it covers every training.
    pub key: String,
    /// One entry per condition.
    #[serde(default)]
    pub coefficients: Vec<Tuned>,
}

/// What a race found for one condition.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tuned {
    /// The data set that they were tuned on.
    pub dataset: String,
    /// The network, its initialisation and its feedback.
    pub setting: String,
    /// The learning rule.
    pub rule: String,
    /// Trainings behind the choice, the same number for every rule of a setting.
    pub trainings: u64,
    /// The best coefficients of all.
    pub best: BTreeMap<String, f64>,
    /// The best with Oja's term, where the race was about that term as well: those that `tuned = true` stands for.
    #[serde(default)]
    pub best_positive: Option<BTreeMap<String, f64>>,
    /// How probable it is that tuning again would pick each of the cells that were left, with Oja's term or without: where
    /// the race was about that term as well. It says how large the best coefficient is.
    #[serde(default)]
    pub picks: Vec<Pick>,
    /// What the race left, without those that leave Oja's term out; the first is what `tuned = true` stands for.
    pub survivors: Vec<Survivor>,
}

/// Coefficients, and how probable it is that they are the best.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Pick {
    /// The coefficient of each term.
    pub terms: BTreeMap<String, f64>,
    /// Of being picked if the tuning were done again.
    pub probability: f64,
}

/// Coefficients that a race left.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Survivor {
    /// The coefficient of each term.
    pub terms: BTreeMap<String, f64>,
    /// Of being picked if the tuning were done again.
    pub probability: f64,
    /// Trainings.
    pub n: u32,
    /// Mean score on the tuning split. The pick's is too good by what made it the pick: a figure has seeds of its own.
    pub mean: f64,
    /// Standard error of the mean.
    pub error: f64,
    /// Trainings that diverged or ended below half of the best cell's median.
    #[serde(default)]
    pub failed: u32,
    /// How far the mean of the failed ones lay below that of the others.
    #[serde(default)]
    pub gap: Option<f64>,
}

/// All tables together.
#[derive(Debug, Default)]
pub struct Coefficients {
    /// By data set, setting and rule.
    found: BTreeMap<(String, String, String), Found>,
    /// Each with the file that it was read from.
    pub tables: Vec<(PathBuf, CoefficientTable)>,
    /// Of each table, its file.
    sources: Vec<Arc<Source>>,
}

#[derive(Debug)]
struct Found {
    tuned: Tuned,
    /// The table in which it stands.
    table: usize,
}

impl Coefficients {
    /// Reads every table beside these pipelines, and then those that the program carries, as far as they speak of other
    /// conditions.
    ///
    /// # Errors
    /// A table cannot be read, is damaged, or two tables of the folder speak of the same condition.
    pub fn load(pipelines: &Path) -> Result<Self> {
        let mut all = Self::default();
        let folder = pipelines.join(FOLDER);
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut own: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        own.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
        own.sort();
        for path in &own {
            if let Some(condition) = all.read(path)? {
                let message =
                    format!("{}: the coefficients of {condition} stand in another table as well", path.display());
                return Err(Error::usage(message));
            }
        }
        for (name, path) in carried::list(FOLDER) {
            if !own.iter().any(|own| own.file_name().is_some_and(|own| *own == *name)) {
                all.read(&path)?;
            }
        }
        Ok(all)
    }

    /// Reads a table; a condition that is there already keeps what it has, and is named.
    fn read(&mut self, path: &Path) -> Result<Option<String>> {
        let text = carried::read(path)?;
        let document = Node::parse(path.display().to_string(), text.as_str()).map_err(Error::Spec)?;
        let table: CoefficientTable = document.read().map_err(|fault| Error::Spec(vec![fault]))?;
        let mut double = None;
        for tuned in &table.coefficients {
            let condition = (tuned.dataset.clone(), tuned.setting.clone(), tuned.rule.clone());
            match self.found.entry(condition) {
                Entry::Vacant(free) => {
                    free.insert(Found { tuned: tuned.clone(), table: self.tables.len() });
                }
                Entry::Occupied(taken) => {
                    let (dataset, setting, rule) = taken.key();
                    double.get_or_insert_with(|| format!("{dataset}, {setting}, {rule}"));
                }
            }
        }
        let name = path.file_name().unwrap_or_default();
        let seen = carried::relative(path).map_or_else(|| Path::new(FOLDER).join(name), Path::to_owned);
        self.sources.push(Arc::new(Source { path: seen, text }));
        self.tables.push((path.to_owned(), table));
        Ok(double)
    }

    /// What was found for a condition, and the file in which it stands.
    pub fn find(&self, dataset: &str, setting: &str, rule: &str) -> Option<(&Tuned, &Arc<Source>)> {
        let Found { tuned, table } = self.found.get(&(dataset.to_owned(), setting.to_owned(), rule.to_owned()))?;
        Some((tuned, &self.sources[*table]))
    }

    /// `dataset / setting / rule` of everything that is tuned, for messages.
    pub fn conditions(&self) -> Vec<String> {
        self.found.keys().map(|(dataset, setting, rule)| format!("{dataset} / {setting} / {rule}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_stands_in_one_table_only() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(FOLDER)).unwrap();
        let table = |pipeline: &str, rule: &str| {
            let text = format!(
                "pipeline = \"{pipeline}\"\nstart = \"s\"\nkey = \"k\"\n[[coefficients]]\ndataset = \"d\"\nsetting = \"s\"\nrule = \"{rule}\"\n\
                 trainings = 9\nbest = {{ gradient = 1e-3 }}\nsurvivors = []\n"
            );
            fs::write(folder.path().join(FOLDER).join(format!("{pipeline}.toml")), text).unwrap();
        };
        table("a", "bp");
        table("b", "oja");
        let found = Coefficients::load(folder.path()).unwrap();
        // Those that the program carries stand behind them.
        let own = found.conditions().into_iter().filter(|condition| condition.starts_with("d / "));
        assert_eq!(own.collect::<Vec<_>>(), ["d / s / bp", "d / s / oja"]);
        assert_eq!(found.find("d", "s", "oja").unwrap().1.path, Path::new("coefficients/b.toml"));
        table("b", "bp");
        let refused = Coefficients::load(folder.path()).unwrap_err().to_string();
        assert!(refused.ends_with("b.toml: the coefficients of d, s, bp stand in another table as well"), "{refused}");
    }
}
