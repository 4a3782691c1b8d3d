//! HyperQueue: a job file of tasks, the last of which depends on the others.

use std::fmt::Write as _;

use toml::Value;

use super::job::{Job, filled, quoted};

const HEAD: &str = r#"# {{name}} with HyperQueue: {{sentence}}.
# From the folder where `ojaflow pipeline` would be typed, which all workers have to see under the same path:
#
#     hq job submit-file {{file}}
#
# A shard that fails or is killed counts as done: others, and the last task, do what it left. `ojaflow status` says how far it
# is; submitting again goes on from there. OJAFLOW is the program, where it is not on the workers' PATH.
name = "{{name}}"
"#;

const SHARD: &str = r#""${OJAFLOW:-ojaflow}" work {{request}} --shard {{shard}}/{{shards}} --jobs {{jobs}} --keep-going --until {{until}}m --expect {{digest}} || echo "shard {{shard}} ended with $?" >&2"#;

const LAST: &str = r#"exec "${OJAFLOW:-ojaflow}" pipeline {{request}} --jobs {{jobs}} --keep-going"#;

/// The job file. Shards have the numbers 1 to N, N + 1 to 2 N in the second level, and so on, with a task between levels that
/// does nothing, so that a level need not list all shards of the one before for each of its own.
pub(super) fn job_file(job: &Job) -> String {
    let mut text = filled(
        HEAD,
        &[("name", &job.name), ("sentence", &job.sentence()), ("file", &quoted(&format!("{}.hq.toml", job.name)))],
    );
    let command = |template, shard: u32| {
        let values = [
            ("request", job.quoted_request()),
            ("shard", shard.to_string()),
            ("shards", job.shards.to_string()),
            ("jobs", job.jobs.to_string()),
            ("until", job.until().to_string()),
            ("digest", job.digest.clone()),
        ];
        filled(template, &values.each_ref().map(|(name, value)| (*name, value.as_str())))
    };
    let mut id = 0;
    let mut task = |command: &str, deps: &[u32], limit: Option<u64>| {
        id += 1;
        let command = ["sh", "-c", command].map(|word| Value::String(word.to_owned())).to_vec();
        let command = Value::Array(command);
        write!(text, "\n[[task]]\nid = {id}\ncommand = {command}\n").expect("writing to a string");
        if !deps.is_empty() {
            writeln!(text, "deps = {deps:?}").expect("writing to a string");
        }
        if let Some(minutes) = limit {
            let request = format!("resources = {{ cpus = {} }}\ntime_request = \"{minutes}m\"", job.jobs);
            writeln!(text, "[[task.request]]\n{request}").expect("writing to a string");
        }
        id
    };
    let mut before = Vec::new();
    for level in 1..=job.levels {
        let shards = (1..=job.shards).map(|shard| task(&command(SHARD, shard), &before, Some(job.limit()))).collect();
        before = if level == job.levels { shards } else { vec![task(":", &shards, None)] };
    }
    task(&command(LAST, 0), &before, Some(job.last_limit()));
    text
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::job::tests::{HOSTILE, job};
    use super::*;

    fn tasks(job: &Job) -> Vec<toml::Table> {
        let file: toml::Table = job_file(job).parse().unwrap();
        assert_eq!(file["name"].as_str(), Some("fig1"));
        file["task"].as_array().unwrap().iter().map(|task| task.as_table().unwrap().clone()).collect()
    }

    /// By task, its number and the numbers of those that it waits for.
    fn graph(job: &Job) -> Vec<(i64, Vec<i64>)> {
        let deps = |task: &toml::Table| {
            let deps = task.get("deps").and_then(Value::as_array).cloned().unwrap_or_default();
            deps.iter().map(|id| id.as_integer().unwrap()).collect()
        };
        tasks(job).iter().map(|task| (task["id"].as_integer().unwrap(), deps(task))).collect()
    }

    /// The words that a task gives to the program.
    fn words(task: &toml::Table) -> Vec<String> {
        let command: Vec<&str> =
            task["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
        let folder = tempfile::tempdir().unwrap();
        let mut shell = Command::new(command[0]);
        shell.args(&command[1..]).current_dir(folder.path()).env("OJAFLOW", "./ojaflow");
        let fake = "#!/bin/sh\nprintf '%s\\0' \"$@\"\n";
        let program = folder.path().join("ojaflow");
        std::fs::write(&program, fake).unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let output = shell.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_terminator('\0').map(str::to_owned).collect()
    }

    #[test]
    fn the_last_task_waits_for_all_shards() {
        assert_eq!(graph(&job(3, 1)), [(1, vec![]), (2, vec![]), (3, vec![]), (4, vec![1, 2, 3])]);
        let request = tasks(&job(3, 1))[0]["task.request".split('.').next_back().unwrap()].clone();
        assert_eq!(request[0]["resources"]["cpus"].as_integer(), Some(2));
        assert_eq!(request[0]["time_request"].as_str(), Some("56m"));
    }

    #[test]
    fn a_level_waits_for_the_one_before() {
        let expected = [(1, vec![]), (2, vec![]), (3, vec![1, 2]), (4, vec![3]), (5, vec![3]), (6, vec![4, 5])];
        assert_eq!(graph(&job(2, 2)), expected);
    }

    #[test]
    fn a_task_asks_for_exactly_what_was_asked_for() {
        let hostile = Job { request: HOSTILE.map(str::to_owned).to_vec(), ..job(2, 1) };
        let tasks = tasks(&hostile);
        let rest = ["--shard", "2/2", "--jobs", "2", "--keep-going", "--until", "45m", "--expect", "0123456789abcdef"];
        assert_eq!(words(&tasks[1]), [&["work"], &HOSTILE[..], &rest].concat());
        assert_eq!(words(&tasks[2]), [&["pipeline"], &HOSTILE[..], &["--jobs", "2", "--keep-going"]].concat());
    }
}
