//! What shells and `man` know of the commands, asked as they ask: in bash, zsh and fish, where those are installed.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use crate::common::{Fixture, SMALL, root, text};

/// A project with a pipeline that has been run, for all tests here.
static PUBLISHED: LazyLock<Fixture> = LazyLock::new(|| Fixture::new().pipeline(SMALL).run());

/// Whether a shell is there; if it is not, says which test is skipped.
fn is_there(shell: &str) -> bool {
    let found =
        Command::new(shell).arg("-c").arg("exit 0").stdin(Stdio::null()).status().is_ok_and(|status| status.success());
    if !found {
        eprintln!("skipped: there is no {shell}");
    }
    found
}

/// What a shell prints, run in a folder where `ojaflow` is the program under test.
fn in_shell(shell: &str, script: &str, folder: &Path) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_ojaflow"));
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(shell);
    match shell {
        // Without what the user has set up.
        "bash" => command.args(["--norc", "--noprofile"]),
        "zsh" => command.arg("-f"),
        _ => command.arg("--no-config"),
    };
    command.env("PATH", format!("{}:{path}", binary.parent().unwrap().display()));
    for variable in ["OJAFLOW_OUTPUTS", "OJAFLOW_DATA", "OJAFLOW_PIPELINES"] {
        command.env_remove(variable);
    }
    let output = command.arg("-c").arg(script).current_dir(folder).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{shell}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Lines that have been typed, each with what has to be among that which is offered, and what must not.
const TYPED: [(&[&str], &str, &str); 9] = [
    (&["pipeline", "fi"], "fig1", "smoke"),
    (&["plan", "fig1", "--to", "tr"], "train", "accuracy"),
    (&["pipeline", "fig7", "--force", "dia"], "diagnostics", "train"),
    (&["pipeline", "fig1", "--set", "matrix.s"], "matrix.seed.count=", "matrix.rule="),
    (&["explain", "train_"], "train_recurrent", "train"),
    (&["explain", "--methods", "smo"], "smoke", "fig1"),
    (&["export", "fig1", "--to", "sl"], "slurm", "train"),
    (&["comp"], "completions", "pipeline"),
    (&["diff", "fig8_s"], "fig8_sparsity", "fig8"),
];

/// The script is loaded as its help says, then its function is called as bash would.
fn bash(words: &[&str], folder: &Path) -> Vec<String> {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let (last, before) = (words.last().unwrap(), words.len().checked_sub(2).map_or("ojaflow", |at| words[at]));
    let script = format!(
        "source <(ojaflow completions bash)\n\
         COMP_WORDS=(ojaflow {}); COMP_CWORD={}; COMP_TYPE=9\n\
         _clap_complete_ojaflow ojaflow '{last}' '{before}' 2>/dev/null\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        quoted.join(" "),
        words.len()
    );
    in_shell("bash", &script, folder).lines().map(|line| line.trim().to_owned()).collect()
}

/// With the functions of zsh's completion system replaced by ones that print.
fn zsh(words: &[&str], folder: &Path) -> Vec<String> {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let script = format!(
        "compdef() {{ :; }}; _describe() {{ local name=$3; print -l -- ${{(P)name}}; }}\n\
         source <(ojaflow completions zsh)\n\
         words=(ojaflow {}); CURRENT={}\n\
         _clap_dynamic_completer_ojaflow",
        quoted.join(" "),
        words.len() + 1
    );
    let said = in_shell("zsh", &script, folder);
    said.lines().map(|line| line.split(':').next().unwrap_or_default().to_owned()).collect()
}

fn fish(words: &[&str], folder: &Path) -> Vec<String> {
    let script = format!("ojaflow completions fish | source; complete -C 'ojaflow {}'", words.join(" "));
    let said = in_shell("fish", &script, folder);
    said.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
}

fn knows_what_could_come_next(shell: &str, ask: fn(&[&str], &Path) -> Vec<String>) {
    if !is_there(shell) {
        return;
    }
    for (words, offered, other) in TYPED {
        let found = ask(words, root());
        assert!(found.iter().any(|word| word == offered), "{shell}: {words:?}: {offered} is not in {found:?}");
        assert!(!found.iter().any(|word| word == other), "{shell}: {words:?}: {other} is in {found:?}");
    }
    let published = ask(&["archive", "s"], PUBLISHED.outputs().parent().unwrap());
    assert_eq!(published, ["small"], "{shell}: what is published");
}

#[test]
fn bash_knows_what_could_come_next() {
    knows_what_could_come_next("bash", bash);
}

#[test]
fn zsh_knows_what_could_come_next() {
    knows_what_could_come_next("zsh", zsh);
}

#[test]
fn fish_knows_what_could_come_next() {
    knows_what_could_come_next("fish", fish);
}

#[test]
fn every_command_has_a_manual_page() {
    let fixture = Fixture::new();
    fixture.stdout(&["man", "pages"]);
    let page = |name: &str| {
        fs::read_to_string(fixture.path("pages").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let first = page("ojaflow.1");
    for command in ["pipeline", "plan", "explain", "completions", "archive"] {
        assert!(first.contains(command), "{first}");
        assert!(page(&format!("ojaflow-{command}.1")).contains(".SH OPTIONS"), "{command}");
    }
    assert!(page("ojaflow-store-gc.1").contains("unfinished"));
}
