//! Checkpoints: a folder for each task that has left something, `head` and the pieces that it builds on.
//!
//! A piece is never changed and each is put in place before the head that names it, so whenever a process ends there is the old
//! head or the new one, with all of its pieces. Who begins anew puts its own pieces in the place of others'; a head that still
//! names those finds other digests, and is not trusted.

use std::io::{self, Write};
use std::path::Path;

use super::super::checkpoint::{Checkpoint, Piece, Trail, from_bytes, to_bytes};
use super::super::entry::Damaged;
use super::super::key::Key;
use super::layout::{Layout, make_folder};
use crate::error::{Error, Result};
use crate::files::{self, Scratch};

const HEAD: &str = "head";

fn piece_name(number: usize) -> String {
    format!("piece-{number}")
}

/// What was left of a task, with every byte held against its digest.
pub(super) fn find(layout: &Layout, key: &Key) -> Result<Option<Checkpoint>, Damaged> {
    let folder = layout.checkpoint(key);
    let damaged = |name: &str, found: String| Damaged { place: folder.join(name).display().to_string(), found };
    let head = match files::read(&folder.join(HEAD)) {
        Ok(head) => head,
        Err(error) if files::is_nothing(&error) => return Ok(None),
        Err(error) => return Err(damaged(HEAD, error.to_string())),
    };
    let (state, trail) = from_bytes(&head, key).map_err(|found| damaged(HEAD, found))?;
    let mut pieces = Vec::with_capacity(trail.pieces.len().min(1 << 10));
    for (number, known) in trail.pieces.iter().enumerate() {
        let name = piece_name(number);
        let piece = files::read(&folder.join(&name)).map_err(|error| damaged(&name, error.to_string()))?;
        if Piece::of(&piece) != *known {
            return Err(damaged(&name, "its digest is another".to_owned()));
        }
        pieces.push(piece);
    }
    Ok(Some(Checkpoint { state, pieces, trail }))
}

/// Leaves a state and, where there is one, a further piece; `run` is a folder of this run's own, on the same file system.
pub(super) fn leave(
    layout: &Layout,
    run: &Path,
    key: &Key,
    trail: &mut Trail,
    piece: Option<&[u8]>,
    state: &[u8],
) -> Result<()> {
    let folder = layout.checkpoint(key);
    for folder in [run, &folder] {
        make_folder(folder)?;
    }
    let scratch = Scratch::new_in(run, "checkpoint-").map_err(Error::io("create a folder in", run))?;
    let put = |name: &str, content: &[u8]| {
        let (new, place) = (scratch.path().join(name), folder.join(name));
        write_synced(&new, content).and_then(|()| files::rename(&new, &place)).map_err(Error::io("write", &place))
    };
    let mut longer = trail.clone();
    if let Some(piece) = piece {
        put(&piece_name(longer.pieces.len()), piece)?;
        longer.pieces.push(Piece::of(piece));
        // Before the head that names it, on the disk as well.
        let _ = files::sync_folder(&folder);
    }
    put(HEAD, &to_bytes(key, &longer, state))?;
    let _ = files::sync_folder(&folder);
    *trail = longer;
    Ok(())
}

/// Removes what was left of a task, the head first.
pub(super) fn forget(layout: &Layout, key: &Key) -> io::Result<()> {
    match files::remove(&layout.checkpoint(key)) {
        Err(error) if files::is_nothing(&error) => Ok(()),
        removed => removed,
    }
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = files::create(path)?;
    file.write_all(content)?;
    file.sync()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn key(digit: char) -> Key {
        Key::parse(&digit.to_string().repeat(64)).unwrap()
    }

    #[test]
    fn a_head_counts_with_all_of_its_pieces_or_not_at_all() {
        let outputs = tempfile::tempdir().unwrap();
        let (layout, run) = (Layout::new(outputs.path()), outputs.path().join("run"));
        let key = key('a');
        let state = || find(&layout, &key).map(|found| found.map(|found| (found.state, found.pieces)));
        assert!(state().unwrap().is_none());
        let mut trail = Trail::default();
        leave(&layout, &run, &key, &mut trail, Some(b"rows"), b"one").unwrap();
        leave(&layout, &run, &key, &mut trail, None, b"two").unwrap();
        leave(&layout, &run, &key, &mut trail, Some(b"more\n"), b"three\n\n").unwrap();
        let whole = (b"three\n\n".to_vec(), vec![b"rows".to_vec(), b"more\n".to_vec()]);
        assert_eq!(state().unwrap(), Some(whole));
        let folder = layout.checkpoint(&key);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 3);
        assert_eq!(fs::read_dir(&run).unwrap().count(), 0, "nothing is left on the way");
        // Whoever finds it goes on with its pieces.
        let mut found = find(&layout, &key).unwrap().unwrap().trail;
        leave(&layout, &run, &key, &mut found, Some(b"last"), b"four").unwrap();
        assert_eq!(state().unwrap().unwrap().1.len(), 3);
        // Another who began anew died after its first piece.
        fs::write(folder.join("piece-0"), "other rows").unwrap();
        assert!(state().unwrap_err().to_string().contains("piece-0"));
        fs::write(folder.join("piece-0"), "rows").unwrap();
        assert!(state().unwrap().is_some());
        fs::remove_file(folder.join("piece-2")).unwrap();
        assert!(state().is_err());
        forget(&layout, &key).unwrap();
        forget(&layout, &key).unwrap();
        assert!(state().unwrap().is_none() && !folder.exists());
    }

    #[test]
    fn no_bit_of_a_head_can_change_and_it_is_of_use_to_its_own_task_alone() {
        let outputs = tempfile::tempdir().unwrap();
        let (layout, run) = (Layout::new(outputs.path()), outputs.path().join("run"));
        let [one, other] = ['a', 'b'].map(key);
        leave(&layout, &run, &one, &mut Trail::default(), None, b"state").unwrap();
        let place = layout.checkpoint(&one).join(HEAD);
        let bytes = fs::read(&place).unwrap();
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            fs::write(&place, flipped).unwrap();
            assert!(find(&layout, &one).is_err(), "byte {at}");
            fs::write(&place, &bytes[..at]).unwrap();
            assert!(find(&layout, &one).is_err(), "cut at {at}");
        }
        fs::create_dir_all(layout.checkpoint(&other)).unwrap();
        fs::write(layout.checkpoint(&other).join(HEAD), &bytes).unwrap();
        assert!(find(&layout, &other).unwrap_err().to_string().contains("it is one of aaaa"));
        fs::write(&place, &bytes).unwrap();
        assert!(find(&layout, &one).unwrap().is_some());
    }
}
