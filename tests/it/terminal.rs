//! What people meet at the terminal besides results: help, remedies, narrow windows, folders that are not where they stand,
//! and stores that they may only look at.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

use crate::common::{Fixture, SMALL, files_below, ojaflow, text, tiny_data};

/// A command in a folder where there is nothing of a project.
fn outside(args: &[&str]) -> (tempfile::TempDir, Output) {
    let folder = tempfile::tempdir().unwrap();
    let output = ojaflow().current_dir(folder.path()).args(args).output().unwrap();
    (folder, output)
}

// ------------------------------------------------------------------------------------------------------ surroundings

#[test]
fn a_pipeline_given_by_its_path_brings_its_surroundings_along() {
    let fixture = Fixture::new().pipeline(SMALL);
    let all = "include = [\"small\"]\n[pipeline]\nname = \"all\"\ntitle = \"by its name\"\n";
    let fixture = fixture.beside("all", all);
    symlink(tiny_data(), fixture.path("data")).unwrap();
    fs::copy(fixture.path("pipelines/small.toml"), fixture.path("small.toml")).unwrap();
    for file in ["pipelines/small.toml", "small.toml", "pipelines/all.toml"] {
        let file = fixture.path(file);
        let file = file.to_str().unwrap();
        for command in ["plan", "rules"] {
            let (_, output) = outside(&[command, file]);
            assert!(output.status.success(), "{command} {file}: {}", text(&output.stderr));
        }
        let (folder, output) = outside(&["pipeline", file, "--dry-run"]);
        assert!(text(&output.stdout).contains("12 to run"), "{}", text(&output.stdout));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
    let (small, all) = (fixture.path("pipelines/small.toml"), fixture.path("pipelines/all.toml"));
    let (_, output) = outside(&["diff", small.to_str().unwrap(), all.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    // What an option or the place where one stands says comes first; a folder that is only called so is not one of ours.
    let (_, output) = outside(&["plan", small.to_str().unwrap(), "--data", "nowhere"]);
    assert!(text(&output.stderr).contains("no data set `tiny` in nowhere"), "{}", text(&output.stderr));
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("data/tables")).unwrap();
    let plan = |folder: &Path| ojaflow().current_dir(folder).arg("plan").arg(&small).output().unwrap();
    assert!(plan(folder.path()).status.success());
    fs::create_dir_all(folder.path().join("data/other")).unwrap();
    fs::write(folder.path().join("data/other/dataset.toml"), "damaged").unwrap();
    let here = plan(folder.path());
    let said = text(&here.stderr);
    assert!(!here.status.success() && said.contains("data set") && !said.contains(".."), "those that are here: {said}");
}

#[test]
fn where_nothing_is_it_is_said_what_to_do() {
    let (_, output) = outside(&["data"]);
    let said = text(&output.stdout);
    assert!(output.status.success());
    for remedy in ["no data set in data", "ojaflow data fetch", "--data DIR", "ojaflow data import DIR --as NAME"] {
        assert!(said.contains(remedy), "{said}");
    }
    let (_, output) = outside(&["pipeline"]);
    let said = text(&output.stdout);
    // Those that the program carries are everywhere.
    assert!(output.status.success() && said.contains("\nfig4 "), "{said}");
}

#[test]
fn help_leaves_nothing_out() {
    let (_, output) = outside(&["--help"]);
    let help = text(&output.stdout);
    for word in ["--outputs", "--data", "--pipelines", "OJAFLOW_OUTPUTS", "OJAFLOW_DATA", "OJAFLOW_PIPELINES"] {
        assert!(help.contains(word), "{word} is not in\n{help}");
    }
    let commands = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let commands: Vec<&str> = commands.map_while(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 10, "{help}");
    for command in commands {
        let (_, output) = outside(&[command, "--help"]);
        let help = text(&output.stdout);
        let lines: Vec<&str> = help.lines().collect();
        for (number, line) in lines.iter().enumerate().filter(|(_, line)| line.trim_start().starts_with("--")) {
            let in_line = line.trim().contains("  ");
            let below =
                lines.get(number + 1).is_some_and(|next| next.starts_with("          ") && !next.trim().is_empty());
            assert!(in_line || below, "`ojaflow {command} {}` says nothing of itself", line.trim());
        }
    }
}

// ---------------------------------------------------------------------------------------------------------- remedies

/// The program as somebody who may only read what another one made.
fn looking(fixture: &Fixture, args: &[&str]) -> Command {
    let mut command = fixture.command(args);
    fs::set_permissions(fixture.path("."), fs::Permissions::from_mode(0o755)).unwrap();
    if is_root() {
        const NOBODY: u32 = 65534;
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Takes or gives the leave to write in a folder and all that is in it.
fn set_writable(folder: &Path, writable: bool) {
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        let mode = |file: u32| if writable { file | 0o200 } else { file & !0o222 };
        let own = fs::metadata(&folder).unwrap().permissions().mode();
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode(own))).unwrap();
        waiting.extend(fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()));
    }
}

