//! Texts that nobody meant and sizes that no machine has: each ends at once, with exit status 2 and a message that names
//! the place, and never in a panic.

use std::path::Path;
use std::process::Output;

use crate::common;

/// The sound pipeline of these tests: little, and with something of everything.
const SOUND: &str = r#"[pipeline]
name  = "odd"
title = "A pipeline to be odd in"

[matrix]
rule = ["bp"]
seed = { first = 0, count = 2 }

[rules.bp]
gradient = 0.01

[stages.data]
kind    = "load"
dataset = "mnist"

[stages.train]
kind     = "train"
data     = "data"
layers   = [784, 40, 10]
samples  = 600
schedule = [0, 600]

[stages.accuracy]
kind  = "bootstrap"
of    = "train_evaluations"
value = "accuracy"
"#;

fn run(folder: &Path, arguments: &[&str]) -> Output {
    common::ojaflow().current_dir(folder).args(arguments).output().unwrap()
}

/// What `plan` says to a text that it refuses.
fn refused(text: &[u8], options: &[&str]) -> String {
    let folder = common::project("odd", text);
    let output = run(folder.path(), &[&["plan", "odd"], options].concat());
    let said = common::text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

#[test]
fn a_pasted_character_is_named_and_underlined() {
    for (text, said, underlined) in [
        ("[pipeline]\nname = \"x\"\nx = 1e−3\n", "3:7: this is U+2212, a minus sign, not `-`", 1),
        ("[pipeline]\nx = −3\n", "2:5: this is U+2212, a minus sign, not `-`", 1),
        ("[pipeline]\nname = \"x\"\u{a0}\n", "2:11: this is U+00A0, a no-break space, not a plain space", 1),
        ("[pipeline]\nx = 1\u{a0}2\n", "2:6: this is U+00A0, a no-break space, not a plain space", 1),
        ("[pipeline]\n\u{a0}name = \"x\"\n", "2:1: this is U+00A0, a no-break space, not a plain space", 1),
        ("[pipe\u{a0}line]\n", "1:6: this is U+00A0, a no-break space, not a plain space", 1),
        ("[pipeline]\nrule = [\"bp\" “x”]\n", "2:14: this is U+201C, a quotation mark, not `\"`", 1),
        ("[pipeline]\ntitle = \"a\" “b”\n", "2:13: this is U+201C, a quotation mark, not `\"`", 1),
        ("[pipeline]\nname = ‘x’\n", "2:8: this is U+2018, a single quotation mark, not `'`", 1),
        ("[pipeline]\n\u{feff}name = \"x\"\n", "2:1: this is U+FEFF, a byte order mark, not in its place", 1),
    ] {
        let message = refused(text.as_bytes(), &[]);
        assert!(message.contains(said), "{text:?}\n{message}");
        assert!(message.contains("type this one anew"), "{message}");
        let line = message.lines().find(|line| line.contains("·")).unwrap();
        assert_eq!(line.matches('─').count(), underlined, "{message}");
    }
    // Of what is no slip for something else, the place at least is right.
    for (text, place) in
        [("[pipeline]\ntitle = \"x\"é", "2:12"), ("[a]é", "1:4"), ("é", "1:1"), ("[pipeline]\n漢 = 1", "2:1")]
    {
        assert!(refused(text.as_bytes(), &[]).contains(&format!("odd.toml:{place}: ")), "{text}");
    }
}

#[test]
fn an_override_with_a_pasted_minus_says_so() {
    let message = refused(SOUND.as_bytes(), &["--set", "stages.train.samples=−5"]);
    assert!(message.contains("In `−5`, this is U+2212, a minus sign, not `-`."), "{message}");
}

#[test]
fn a_byte_order_mark_at_the_beginning_is_no_fault() {
    let folder = common::project("odd", format!("\u{feff}{SOUND}").as_bytes());
    let output = run(folder.path(), &["plan", "odd"]);
    assert!(output.status.success(), "{}", common::text(&output.stderr));
}

/// One odd character after the other at every place of a pipeline: refused or taken, nothing else.
#[test]
fn odd_characters_at_any_place_never_panic() {
    use ojaflow::spec::{Spec, report};
    let places: Vec<usize> = SOUND.char_indices().map(|(at, _)| at).chain([SOUND.len()]).collect();
    let mut refused = 0;
    for odd in ["−", "\u{a0}", "“", "’", "\u{feff}", "é", "漢", "\u{301}", "👩‍🔬", "\u{0}", "\r", "\""] {
        for &at in &places {
            let text = format!("{}{odd}{}", &SOUND[..at], &SOUND[at..]);
            if let Err(faults) = Spec::parse(Path::new("odd.toml"), &text, &[]) {
                assert!(report::render(&faults, false).contains("odd.toml"));
                refused += 1;
            }
        }
    }
    assert!(refused > places.len(), "most of them are faults: {refused}");
}

#[test]
fn bytes_that_are_no_text_are_an_error_and_no_panic() {
    let folder = common::project("odd", b"[pipeline]\nname = \"\xff\xfe\"\n");
    let output = run(folder.path(), &["plan", "odd"]);
    let said = common::text(&output.stderr);
    assert!(matches!(output.status.code(), Some(1 | 2)) && said.contains("odd.toml"), "{said}");
}

#[test]
fn a_slip_of_the_keyboard_is_answered_with_what_was_meant() {
    for (from, to, meant) in [
        ("samples  = 600", "sampels  = 600", "samples"),
        ("[stages.train]\nkind     = \"train\"", "[stages.train]\nkind     = \"trian\"", "train"),
        ("[matrix]\nrule = [\"bp\"]", "[matrix]\nrule = [\"bpp\"]", "bp"),
        ("gradient = 0.01", "gradeint = 0.01", "gradient"),
        ("value = \"accuracy\"", "value = \"acuracy\"", "accuracy"),
        ("data     = \"data\"", "data     = \"dta\"", "data"),
        ("of    = \"train_evaluations\"", "of    = \"train_evaluation\"", "train_evaluations"),
        ("dataset = \"mnist\"", "dataset = \"minst\"", "mnist"),
        ("[matrix]\nrule = ", "[matrix]\nruel = ", "rule"),
        ("[matrix]", "[matrx]", "matrix"),
        ("[pipeline]\nname  =", "[pipeline]\nnmae  =", "name"),
    ] {
        assert!(SOUND.contains(from), "{from}");
        let message = refused(SOUND.replacen(from, to, 1).as_bytes(), &[]).to_lowercase();
        assert!(message.contains(&format!("did you mean `{meant}`?")), "{to}\n{message}");
    }
    for (options, meant) in [
        (["--to", "acuracy"], "accuracy"),
        (["--force", "trian"], "train"),
        (["--set", "stages.tarin.samples=5"], "train"),
    ] {
        let message = refused(SOUND.as_bytes(), &options);
        assert!(message.contains(&format!("did you mean `{meant}`?")), "{message}");
    }
    let folder = common::project("odd", SOUND.as_bytes());
    let message = common::text(&run(folder.path(), &["plan", "od"]).stderr);
    assert!(message.contains("Did you mean `odd`?"), "{message}");
}

#[test]
fn a_thousand_written_as_a_float_is_answered_with_how_to_write_it() {
    let message = refused(SOUND.replace("samples  = 600", "samples  = 1e3").as_bytes(), &[]);
    assert!(message.contains("expected a whole number, 0 or more") && message.contains("Write 1000."), "{message}");
}
