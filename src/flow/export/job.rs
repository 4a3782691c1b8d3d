//! What an engine is told of a plan, whichever engine it is.

use std::path::Path;

use crate::error::{Error, Result};
use crate::flow::project::Project;
use crate::flow::work::Shares;
use crate::plan::Request;

/// Seconds that a shard is to take, if there is a choice: starting one costs up to two seconds, and queues like jobs that end.
const AIM: f64 = 20.0 * 60.0;

/// What a job holds beside the memory of its tasks: the program, the plan, data sets that tasks share.
const HELD: u64 = 1_000_000_000;

/// A plan as a job of an engine.
#[derive(Clone, Debug)]
pub(super) struct Job {
    /// What it is published as, a word that every shell and file system takes.
    pub(super) name: String,
    /// The words after `ojaflow work` and `ojaflow pipeline`.
    pub(super) request: Vec<String>,
    /// The digest of the plan.
    pub(super) digest: String,
    pub(super) shards: u32,
    pub(super) levels: u32,
    /// Tasks side by side in a shard.
    pub(super) jobs: u32,
    /// Minutes that a shard takes by the plan's estimate.
    pub(super) minutes: u64,
    /// Gigabytes that a job takes at most.
    pub(super) gigabytes: u64,
}

impl Job {
    /// With so many shards, or as many as the plan's costs suggest.
    pub(super) fn new(shares: &Shares, request: Vec<String>, shards: Option<u32>, jobs: u32) -> Self {
        let alone = shares.seconds / f64::from(jobs);
        let most = u32::try_from(shares.components).unwrap_or(u32::MAX).max(1);
        let shards = shards.unwrap_or(((alone / AIM).ceil() as u32).clamp(1, most));
        // A shard of fewer trainings than tasks side by side takes as long as one of them.
        let seconds = (alone / f64::from(shards)).max(shares.seconds / f64::from(most));
        Self {
            name: shares.name.clone(),
            request,
            digest: shares.digest.clone(),
            shards,
            levels: u32::try_from(shares.levels).unwrap_or(u32::MAX).max(1),
            jobs,
            minutes: (seconds / 60.0).ceil().max(1.0) as u64,
            gigabytes: HELD.saturating_add(shares.memory.saturating_mul(jobs.into())).div_ceil(1_000_000_000),
        }
    }

    /// Minutes after which a shard begins nothing new: estimates are rough, and processors differ.
    pub(super) fn until(&self) -> u64 {
        2 * self.minutes + 5
    }

    /// Minutes after which an engine may end a shard: what it has begun may take a while.
    pub(super) fn limit(&self) -> u64 {
        self.until() + (self.until() / 4).max(5)
    }

    /// Minutes of the last job, which does what lies behind the shards and what dead ones left.
    pub(super) fn last_limit(&self) -> u64 {
        self.limit().max(60)
    }

    /// The words of the request for a shell.
    pub(super) fn quoted_request(&self) -> String {
        let words: Vec<String> = self.request.iter().map(|word| quoted(word)).collect();
        words.join(" ")
    }

    /// One sentence for the head of a file.
    pub(super) fn sentence(&self) -> String {
        let shards = match self.shards {
            1 => "one shard".to_owned(),
            n => format!("{n} shards"),
        };
        let times = if self.levels == 1 { String::new() } else { format!(", for each of {} levels", self.levels) };
        format!("{shards} of about {} min{times}, then the run that publishes", self.minutes)
    }
}

/// The words that ask for the same thing again, from the same folder.
///
/// # Errors
/// A path is not text.
pub(super) fn words(project: &Project, request: &Request) -> Result<Vec<String>> {
    let Request { pipeline, overrides, publish_as, to, large, memory } = request;
    let mut words = vec![pipeline.clone()];
    let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
    overrides.iter().for_each(|change| option("--set", change.clone()));
    if let Some(name) = publish_as {
        option("--as", name.clone());
    }
    if let Some(stage) = to {
        option("--to", stage.clone());
    }
    if let Some(bytes) = memory {
        option("--memory", bytes.to_string());
    }
    for (name, folder, usual) in [
        ("--outputs", &project.outputs, "outputs"),
        ("--data", &project.data, "data"),
        ("--pipelines", &project.pipelines, "pipelines"),
    ] {
        if folder != Path::new(usual) {
            let text = folder.to_str().ok_or_else(|| {
                Error::usage(format!(
                    "{}: a path that is not Unicode cannot stand in a file for an engine",
                    folder.display()
                ))
            })?;
            option(name, text.to_owned());
        }
    }
    if *large {
        words.push("--large".to_owned());
    }
    Ok(words)
}

