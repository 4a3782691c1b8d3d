//! Slurm: one script that submits itself, as an array of shards and as the job that waits for them.

use super::job::{Job, filled, quoted};

/// Jobs of an array: with `MaxArraySize` as it comes, the highest index is 1,000.
const MOST: u32 = 1000;

const SCRIPT: &str = r#"#!/bin/sh
# {{name}} on Slurm: {{sentence}}.
# From the folder where `ojaflow pipeline` would be typed, which all nodes have to see under the same path:
#
#     sh {{file}}
#
# A shard may be killed, come twice or never: others, and the last job, do what it left. `ojaflow status` says how far it is;
# submitting again goes on from there.
set -eu

account=         # whose time it is, if your cluster asks for it
partition=       # which nodes; the cluster's usual ones if left out
memory={{memory}}        # of a job
time={{limit}}          # minutes of a shard at most; after {{until}} it begins nothing new
last_time={{last_limit}}     # minutes of the last job at most
logs={{logs}}

step=${1:-submit}
first=${2:-0}
set -- {{request}}

case $step in
shard)
    exec "${OJAFLOW:-ojaflow}" work "$@" --shard "$((first + SLURM_ARRAY_TASK_ID))/{{shards}}" --jobs {{jobs}} --keep-going \
        --until {{until}}m --expect {{digest}}
    ;;
last)
    exec "${OJAFLOW:-ojaflow}" pipeline "$@" --jobs {{jobs}} --keep-going
    ;;
esac

submit() {
    id=$(sbatch --parsable --ntasks=1 --cpus-per-task={{jobs}} ${memory:+--mem="$memory"} \
        ${account:+--account="$account"} ${partition:+--partition="$partition"} "$@")
    echo "${id%%;*}"
}
mkdir -p "$logs"
{{arrays}}
last=$(submit --job-name={{job}}.last --dependency="$after" --time="$last_time" --output="$logs/%j.log" "$0" last)
echo "job $last publishes, $after"
"#;

/// The submission of all shards once, `$after` what waits for them.
const ONE_ARRAY: &str = r#"after=afterany:$(submit --job-name={{job}} --array=1-{{shards}}{{dependency}} --time="$time" \
    --output="$logs/%A_%a.log" "$0" shard)"#;

const ARRAYS: &str = r#"jobs=afterany
for first in {{firsts}}; do # an array has {{most}} jobs at most
    size=$(({{shards}} - first))
    [ "$size" -le {{most}} ] || size={{most}}
    jobs=$jobs:$(submit --job-name={{job}} --array="1-$size"{{dependency}} --time="$time" \
        --output="$logs/%A_%a.log" "$0" shard "$first")
done
after=$jobs"#;

const LEVELS: &str = "after=
for level in {{levels}}; do # each follows from the results of the one before
{{array}}
done";

