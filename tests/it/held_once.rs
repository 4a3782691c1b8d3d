//! Disk: what is large is held once by the store and the published folders, and no way of damaging it harms more than the
//! digests tell.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::common::{Smoke, files_below, flip_a_bit, text};

/// Bytes from which on a file is held once.
const LARGE: u64 = 1 << 20;

impl Smoke {
    /// The large file that it publishes: images, published as they lie in the store.
    fn published(&self) -> PathBuf {
        self.folder().join("data.parquet")
    }

    /// The store's files of a name.
    fn stored(&self, name: &str) -> Vec<PathBuf> {
        let results = self.outputs().join(".store/v1/results");
        files_below(&results).into_iter().filter(|path| path.ends_with(name)).map(|path| results.join(path)).collect()
    }

    fn images(&self) -> PathBuf {
        self.stored("dataset.parquet").pop().expect("one data set")
    }

    /// Links the published images to the store's, as is done where blocks cannot be shared, and has every file noted as
    /// sound.
    fn linked() -> Self {
        let smoke = Self::run();
        if !is_same(&smoke.published(), &smoke.images()) {
            fs::remove_file(smoke.published()).unwrap();
            fs::hard_link(smoke.images(), smoke.published()).unwrap();
        }
        std::thread::sleep(std::time::Duration::from_millis(30));
        smoke.succeeds(&["pipeline", "smoke", "--quiet"]);
        smoke
    }

    fn assert_sound(&self, images: &[u8]) {
        assert!(fs::read(self.published()).unwrap() == images && fs::read(self.images()).unwrap() == images);
        self.succeeds(&["store", "verify"]);
        let verified = text(&self.succeeds(&["store", "verify", "--outputs"]).stdout);
        assert!(!verified.contains("damaged"), "{verified}");
    }
}

fn is_same(a: &Path, b: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|file| (file.dev(), file.ino())).unwrap();
    identity(a) == identity(b)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Whether files in a folder can share blocks.
fn has_reflinks(folder: &Path) -> bool {
    let (file, other) = (folder.join("probe"), folder.join("probed"));
    fs::write(&file, "probe").unwrap();
    let reflinked = reflink_copy::reflink(&file, &other).is_ok();
    for path in [file, other] {
        let _ = fs::remove_file(path);
    }
    reflinked
}

#[test]
fn what_is_large_is_one_file_that_nobody_writes_and_what_is_small_is_a_copy() {
    let smoke = Smoke::run();
    let linked = !has_reflinks(&smoke.outputs());
    assert_eq!(is_same(&smoke.published(), &smoke.images()), linked);
    assert_eq!(mode(&smoke.published()) & 0o222 == 0, linked, "who writes one name would write the other");
    let mut n_large = 0;
    for path in smoke.files() {
        let file = fs::metadata(&path).unwrap();
        if file.len() >= LARGE {
            n_large += 1;
        } else {
            assert_eq!((file.nlink(), mode(&path) & 0o200), (1, 0o200), "{} is the user's to edit", path.display());
        }
    }
    assert_eq!(n_large, 1);
    // An archive has the bytes, not the way in which they lie on the disk.
    let archive = |folder: &Path, name: &str| {
        let target = smoke.outputs().join(name);
        smoke.succeeds(&["archive", folder.to_str().unwrap(), "--with", "images", "-o", target.to_str().unwrap()]);
        fs::read(target).unwrap()
    };
    let copied = smoke.outputs().join("copied/smoke");
    for path in smoke.files() {
        let target = copied.join(path.strip_prefix(smoke.folder()).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, fs::read(path).unwrap()).unwrap();
    }
    assert!(archive(&smoke.folder(), "a") == archive(&copied, "b"));
}

#[test]
fn a_bit_flipped_in_the_one_file_is_noticed_on_both_sides_and_never_repaired_from_itself() {
    let smoke = Smoke::linked();
    let sound = fs::read(smoke.published()).unwrap();
    let time = fs::metadata(smoke.published()).unwrap().modified().unwrap();
    flip_a_bit(&smoke.published());
    fs::set_permissions(smoke.published(), fs::Permissions::from_mode(0o644)).unwrap();
    File::options().write(true).open(smoke.published()).unwrap().set_modified(time).unwrap();
    let damaged = fs::read(smoke.published()).unwrap();
    assert!(fs::read(smoke.images()).unwrap() == damaged && damaged != sound, "one file");

    let store = smoke.output(&["store", "verify"]);
    assert_eq!(store.status.code(), Some(1));
    assert!(text(&store.stdout).contains(smoke.images().to_str().unwrap()), "{}", text(&store.stdout));
    let both = smoke.output(&["store", "verify", "--outputs"]);
    let found = text(&both.stdout);
    let line = found.lines().find(|line| line.starts_with(smoke.published().to_str().unwrap()));
    let line = line.unwrap_or_else(|| panic!("{found}"));
    assert!(line.contains("in the store, ") && line.ends_with("run the pipeline again"), "{line}");
    assert!(!found.contains("made anew"), "{found}");
    assert!(fs::read(smoke.published()).unwrap() == damaged, "nothing was copied over it");
    smoke.fails(&["archive", "smoke", "--with", "images", "-o", "/dev/null"], &smoke.published());

    // The next run notices although size and time are the old ones, makes the result anew and publishes that.
    let ran = smoke.succeeds(&["pipeline", "smoke"]);
    let notes = text(&ran.stderr);
    assert!(notes.contains("data.parquet") && notes.contains("runs again"), "{notes}");
    smoke.assert_sound(&sound);
}