/// A word as a shell takes it for this word and nothing else.
pub(super) fn quoted(word: &str) -> String {
    let is_plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '=' | ',' | ':' | '+' | '@');
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A template with a value in the place of each `{{word}}`. What is put in is not looked into again.
pub(super) fn filled(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (word, after) = after.split_once("}}").expect("a template closes what it opens");
        let (_, value) = values.iter().find(|(name, _)| *name == word).expect("a template names what there is");
        text += before;
        text += value;
        rest = after;
    }
    text + rest
}

#[cfg(test)]
pub(super) mod tests {
    use std::process::Command;

    use super::*;

    /// What a shell could take for something else.
    pub(crate) const HOSTILE: [&str; 6] =
        ["plain", "it's", "$(touch x) `y` \"$HOME\" \\", "two\nlines\ttabbed", "{braces} {{twice}} %A @", ""];

    pub(crate) fn job(shards: u32, levels: u32) -> Job {
        let request = ["fig1", "--set", "matrix.seed.count=3"].map(str::to_owned).to_vec();
        let (name, digest) = ("fig1".to_owned(), "0123456789abcdef".to_owned());
        Job { name, request, digest, shards, levels, jobs: 2, minutes: 20, gigabytes: 2 }
    }

    fn shares(seconds: f64, components: usize) -> Shares {
        let (name, digest) = ("fig1".to_owned(), "0123456789abcdef".to_owned());
        Shares { name, digest, components, seconds, levels: 1, memory: 300_000_000 }
    }

    #[test]
    fn a_shell_takes_each_word_for_itself() {
        let line = HOSTILE.map(quoted).join(" ");
        let output = Command::new("sh").args(["-c", &format!("printf '%s\\0' {line}")]).output().unwrap();
        let words: Vec<&[u8]> = output.stdout.split(|byte| *byte == 0).collect();
        assert_eq!(words[..HOSTILE.len()], HOSTILE.map(str::as_bytes));
        assert_eq!(["fig1", "~x", "a=b c"].map(quoted), ["fig1", "'~x'", "'a=b c'"]);
    }

    #[test]
    fn shards_take_ten_to_thirty_minutes_where_that_can_be() {
        // 100 hours of one core in trainings of 36 s.
        let hours = shares(360_000.0, 10_000);
        let many = Job::new(&hours, Vec::new(), None, 4);
        assert_eq!((many.shards, many.minutes, many.gigabytes), (75, 20, 3));
        assert!((20..60).contains(&many.until()) && many.until() < many.limit());
        for (seconds, components, jobs) in [(1e3, 50, 1), (5e3, 50, 2), (1e5, 900, 3), (1e7, 1_000_000, 16)] {
            let job = Job::new(&shares(seconds, components), Vec::new(), None, jobs);
            let minutes = seconds / 60.0 / f64::from(jobs) / f64::from(job.shards);
            assert!(job.shards == 1 || (10.0..=30.0).contains(&minutes), "{seconds} s: {} of {minutes}", job.shards);
        }
        // Never more than there is to share out, never none, and as many as were asked for.
        assert_eq!(Job::new(&shares(1e7, 3), Vec::new(), None, 1).shards, 3);
        assert_eq!(Job::new(&shares(0.0, 0), Vec::new(), None, 4).shards, 1);
        assert_eq!(Job::new(&hours, Vec::new(), Some(8), 4).shards, 8);
        // Two trainings of an hour do not take half an hour because there are four places for them.
        assert_eq!(Job::new(&shares(7200.0, 2), Vec::new(), Some(1), 4).minutes, 60);
    }

    #[test]
    fn the_same_is_asked_for_again_from_the_same_folder() {
        let request = Request::new("fig1").set("a=\"b c\"").published_as("mine");
        let usual = words(&Project::at(""), &request).unwrap();
        assert_eq!(usual, ["fig1", "--set", "a=\"b c\"", "--as", "mine"]);
        let request = Request { to: Some("train".into()), large: true, memory: Some(8_000), ..request };
        let elsewhere = words(&Project::at("..").with_outputs("/scratch/x"), &request).unwrap();
        let places = ["--outputs", "/scratch/x", "--data", "../data", "--pipelines", "../pipelines", "--large"];
        assert_eq!(elsewhere[5..], [&["--to", "train", "--memory", "8000"], &places[..]].concat());
    }

    #[test]
    fn what_is_put_into_a_template_is_not_looked_into() {
        assert_eq!(filled("a {{x}} {b} {{y}}", &[("x", "{{y}}"), ("y", "2")]), "a {{y}} {b} 2");
    }
}