/// The script.
pub(super) fn script(job: &Job) -> String {
    let number = |number: u64| number.to_string();
    let (shards, jobs) = (number(job.shards.into()), number(job.jobs.into()));
    let dependency = if job.levels == 1 { "" } else { r#" ${after:+--dependency="$after"}"# };
    let firsts: Vec<String> = (0..job.shards).step_by(MOST as usize).map(|first| first.to_string()).collect();
    let array = filled(
        if firsts.len() == 1 { ONE_ARRAY } else { ARRAYS },
        &[
            ("job", &quoted(&job.name)),
            ("shards", &shards),
            ("most", &number(MOST.into())),
            ("firsts", &firsts.join(" ")),
            ("dependency", dependency),
        ],
    );
    let levels: Vec<String> = (1..=job.levels).map(|level| level.to_string()).collect();
    let arrays = match job.levels {
        1 => array,
        _ => {
            let inner: Vec<String> = array.lines().map(|line| format!("    {line}")).collect();
            filled(LEVELS, &[("levels", &levels.join(" ")), ("array", &inner.join("\n"))])
        }
    };
    filled(
        SCRIPT,
        &[
            ("name", &job.name),
            ("sentence", &job.sentence()),
            ("file", &quoted(&format!("{}.slurm.sh", job.name))),
            ("memory", &format!("{}G", job.gigabytes)),
            ("limit", &number(job.limit())),
            ("until", &number(job.until())),
            ("last_limit", &number(job.last_limit())),
            ("logs", &quoted(&format!("{}.slurm", job.name))),
            ("request", &job.quoted_request()),
            ("job", &quoted(&job.name)),
            ("shards", &shards),
            ("jobs", &jobs),
            ("digest", &job.digest),
            ("arrays", &arrays),
        ],
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::process::{Command, Output};

    use super::super::job::tests::{HOSTILE, job};
    use super::*;

    /// Programs of a name that say with which words they were called, a number before them for `sbatch`.
    struct Cluster(tempfile::TempDir);

    impl Cluster {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let program = |name: &str, text: &str| {
                let path = folder.path().join(name);
                fs::write(&path, text).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            };
            program("sbatch", "#!/bin/sh\necho \"$*\" >> calls\nwc -l < calls | tr -d ' \\n'\necho ';other'\n");
            program("ojaflow", "#!/bin/sh\nprintf '%s\\0' \"$@\"\n");
            Self(folder)
        }

        fn run(&self, script: &str, args: &[&str]) -> Output {
            fs::write(self.0.path().join("x.sh"), script).unwrap();
            let path = format!("{}:{}", self.0.path().display(), std::env::var("PATH").unwrap());
            let mut command = Command::new("sh");
            command.arg("x.sh").args(args).current_dir(self.0.path()).env("PATH", path).env_remove("OJAFLOW");
            let output = command.env("SLURM_ARRAY_TASK_ID", "3").output().unwrap();
            assert!(output.status.success(), "{}\n{script}", String::from_utf8_lossy(&output.stderr));
            output
        }

        /// What is submitted, an array as its range and the words after the script, each with what it waits for.
        fn submitted(&self, script: &str) -> Vec<(String, String, String)> {
            self.run(script, &[]);
            let calls = fs::read_to_string(self.0.path().join("calls")).unwrap();
            let of = |call: &str, option: &str| {
                let words = call.split(' ').find_map(|word| word.strip_prefix(option));
                words.unwrap_or_default().to_owned()
            };
            let call = |call: &str| {
                let words = call.split_once("x.sh ").unwrap().1.to_owned();
                (of(call, "--array="), of(call, "--dependency="), words)
            };
            calls.lines().map(call).collect()
        }
    }

    fn texts(rows: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
        rows.iter().map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned())).collect()
    }

    #[test]
    fn the_last_job_waits_for_the_array() {
        let submitted = Cluster::new().submitted(&script(&job(8, 1)));
        assert_eq!(submitted, texts(&[("1-8", "", "shard"), ("", "afterany:1", "last")]));
    }

    #[test]
    fn an_array_is_never_larger_than_slurm_takes() {
        for (shards, expected) in [
            (1000, texts(&[("1-1000", "", "shard"), ("", "afterany:1", "last")])),
            (1001, texts(&[("1-1000", "", "shard 0"), ("1-1", "", "shard 1000"), ("", "afterany:1:2", "last")])),
            (
                2500,
                texts(&[
                    ("1-1000", "", "shard 0"),
                    ("1-1000", "", "shard 1000"),
                    ("1-500", "", "shard 2000"),
                    ("", "afterany:1:2:3", "last"),
                ]),
            ),
        ] {
            assert_eq!(Cluster::new().submitted(&script(&job(shards, 1))), expected, "{shards}");
        }
    }

    #[test]
    fn a_level_waits_for_the_one_before() {
        let expected = [("1-4", "", "shard"), ("1-4", "afterany:1", "shard"), ("", "afterany:2", "last")];
        assert_eq!(Cluster::new().submitted(&script(&job(4, 2))), texts(&expected));
        let submitted = Cluster::new().submitted(&script(&job(1500, 2)));
        let waiting: Vec<&str> = submitted.iter().map(|(_, after, _)| after.as_str()).collect();
        assert_eq!(waiting, ["", "", "afterany:1:2", "afterany:1:2", "afterany:3:4"]);
    }

    #[test]
    fn a_job_asks_for_exactly_what_was_asked_for() {
        let hostile = Job { request: HOSTILE.map(str::to_owned).to_vec(), ..job(2500, 3) };
        let script = script(&hostile);
        let cluster = Cluster::new();
        let words = |args: &[&str]| -> Vec<String> {
            let output = cluster.run(&script, args).stdout;
            let text = String::from_utf8(output).unwrap();
            text.split_terminator('\0').map(str::to_owned).collect()
        };
        let work = words(&["shard", "1000"]);
        let rest =
            ["--shard", "1003/2500", "--jobs", "2", "--keep-going", "--until", "45m", "--expect", "0123456789abcdef"];
        assert_eq!(work, [&["work"], &HOSTILE[..], &rest].concat());
        assert_eq!(words(&["last"]), [&["pipeline"], &HOSTILE[..], &["--jobs", "2", "--keep-going"]].concat());
        assert!(fs::read_dir(cluster.0.path()).unwrap().all(|entry| entry.unwrap().file_name() != "x"), "nothing ran");
    }
}
