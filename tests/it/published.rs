//! What is published is what was made: damage is noticed by the check that is due, and made good from the store; what a
//! person put beside it stays.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::common::{Fixture, SMALL, Smoke, flip_a_bit, text};

/// Flips a bit of a published file without touching what others share with it.
fn damage(path: &Path) {
    let sound = fs::read(path).unwrap();
    fs::remove_file(path).unwrap();
    fs::write(path, sound).unwrap();
    flip_a_bit(path);
}

/// The same, with the size and the time of the sound file.
fn damage_in_secret(path: &Path) {
    let time = fs::metadata(path).unwrap().modified().unwrap();
    damage(path);
    File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn a_flipped_bit_in_any_published_file_is_made_good_by_the_next_run() {
    let smoke = Smoke::run();
    // Everything is noted as sound before anything is damaged.
    smoke.succeeds(&["pipeline", "smoke", "--quiet"]);
    let sound: Vec<(PathBuf, Vec<u8>)> =
        smoke.files().into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    for (path, content) in &sound {
        damage(path);
        let ran = smoke.succeeds(&["pipeline", "smoke", "--jobs", "2"]);
        let (printed, notes) = (text(&ran.stdout), text(&ran.stderr));
        let name = path.strip_prefix(smoke.folder()).unwrap().to_str().unwrap();
        assert!(notes.contains("is made new from the store") && notes.contains(name), "{name}\n{notes}");
        assert!(printed.contains("0.7235 [0.7149, 0.7322]") && printed.contains("0 tasks run"), "{name}\n{printed}");
        assert!(fs::read(path).unwrap() == *content, "{name} is what it was");
    }
    let quiet = text(&smoke.succeeds(&["pipeline", "smoke"]).stderr);
    assert!(!quiet.contains("made new"), "{quiet}");
}

#[test]
fn a_flipped_bit_under_the_old_time_is_found_and_made_good_by_verify() {
    let smoke = Smoke::run();
    smoke.succeeds(&["pipeline", "smoke", "--quiet"]);
    let sound: Vec<(PathBuf, Vec<u8>)> =
        smoke.files().into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    for (path, content) in &sound {
        damage_in_secret(path);
        // `archive` reads every byte, those that it leaves out as well.
        smoke.fails(&["archive", "smoke", "-o", "/dev/null"], path);
        let verified = smoke.output(&["store", "verify", "--outputs"]);
        let found = text(&verified.stdout);
        assert_eq!(verified.status.code(), Some(1), "{found}");
        let line = found.lines().find(|line| line.starts_with(path.to_str().unwrap()));
        let line = line.unwrap_or_else(|| panic!("{} is not in: {found}", path.display()));
        if path.ends_with("manifest.json") {
            assert!(line.contains("is damaged") && line.ends_with("run the pipeline again"), "{line}");
            smoke.fails(&["report", "smoke", "-o", "/dev/null"], path);
            smoke.succeeds(&["pipeline", "smoke", "--quiet"]);
        } else {
            assert!(line.contains("is damaged") && line.ends_with("made anew from the store"), "{line}");
        }
        assert!(fs::read(path).unwrap() == *content, "{} is what it was", path.display());
    }
    let again = text(&smoke.succeeds(&["store", "verify", "--outputs"]).stdout);
    assert!(!again.contains("damaged"), "{again}");
}

#[test]
fn what_is_shown_is_never_shown_damaged() {
    let smoke = Smoke::run();
    smoke.succeeds(&["pipeline", "smoke", "--quiet"]);
    for name in ["claims.parquet", "smoke.svg"] {
        damage_in_secret(&smoke.folder().join(name));
        smoke.fails(&["report", "smoke", "-o", "/dev/null"], &smoke.folder().join(name));
        smoke.succeeds(&["pipeline", "smoke", "--quiet"]);
        smoke.succeeds(&["report", "smoke", "-o", "/dev/null"]);
    }
    for name in ["claims.parquet", "summary.parquet"] {
        damage_in_secret(&smoke.folder().join(name));
        let printed = text(&smoke.succeeds(&["pipeline", "smoke"]).stdout);
        assert!(printed.contains("at 600:               0.7235 [0.7149, 0.7322]"), "{printed}");
        assert!(printed.contains("yes  0.7235 ["), "{printed}");
    }
}

#[test]
fn a_folder_without_its_manifest_is_known_and_made_good() {
    let fixture = Fixture::new().pipeline(SMALL).run();
    let manifest = fixture.outputs().join("small/manifest.json");
    let before = fs::read(&manifest).unwrap();
    fs::remove_file(&manifest).unwrap();
    // What it refers to is not known, so nothing is removed.
    let collected = fixture.output(&["store", "gc"]);
    let message = text(&collected.stderr);
    assert_eq!(collected.status.code(), Some(1), "{message}");
    assert!(message.contains("lost its manifest.json") && message.contains("run the pipeline again"), "{message}");
    let verified = text(&fixture.output(&["store", "verify", "--outputs"]).stdout);
    assert!(verified.contains("manifest.json is damaged: it is missing"), "{verified}");
    let ran = fixture.output(&["pipeline", "small"]);
    assert!(text(&ran.stderr).contains("manifest.json (it is missing)"), "{}", text(&ran.stderr));
    assert_eq!(fs::read(&manifest).unwrap(), before);
    fixture.run().hits_all();
}

#[test]
fn verify_says_what_the_store_no_longer_has() {
    let fixture = Fixture::new().pipeline(SMALL).run();
    let table = fixture.outputs().join("small/accuracy.parquet");
    let manifest = fixture.manifest("small");
    let entry = manifest["tables"].as_array().unwrap().iter().find(|table| table["name"] == "accuracy").unwrap();
    let key = entry["parts"][0]["key"].as_str().unwrap();
    fs::remove_dir_all(fixture.outputs().join(".store/v1/results").join(&key[..2]).join(key)).unwrap();
    flip_a_bit(&table);
    let verified = fixture.output(&["store", "verify", "--outputs"]);
    let found = text(&verified.stdout);
    assert_eq!(verified.status.code(), Some(1), "{found}");
    assert!(
        found.contains("small/accuracy.parquet is damaged") && found.contains("the store no longer has it"),
        "{found}"
    );
    let fixture = fixture.run();
    let verified = text(&fixture.output(&["store", "verify", "--outputs"]).stdout);
    assert!(!verified.contains("damaged"), "{verified}");
}

#[test]
fn the_root_may_stand_before_or_behind_verify() {
    let fixture = Fixture::new().pipeline(SMALL).with(&["--outputs", "elsewhere"]).run();
    flip_a_bit(&fixture.path("elsewhere/small/accuracy.parquet"));
    for arguments in [
        &["store", "verify", "--outputs", "elsewhere"][..],
        &["--outputs", "elsewhere", "store", "verify", "--outputs"],
    ] {
        flip_a_bit(&fixture.path("elsewhere/small/last.parquet"));
        let found = text(&fixture.output(arguments).stdout);
        assert!(found.contains("elsewhere/small/last.parquet is damaged"), "{arguments:?}: {found}");
    }
    let only_the_store = text(&fixture.output(&["--outputs", "elsewhere", "store", "verify"]).stdout);
    assert!(only_the_store.starts_with("12 results"), "{only_the_store}");
}

#[test]
fn files_of_other_people_stay_when_a_folder_is_published_anew() {
    let fixture = Fixture::new().pipeline(SMALL).run();
    let folder = fixture.outputs().join("small");
    fs::create_dir(folder.join("mine")).unwrap();
    let mine = ["notes.txt", "mine/analysis.ipynb", "train_weights/first.csv", ".hidden"];
    for path in mine {
        fs::write(folder.join(path), path).unwrap();
    }
    let fixture = fixture.edit("query = \"SELECT rule,", "query = \"SELECT seed AS other, rule,");
    let refused = fixture.output(&["pipeline", "small"]);
    assert!(!refused.status.success(), "no such column");
    let fixture = fixture.edit("SELECT seed AS other, rule,", "SELECT rule, step,");
    let ran = fixture.output(&["pipeline", "small"]);
    let note = text(&ran.stderr);
    assert!(ran.status.success(), "{note}");
    let named = "kept in outputs/small, although ojaflow did not publish it: .hidden, mine/analysis.ipynb, notes.txt, train_weights/first.csv";
    assert!(note.contains(named), "{note}");
    assert!(fixture.frame("small", "last").cells("step").is_ok(), "and it was published anew");
    // Damage is repaired around them, the loss of the manifest included.
    flip_a_bit(&folder.join("accuracy.parquet"));
    let fixture = fixture.run();
    fs::remove_file(folder.join("manifest.json")).unwrap();
    let fixture = fixture.run();
    for path in mine {
        assert_eq!(fs::read_to_string(folder.join(path)).unwrap(), path);
    }
    assert!(!folder.join("kept").exists());
    fixture.stdout(&["store", "verify", "--outputs"]);
}

#[test]
fn a_file_in_the_place_of_a_new_table_makes_room_for_it() {
    let fixture = Fixture::new().pipeline(SMALL).run();
    let folder = fixture.outputs().join("small");
    fs::write(folder.join("final.parquet"), "mine").unwrap();
    let fixture = fixture.edit("[stages.last]", "[stages.final]");
    let note = text(&fixture.output(&["pipeline", "small"]).stderr);
    assert!(note.contains("final.parquet (as kept/final.parquet)"), "{note}");
    assert_eq!(fs::read_to_string(folder.join("kept/final.parquet")).unwrap(), "mine");
    assert!(fixture.frame("small", "final").n_rows() > 0);
    assert!(!folder.join("last.parquet").exists(), "what is no longer published goes");
}

#[test]
fn a_composition_publishes_its_own_claims_beside_those_of_its_parts() {
    let stages = SMALL.split("[matrix]").nth(1).expect("a matrix");
    let own = format!(
        "include = [\"small\"]\n[pipeline]\nname = \"both\"\ntitle = \"a part and more\"\n[matrix]{}",
        stages.replace("\"S1\"", "\"S2\"").replace("count = 2", "count = 1")
    );
    let fixture = Fixture::new().pipeline(SMALL).beside("both", &own);
    for state in ["outputs/both/\n", "outputs/both/ (as before)\n"] {
        let printed = fixture.stdout(&["pipeline", "both"]);
        assert!(printed.contains(state), "{printed}");
        assert!(printed.contains("S1   holds") && printed.contains("S2   undecided"), "{printed}");
    }
    let claims = fixture.frame("both", "claims");
    assert_eq!(claims.n_rows(), 4, "two conditions each");
    let verified = fixture.stdout(&["store", "verify", "--outputs"]);
    assert!(!verified.contains("damaged"), "{verified}");
}
