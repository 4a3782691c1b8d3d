//! The claims of published runs in Markdown: a page with every part of every claim and the figures beside it, and a table of
//! verdicts for a page of another hand. Every number and verdict in them is one of a `claims` table.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::claims::{Claim, Condition, claims, conditions, interval, number};
use crate::error::{Error, Result};
use crate::publish;
use crate::publish::manifest::Manifest;
use crate::stages::claims::{in_one_word, natural};
use crate::words::capitalised;

/// The lines between which a page of another hand holds the table.
const BEGIN: &str = "<!-- claims -->";
const END: &str = "<!-- end of claims -->";

/// Parts that a cell of the table writes out; of more it gives the range.
const SHOWN_PARTS: usize = 3;

/// What is claimed of some published runs.
pub(crate) struct Judged {
    runs: Vec<Run>,
}

/// A published run.
struct Run {
    /// The name it is published under.
    name: String,
    title: String,
    figure: Option<String>,
    /// The data sets that it loads.
    data: String,
    conditions: Vec<Condition>,
    /// File names of its drawings, with their contents.
    drawings: Vec<(String, Vec<u8>)>,
}

impl Judged {
    /// Reads the runs published in `folders`; what claims nothing has figures all the same.
    ///
    /// # Errors
    /// A folder is not a published run, or is damaged.
    pub(crate) fn read(folders: &[PathBuf]) -> Result<Self> {
        let mut runs = Vec::new();
        for folder in folders {
            let manifest = Manifest::of(folder)?;
            // What a composition claims and draws is that of its parts, which are published beside it.
            if manifest.includes.is_empty() {
                let conditions = conditions(folder, &manifest)?;
                runs.push(Run::read(folder, manifest, conditions)?);
            }
        }
        Ok(Self { runs })
    }

    /// Runs with claims or figures.
    pub(crate) fn n_runs(&self) -> usize {
        self.runs.len()
    }