#[test]
fn a_file_put_in_the_place_of_the_published_one_harms_only_that() {
    let smoke = Smoke::linked();
    let sound = fs::read(smoke.published()).unwrap();
    for repair in [&["store", "verify", "--outputs"][..], &["pipeline", "smoke"]] {
        // What editors do, and tools that "save safely".
        let new = smoke.outputs().join("new");
        fs::write(&new, &sound[..sound.len() / 2]).unwrap();
        fs::rename(&new, smoke.published()).unwrap();
        assert!(fs::read(smoke.images()).unwrap() == sound);
        smoke.succeeds(&["store", "verify"]);
        let said = smoke.output(repair);
        let said = text(&said.stdout) + &text(&said.stderr);
        assert!(said.contains("made anew from the store") || said.contains("made new from the store"), "{said}");
        smoke.assert_sound(&sound);
        assert_eq!(is_same(&smoke.published(), &smoke.images()), !has_reflinks(&smoke.outputs()), "held once again");
    }
}

#[test]
fn a_stored_file_that_is_made_anew_leaves_the_published_one_as_it_was() {
    let smoke = Smoke::linked();
    let (sound, images) = (fs::read(smoke.published()).unwrap(), smoke.images());
    fs::remove_file(&images).unwrap();
    fs::write(&images, "damaged").unwrap();
    assert_eq!(smoke.output(&["store", "verify"]).status.code(), Some(1));
    let run = smoke.succeeds(&["pipeline", "smoke"]);
    assert!(!text(&run.stderr).contains("made new"), "what is published is sound: {}", text(&run.stderr));
    assert!(fs::read(smoke.published()).unwrap() == sound);
    smoke.succeeds(&["pipeline", "smoke", "--force", "data", "--quiet"]);
    smoke.assert_sound(&sound);
}

#[test]
fn folders_that_share_a_file_are_replaced_removed_and_collected_each_for_itself() {
    let smoke = Smoke::linked();
    let sound = fs::read(smoke.published()).unwrap();
    let other = ["pipeline", "smoke", "--as", "other", "--quiet"];
    smoke.succeeds(&other);
    let other_images = smoke.outputs().join("other/data.parquet");
    // Published anew, where another pipeline shares the file, it is the store's again.
    smoke.succeeds(&[&other[..], &["--force", "summary"]].concat());
    smoke.assert_sound(&sound);
    fs::remove_dir_all(smoke.outputs().join("other")).unwrap();
    let collected = |args: &[&str]| text(&smoke.succeeds(args).stdout);
    assert!(collected(&["store", "gc"]).starts_with("0 results (0 B) removed, 25 kept"));
    smoke.assert_sound(&sound);
    smoke.succeeds(&other);
    assert!(fs::read(&other_images).unwrap() == sound);
    fs::remove_dir_all(smoke.outputs().join("other")).unwrap();

    // A folder that is moved away takes its names along: removing what the store has of them wins nothing.
    let away = smoke.outputs().join("away");
    fs::create_dir(&away).unwrap();
    fs::rename(smoke.folder(), away.join("smoke")).unwrap();
    let moved = away.join("smoke/data.parquet");
    let shared = fs::metadata(&moved).unwrap().nlink() > 1;
    for args in [&["store", "gc", "--dry-run"][..], &["store", "gc"]] {
        let said = collected(args);
        assert!(said.contains("25 results"), "{said}");
        let of_images = "17.4 MB of that are no space won: published folders elsewhere hold the same files";
        assert_eq!(said.contains(of_images), shared, "{said}");
    }
    assert!(fs::read(&moved).unwrap() == sound);
    assert!(smoke.stored("dataset.parquet").is_empty());
    // What was its own all along can be removed like anything else.
    fs::remove_dir_all(&away).unwrap();
    smoke.succeeds(&["pipeline", "smoke", "--quiet"]);
    smoke.assert_sound(&sound);
}