#[test]
fn a_remedy_names_the_option_that_chose_the_place() {
    let fixture = Fixture::new().pipeline(SMALL).run();
    let folder = fixture.path("locked");
    fs::create_dir(&folder).unwrap();
    set_writable(&folder, false);
    let said = |args: &[&str]| {
        let output = looking(&fixture, args).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        text(&output.stderr)
    };
    for args in [&["archive", "small", "-o", "locked/a.tar.zst"][..], &["report", "small", "-o", "locked/r.html"]] {
        let said = said(args);
        assert!(said.contains("locked") && said.contains("Choose another place with `-o FILE`"), "{said}");
        assert!(!said.contains("--outputs"), "{said}");
    }
    let run = said(&["pipeline", "small", "--outputs", "locked/o"]);
    assert!(run.contains("Choose a folder that can be written with `--outputs DIR`"), "{run}");
    set_writable(&folder, true);
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_nobody_takes_is_no_matter_of_the_store() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = ojaflow().arg("rules").stdout(full).output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("cannot write to stdout") && said.contains("Send the output to where"), "{said}");
    assert!(!said.contains("gc") && !said.contains("--outputs"), "{said}");
}

#[test]
fn who_only_looks_needs_no_leave_to_write() {
    let fixture = Fixture::new().pipeline(SMALL).run();
    // Something to collect, and a run that died.
    fixture.stdout(&["pipeline", "small", "--as", "other", "--set", "rules.bp.gradient=0.02"]);
    fs::remove_dir_all(fixture.outputs().join("other")).unwrap();
    let before = files_below(&fixture.outputs());
    set_writable(&fixture.outputs(), false);
    let looks = |args: &[&str]| {
        let output = looking(&fixture, args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    let swept = looks(&["store", "gc", "--dry-run"]);
    assert!(swept.contains("would be removed, 12 kept"), "{swept}");
    assert!(!swept.starts_with("0 results"), "{swept}");
    let ran = looks(&["pipeline", "small"]);
    assert!(ran.contains("0 tasks run, 12 from the store"), "{ran}");
    for args in [&["store", "ls"][..], &["store", "verify"], &["store", "verify", "--outputs"], &["plan", "small"]] {
        looks(args);
    }
    set_writable(&fixture.outputs(), true);
    assert_eq!(files_below(&fixture.outputs()), before);
}

// -------------------------------------------------------------------------------------------------- narrow terminals

/// What the program shows in a terminal of a width, colours taken out.
#[cfg(target_os = "linux")]
fn in_a_terminal(fixture: &Fixture, width: usize, args: &[&str]) -> String {
    let quoted: Vec<String> = args.iter().map(|arg| format!("'{arg}'")).collect();
    let shell = format!("stty cols {width} rows 50; exec '{}' {}", env!("CARGO_BIN_EXE_ojaflow"), quoted.join(" "));
    let of_program = fixture.command(&[]);
    let mut command = Command::new("script");
    command.args(["--quiet", "--command", &shell, "/dev/null"]).current_dir(fixture.path("."));
    command.envs(of_program.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERM", "xterm");
    let shown = text(&command.stdin(std::process::Stdio::null()).output().unwrap().stdout);
    let mut plain = String::new();
    let mut rest = shown.chars();
    while let Some(c) = rest.next() {
        match c {
            '\x1b' => drop(rest.find(char::is_ascii_alphabetic)),
            '\r' => {}
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(target_os = "linux")]
#[test]
fn a_narrow_terminal_breaks_neither_words_nor_numbers() {
    let fixture = Fixture::new().pipeline(SMALL).run();
    let slip = ["plan", "small", "--set", "stages.train.sampels=3"];
    for width in [40, 100] {
        for args in [&["pipeline"][..], &["pipeline", "small"], &["store", "ls"], &["plan", "small"], &slip] {
            let shown = in_a_terminal(&fixture, width, args);
            let piped = fixture.output(args);
            let words = text(&piped.stderr) + &text(&piped.stdout);
            // The time of a run is not always the same, and a bar is drawn on terminals alone.
            let words: Vec<&str> = words.split_whitespace().filter(|word| word.parse::<f64>().is_err()).collect();
            assert!(words.len() > 10, "{args:?}");
            for word in words {
                assert!(shown.contains(word), "`{word}` is torn apart in {width} columns:\n{shown}");
            }
            let is_excerpt = |line: &str| ["─", "│", "·", "left"].iter().any(|sign| line.contains(sign));
            for line in shown.lines().filter(|line| !is_excerpt(line)) {
                assert!(line.chars().count() <= width, "{width} columns: {line}");
            }
        }
        let shown = in_a_terminal(&fixture, width, &["pipeline", "small"]);
        let interval = shown.split_once('[').and_then(|(_, rest)| rest.split_once(']')).expect("an interval").0;
        assert!(!interval.contains('\n'), "{shown}");
        // What programs read has the lines that it has.
        let json = in_a_terminal(&fixture, width, &["pipeline", "small", "--json"]);
        assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
    }
}

#[test]
fn a_reader_of_messages_that_has_gone_away_is_no_error() {
    let fixture = Fixture::new().pipeline(SMALL);
    for (args, status) in [(["plan", "nothing"], 2), (["pipeline", "small"], 0)] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = ojaflow();
        command.args(args).current_dir(fixture.path("")).env("OJAFLOW_DATA", tiny_data());
        let output = command.stderr(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{args:?}");
    }
}

// -------------------------------------------------------------------------------------------------------- empty tables

#[test]
fn a_table_without_a_row_in_any_part_is_not_published() {
    let without = SMALL.replace("snapshots = [0, 100]\n", "");
    assert_ne!(without, SMALL);
    let fixture = Fixture::new().pipeline(&without).run();
    let folder = fixture.outputs().join("small");
    assert!(!folder.join("train_weights").exists());
    let manifest = fs::read_to_string(folder.join("manifest.json")).unwrap();
    let views = fs::read_to_string(folder.join("views.sql")).unwrap();
    assert!(!manifest.contains("\"train_weights/\"") && !views.contains("train_weights"), "{views}");
    let printed = fixture.stdout(&["pipeline", "small"]);
    assert!(!printed.contains(" 0 rows"), "{printed}");
    fixture.stdout(&["store", "verify", "--outputs"]);
    let archive = fixture.path("a.tar.zst");
    fixture.stdout(&["archive", "small", "-o", archive.to_str().unwrap()]);
    let again = fixture.stdout(&["reproduce", archive.to_str().unwrap()]);
    assert!(again.contains(" 0 different"), "{again}");
}