    /// The names of all claims, `C7` before `C10`, each with the runs that make it.
    fn by_claim(&self) -> Vec<(&str, Vec<(&Run, Claim<'_>)>)> {
        let mut found: Vec<(&str, Vec<(&Run, Claim<'_>)>)> = Vec::new();
        for run in &self.runs {
            for claim in claims(&run.conditions) {
                match found.iter_mut().find(|(name, _)| *name == claim.name) {
                    Some((_, places)) => places.push((run, claim)),
                    None => found.push((claim.name, vec![(run, claim)])),
                }
            }
        }
        found.sort_by_key(|(name, _)| natural(name));
        found
    }

    /// The page: a section per claim, then the figures, which lie in `figures/` beside it.
    pub(crate) fn page(&self) -> String {
        let mut page = String::from(
            "# Claims\n\nWritten by `ojaflow report -o docs/claims.md` from the tables `claims` of published runs; do not edit. \
             [statistics.md](statistics.md)\nsays what an estimate, an interval and a verdict are.\n",
        );
        let mut put = |arguments: std::fmt::Arguments<'_>| writeln!(page, "{arguments}").expect("writing to a string");
        for (name, places) in self.by_claim() {
            put(format_args!("\n## {name}\n\n{}.", places[0].1.statement));
            let mut remarks: Vec<&str> = places.iter().filter_map(|(_, claim)| claim.remark()).collect();
            remarks.dedup();
            for remark in remarks {
                put(format_args!("\n{remark}"));
            }
            for (run, claim) in &places {
                let figure = run.figure.as_deref().map(|figure| format!(", {figure}")).unwrap_or_default();
                put(format_args!("\n**{}** on {} (`{}`{figure})\n", in_one_word(claim.holds), run.data, run.name));
                put(format_args!("| | estimate [interval] | tested | |\n|---|---|---|---|"));
                for part in &claim.conditions {
                    put(format_args!(
                        "| {} | {} | {} | {} |",
                        in_one_word(part.holds),
                        interval(part.estimate, part.ci_low, part.ci_high),
                        cell(&part.condition),
                        cell(&part.remarks.join("; "))
                    ));
                }
                if let Some(first) = claim.conditions.first() {
                    put(format_args!("\n{}.", capitalised(&first.looks)));
                }
            }
        }
        put(format_args!("\n# Figures"));
        for run in self.runs.iter().filter(|run| !run.drawings.is_empty()) {
            put(format_args!("\n## {}\n\n`{}`, {}", run.title, run.name, run.data));
            for (name, _) in &run.drawings {
                put(format_args!("\n![{}](figures/{name})", run.title));
            }
        }
        page
    }

    /// Writes the drawings that the page shows into `figures/` beside it.
    ///
    /// # Errors
    /// They cannot be written.
    pub(crate) fn write_drawings(&self, beside: &Path) -> Result<()> {
        let folder = beside.parent().unwrap_or(Path::new("")).join("figures");
        std::fs::create_dir_all(&folder).map_err(Error::io("make", &folder))?;
        for (name, content) in self.runs.iter().flat_map(|run| &run.drawings) {
            let path = folder.join(name);
            std::fs::write(&path, content).map_err(Error::io("write", &path))?;
        }
        Ok(())
    }

    /// `text` with the table of verdicts between the two lines that mark its place: a row per claim, a column per data set.
    ///
    /// # Errors
    /// It has no such place.
    pub(crate) fn table_in(&self, text: &str) -> Result<String> {
        let place = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
        let Some((before, after)) = place else {
            return Err(Error::usage(format!(
                "the file has no lines `{BEGIN}` and `{END}` for the table to stand between"
            )));
        };
        Ok(format!("{before}{BEGIN}\n\n{}\n{END}{after}", self.table()))
    }

    fn table(&self) -> String {
        let mut data: Vec<&str> = Vec::new();
        for run in self.runs.iter().filter(|run| !run.conditions.is_empty()) {
            if !data.contains(&run.data.as_str()) {
                data.push(&run.data);
            }
        }
        let mut table = format!("| claim | {} |\n|---|{}\n", data.join(" | "), "---|".repeat(data.len()));
        for (name, places) in self.by_claim() {
            let of = |data: &str| places.iter().find(|(run, _)| run.data == data).map(|(_, claim)| summary(claim));
            let cells: Vec<String> = data.iter().map(|data| of(data).unwrap_or_default()).collect();
            writeln!(table, "| {name}: {} | {} |", cell(&places[0].1.statement), cells.join(" | "))
                .expect("writing to a string");
        }
        table
    }
}

impl Run {
    fn read(folder: &Path, manifest: Manifest, conditions: Vec<Condition>) -> Result<Self> {
        let drawings = manifest.figures.iter().filter(|figure| figure.name.ends_with(".svg"));
        let drawings = drawings
            .map(|figure| {
                Ok((
                    drawing_name(&manifest.pipeline, &figure.name),
                    publish::read(folder, &figure.name, &figure.digest)?,
                ))
            })
            .collect::<Result<_>>()?;
        let stages = manifest.document.get("stages").and_then(serde_json::Value::as_object);
        let loaded: BTreeSet<&str> = stages
            .into_iter()
            .flat_map(|stages| stages.values())
            .filter(|stage| stage.get("kind").is_some_and(|kind| kind == "load") && stage.get("optional").is_none())
            .filter_map(|stage| stage.get("dataset")?.as_str())
            .collect();
        let loaded: Vec<&str> = loaded.into_iter().rev().map(printed).collect();
        Ok(Self {
            data: loaded.join(" and "),
            name: manifest.pipeline,
            title: manifest.title,
            figure: manifest.figure,
            conditions,
            drawings,
        })
    }
}

/// The name under which a data set is printed.
fn printed(dataset: &str) -> &str {
    match dataset {
        "mnist" => "MNIST",
        "fashion_mnist" => "Fashion-MNIST",
        "emnist_balanced" => "EMNIST",
        other => other,
    }
}

/// `fig1.svg` of `fig1_fashion` is `fig1_fashion.svg` beside those of other runs; `fig2_relative.svg` of `fig2` keeps its name.
fn drawing_name(run: &str, file: &str) -> String {
    // What both names begin with is that of the pipeline, and stands once.
    let stem = file.trim_end_matches(".svg");
    let shared = run.split('_').zip(stem.split('_')).take_while(|(a, b)| a == b).count();
    let words: Vec<&str> = run.split('_').chain(stem.split('_').skip(shared)).collect();
    words.join("_") + ".svg"
}

/// `**refuted**: 0.019 [0.011, 0.027]; 0.485 [0.436, 0.535]`
fn summary(claim: &Claim<'_>) -> String {
    let word = in_one_word(claim.holds);
    let word = if claim.holds == Some(false) { format!("**{word}**") } else { word.to_owned() };
    let parts = &claim.conditions;
    let estimates: Vec<f64> = parts.iter().filter_map(|part| part.estimate).collect();
    let numbers = if estimates.len() <= SHOWN_PARTS {
        let shown = parts.iter().filter(|part| part.estimate.is_some());
        shown.map(|part| short_interval(part)).collect::<Vec<_>>().join("; ")
    } else {
        let (low, high) =
            estimates.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(*x), high.max(*x)));
        format!("{} … {} in {} parts", short(low), short(high), estimates.len())
    };
    if numbers.is_empty() { word } else { format!("{word}: {numbers}") }
}

fn short_interval(part: &Condition) -> String {
    match (part.estimate, part.ci_low, part.ci_high) {
        (Some(estimate), Some(low), Some(high)) => format!("{} [{}, {}]", short(estimate), short(low), short(high)),
        (Some(estimate), ..) => short(estimate),
        _ => String::new(),
    }
}

/// Three decimals below 10, else what [`number`] makes of it.
fn short(value: f64) -> String {
    if value.abs() < 10.0 { format!("{value:.3}").replace('-', "−") } else { number(value).replace('-', "−") }
}

/// As it may stand in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(claim: &str, estimate: f64, holds: Option<bool>) -> Condition {
        Condition {
            pipeline: String::new(),
            claim: claim.to_owned(),
            statement: "a < b".to_owned(),
            condition: "> 0.02 in gain where layer = 1|2".to_owned(),
            estimate: Some(estimate),
            ci_low: Some(estimate - 0.1),
            ci_high: Some(estimate + 0.1),
            holds,
            remarks: vec!["one of 20 runs failed".to_owned()],
            remark: "Other rates were tried.".to_owned(),
            looks: "one look at 20 runs, level 2 %".to_owned(),
            n_runs: 20,
            refute: None,
            bound: ("above".to_owned(), 0.02),
        }
    }

    fn run(name: &str, data: &str, conditions: Vec<Condition>) -> Run {
        Run {
            name: name.to_owned(),
            title: "T".to_owned(),
            figure: None,
            data: data.to_owned(),
            conditions,
            drawings: Vec::new(),
        }
    }

    #[test]
    fn a_row_a_claim_a_column_a_data_set_and_the_rest_of_the_page_untouched() {
        let many = (1..=4).map(|n| part("C10", f64::from(n), Some(true)));
        let judged = Judged {
            runs: vec![
                run("a", "MNIST", std::iter::once(part("C2", 0.5, Some(false))).chain(many).collect()),
                run("b", "Fashion-MNIST", vec![part("C2", 0.25, None)]),
            ],
        };
        let text = judged.table_in("before\n<!-- claims -->\nold\n<!-- end of claims -->\nafter").unwrap();
        assert_eq!(
            text,
            "before\n<!-- claims -->\n\n| claim | MNIST | Fashion-MNIST |\n|---|---|---|\n\
             | C2: a &lt; b | **refuted**: 0.500 [0.400, 0.600] | undecided: 0.250 [0.150, 0.350] |\n\
             | C10: a &lt; b | holds: 1.000 … 4.000 in 4 parts |  |\n\n<!-- end of claims -->\nafter"
        );
        assert!(judged.table_in("no place").unwrap_err().to_string().contains("<!-- claims -->"));
    }

    #[test]
    fn the_page_has_every_part_with_what_has_to_be_known_beside_it() {
        let judged = Judged { runs: vec![run("a", "MNIST", vec![part("C2", 0.5, Some(true))])] };
        let page = judged.page();
        let row = "| holds | 0.5000 [0.4000, 0.6000] | > 0.02 in gain where layer = 1\\|2 | one of 20 runs failed |";
        assert!(page.contains(row) && page.contains("\nOther rates were tried.\n"), "{page}");
        assert!(
            page.contains("\n**holds** on MNIST (`a`)\n") && page.contains("\nOne look at 20 runs, level 2 %.\n"),
            "{page}"
        );
    }

    #[test]
    fn drawings_of_several_runs_have_names_of_their_own() {
        assert_eq!(drawing_name("fig1", "fig1.svg"), "fig1.svg");
        assert_eq!(drawing_name("fig1_fashion", "fig1.svg"), "fig1_fashion.svg");
        assert_eq!(drawing_name("fig2", "fig2_relative.svg"), "fig2_relative.svg");
        assert_eq!(drawing_name("fig2_fashion", "fig2_relative.svg"), "fig2_fashion_relative.svg");
        assert_eq!(drawing_name("batch_norm_fashion", "batch_norm_norms.svg"), "batch_norm_fashion_norms.svg");
        assert_eq!(drawing_name("mine", "curves.svg"), "mine_curves.svg");
    }
}
