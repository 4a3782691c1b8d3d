//! What an earlier version wrote is read by this one: an archive, a published folder and the store behind it.

use std::fs::File;
use std::path::PathBuf;

use crate::common::{Fixture, SMALL, SMALL_TASKS, ojaflow, root, text, tiny_data};

fn earlier(name: &str) -> PathBuf {
    root().join("tests/fixtures/earlier").join(name)
}

/// A project in which the earlier version has run the pipeline.
fn fixture() -> Fixture {
    let fixture = Fixture::new().pipeline(SMALL);
    let unpacked = zstd::Decoder::new(File::open(earlier("outputs.tar.zst")).unwrap()).unwrap();
    tar::Archive::new(unpacked).unpack(fixture.path(".")).unwrap();
    fixture
}

#[test]
fn an_earlier_archive_is_verified_to_the_same_identity() {
    let output = ojaflow().arg("verify").arg(earlier("small.tar.zst")).output().unwrap();
    let said = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(said.contains("19 files") && said.contains("`small` by ojaflow 0.1.0"), "{said}");
    assert!(said.contains("1d4c2db62c3b2d08487f94482a770e2360e24fabcfb73502ff79f6b224f736f7"), "{said}");
}

#[test]
fn an_earlier_archive_runs_again_and_the_kinds_that_changed_since_are_named() {
    let output =
        ojaflow().arg("reproduce").arg(earlier("small.tar.zst")).arg("--data").arg(tiny_data()).output().unwrap();
    let (said, notes) = (text(&output.stdout), text(&output.stderr));
    // What was computed is the same; the tables of trainings have columns that they had not.
    assert!(said.contains("small/data                identical"), "{said}\n{notes}");
    assert!(said.contains("small/accuracy            the same values in other bytes"), "{said}");
    assert!(notes.contains("of `train`, in the archive version 3"), "{notes}");
    assert_eq!(output.status.code(), Some(1), "a difference is told: {said}");
}

#[test]
fn an_earlier_store_and_what_was_published_from_it_are_sound_and_of_use() {
    let fixture = fixture();
    let verified = fixture.stdout(&["store", "verify", "--outputs"]);
    assert!(verified.contains("12 results, ") && !verified.contains("damaged"), "{verified}");
    assert!(fixture.stdout(&["store", "du"]).contains("\nsmall "));
    fixture.stdout(&["report", "small", "-o", "report.html"]);
    fixture.stdout(&["archive", "small", "-o", "small.tar.zst"]);
    fixture.stdout(&["verify", "small.tar.zst"]);
    // Kinds whose version rose since are run again, the others are not.
    let planned = fixture.stdout(&["plan", "small"]);
    assert!(planned.contains(&format!("{SMALL_TASKS} tasks: 11 to run, 1 cached")), "{planned}");
    let why = fixture.stdout(&["plan", "small", "--why"]);
    assert!(why.contains("train"), "{why}");
    fixture.stdout(&["pipeline", "small"]);
    assert!(fixture.stdout(&["plan", "small"]).contains("0 to run"));
    // What only the earlier version made is no use to anybody any more.
    let removed = fixture.stdout(&["store", "gc"]);
    assert!(removed.contains("11 results"), "{removed}");
}
