//! Snakemake: a Snakefile whose job is a shard. Its outputs are receipts: Snakemake removes what a failed job declared, so
//! results are none of its business.

use super::job::{Job, filled, quoted};

const SNAKEFILE: &str = r#"# {{name}} with Snakemake: {{sentence}}.
# From the folder where `ojaflow pipeline` would be typed, which all nodes have to see under the same path:
#
#     snakemake -s {{file}} --cores all
#     snakemake -s {{file}} --executor slurm --jobs 100
#
# A job is a shard and leaves a receipt, never a result. A shard may be killed or come twice: it goes on from what is in the
# store, and others do what it left. `ojaflow status` says how far it is.
import os

OJAFLOW = os.environ.get("OJAFLOW", "ojaflow")
REQUEST = {{request}}
PLAN = "{{digest}}"  # another plan, of another program, pipeline or data set, is refused, and has receipts of its own
RECEIPTS = f"receipts/{{name}}.{PLAN}"
SHARDS = {{shards}}
{{levels}}

localrules:
    all,


rule all:
    input:
        f"{RECEIPTS}/published",


rule shard:
{{before}}    output:
        f"{RECEIPTS}/{{receipt}}-of-{SHARDS}",
    threads: {{jobs}}
    retries: 2
    resources:
        runtime={{limit}},
        mem_mb={{memory}},
    shell:
        "{OJAFLOW:q} work {REQUEST} --shard {wildcards.shard}/{SHARDS} --jobs {threads} --keep-going"
        " --until {{until}}m --expect {PLAN} && echo {PLAN} > {output:q}"


rule publish:
    input:
        {{all}},
    output:
        f"{RECEIPTS}/published",
    threads: {{jobs}}
    resources:
        runtime={{last_limit}},
        mem_mb={{memory}},
    shell:
        "{OJAFLOW:q} pipeline {REQUEST} --jobs {threads} --keep-going && echo {PLAN} > {output:q}"
"#;

const LEVELS: &str = r#"LEVELS = {{levels}}


def level(number):
    return [f"{RECEIPTS}/level-{number}.{i}-of-{SHARDS}" for i in range(1, SHARDS + 1)]


def level_before(wildcards):
    """Each level follows from the results of the one before."""
    number = int(wildcards.level) - 1
    return level(number) if number else []
"#;

/// The Snakefile.
pub(super) fn snakefile(job: &Job) -> String {
    let (levels, before, receipt, all) = match job.levels {
        1 => (String::new(), "", "{{shard}}", r#"[f"{RECEIPTS}/{i}-of-{SHARDS}" for i in range(1, SHARDS + 1)]"#),
        levels => (
            filled(LEVELS, &[("levels", &levels.to_string())]),
            "    input:\n        level_before,\n",
            "level-{{level}}.{{shard}}",
            "level(LEVELS)",
        ),
    };
    // What Python takes for a string, JSON does too.
    let request = serde_json::to_string(&job.quoted_request()).expect("text");
    filled(
        SNAKEFILE,
        &[
            ("name", &job.name),
            ("sentence", &job.sentence()),
            ("file", &quoted(&format!("{}.smk", job.name))),
            ("request", &request),
            ("digest", &job.digest),
            ("shards", &job.shards.to_string()),
            ("levels", &levels),
            ("before", before),
            ("receipt", receipt),
            ("all", all),
            ("jobs", &job.jobs.to_string()),
            ("until", &job.until().to_string()),
            ("limit", &job.limit().to_string()),
            ("last_limit", &job.last_limit().to_string()),
            ("memory", &(job.gigabytes * 1000).to_string()),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::super::job::tests::{HOSTILE, job};
    use super::*;

    /// What `NAME = "…"` says in a Snakefile.
    fn value(snakefile: &str, name: &str) -> String {
        let line = snakefile.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
        let mut literal = serde_json::Deserializer::from_str(line.expect("the line is there")).into_iter::<String>();
        literal.next().expect("a literal").expect("a string")
    }

    #[test]
    fn the_request_stands_in_it_as_one_line_that_a_shell_reads() {
        let hostile = Job { request: HOSTILE.map(str::to_owned).to_vec(), ..job(8, 1) };
        let snakefile = snakefile(&hostile);
        assert_eq!(value(&snakefile, "REQUEST"), hostile.quoted_request());
        assert_eq!(value(&snakefile, "PLAN"), "0123456789abcdef");
    }

    #[test]
    fn jobs_leave_receipts_and_nothing_else() {
        for levels in [1, 3] {
            let snakefile = snakefile(&job(8, levels));
            let lines: Vec<&str> = snakefile.lines().map(str::trim).collect();
            let outputs: Vec<&str> = lines.windows(2).filter(|pair| pair[0] == "output:").map(|pair| pair[1]).collect();
            assert!(outputs.len() == 2 && outputs.iter().all(|line| line.starts_with("f\"{RECEIPTS}/")), "{outputs:?}");
            assert_eq!(lines.contains(&"LEVELS = 3"), levels == 3);
            assert!(!snakefile.contains("{{}}") && snakefile.contains("--expect {PLAN}"));
        }
    }
}
