//! What a long task leaves on its way: a state from which it can go on, and the rows that it had written by then.

use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::store::{Checkpoint, Key, Session, Trail, behind, in_front};
use crate::tables::TableSchema;
use crate::tables::aside::{put_aside, take_back};

/// Rows that are held for the next state alone take no more memory than this: it is left before its time then.
const MOST_HELD: usize = 256 << 20;

/// Who stops a task that has worked for so long a share of the time is not made to wait for what another state takes.
const SHARE_AT_AN_INTERRUPTION: u32 = 10;

/// The rows that a task has written since it last left its state. Nothing is held of a task that cannot go on.
#[derive(Default)]
pub(super) struct Journal {
    every: Option<Duration>,
    open: Option<Open>,
}

struct Open {
    since: Instant,
    /// The tables of which rows are left.
    outputs: Vec<String>,
    rows: Vec<(String, RecordBatch)>,
    /// Bytes that nobody else holds.
    held: usize,
    trail: Trail,
    is_in_store: bool,
}

/// What stands in front of a task's own state.
#[derive(Serialize, Deserialize)]
struct Head {
    /// The tables whose rows were left.
    outputs: Vec<String>,
}

/// A part of a piece: a batch of a table.
#[derive(Serialize, Deserialize)]
struct Part {
    output: String,
    bytes: usize,
}

/// What an earlier try left.
pub(super) struct Found {
    pub(super) state: Vec<u8>,
    pub(super) trail: Trail,
    pieces: Vec<Vec<u8>>,
}

impl Journal {
    /// Of a task that leaves its state after so much work; zero is never.
    pub(super) fn new(every: Duration) -> Self {
        Self { every: Some(every).filter(|every| !every.is_zero()), open: None }
    }

    /// Begins to hold rows of these outputs, and looks for what an earlier try left; why not where that cannot be gone on with.
    pub(super) fn open(&mut self, session: &dyn Session, key: &Key, wanted: &[&str]) -> Option<Result<Found, String>> {
        self.every?;
        let outputs = wanted.iter().map(|&output| output.to_owned()).collect();
        self.open = Some(Open {
            since: Instant::now(),
            outputs,
            rows: Vec::new(),
            held: 0,
            trail: Trail::default(),
            is_in_store: false,
        });
        match session.checkpoint(key) {
            Ok(None) => None,
            Ok(Some(checkpoint)) => Some(Found::new(checkpoint, wanted)),
            Err(damaged) => Some(Err(damaged.to_string())),
        }
    }

    /// What was found has been written again.
    pub(super) fn goes_on(&mut self, trail: Trail) {
        if let Some(open) = &mut self.open {
            (open.trail, open.is_in_store) = (trail, true);
            (open.rows, open.held) = (Vec::new(), 0);
        }
    }

    /// Rows were written; they may be held by somebody else as well.
    pub(super) fn wrote(&mut self, output: &str, rows: &RecordBatch, is_held: bool) {
        if let (Some(open), Some(_)) = (&mut self.open, self.every) {
            open.rows.push((output.to_owned(), rows.clone()));
            open.held += if is_held { 0 } else { rows.get_array_memory_size() };
        }
    }

    /// Whether it is time to leave a state; sooner if the user wants to stop.
    pub(super) fn is_due(&self, is_interrupted: bool) -> bool {
        let (Some(open), Some(every)) = (&self.open, self.every) else { return false };
        let every = if is_interrupted { every / SHARE_AT_AN_INTERRUPTION } else { every };
        open.held > MOST_HELD || open.since.elapsed() >= every
    }

    /// Whether something lies in the store that is of no use once the task has finished.
    pub(super) fn is_in_store(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.is_in_store)
    }

    /// Leaves a state and the rows since the last one.
    ///
    /// # Errors
    /// The store cannot be written; then nothing is held or left any more.
    pub(super) fn leave<'s>(
        &mut self,
        session: &dyn Session,
        key: &Key,
        schema: impl Fn(&str) -> Result<&'s TableSchema>,
        state: &[u8],
    ) -> Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let head = Head { outputs: open.outputs.clone() };
        let piece = piece(&open.rows, schema);
        let state = in_front(&head, state);
        let left = piece.and_then(|piece| session.leave(key, &mut open.trail, piece.as_deref(), &state));
        (open.rows, open.held, open.since) = (Vec::new(), 0, Instant::now());
        match left {
            Ok(()) => open.is_in_store = true,
            Err(_) => self.every = None,
        }
        left
    }
}

impl Found {
    fn new(checkpoint: Checkpoint, wanted: &[&str]) -> Result<Self, String> {
        let Checkpoint { state, pieces, trail } = checkpoint;
        let (head, state): (Head, _) = behind(&state)?;
        // A table that nobody read then may be read now.
        match wanted.iter().find(|output| !head.outputs.iter().any(|known| known == *output)) {
            Some(missing) => Err(format!("it is without `{missing}`, which nobody read then")),
            None => Ok(Self { state: state.to_vec(), trail, pieces }),
        }
    }

    /// The rows that had been written, in their order.
    pub(super) fn rows<'s>(
        &mut self,
        schema: impl Fn(&str) -> Result<&'s TableSchema, String>,
    ) -> Result<Vec<(String, RecordBatch)>, String> {
        let mut rows = Vec::new();
        for piece in std::mem::take(&mut self.pieces) {
            let (parts, mut left): (Vec<Part>, _) = behind(&piece)?;
            for Part { output, bytes } in parts {
                let (part, rest) = left.split_at_checked(bytes).ok_or("a piece ends too early")?;
                let batch = take_back(schema(&output)?, part.to_vec())?;
                rows.push((output, batch));
                left = rest;
            }
        }
        Ok(rows)
    }
}

/// Batches one after the other; none without any.
fn piece<'s>(
    rows: &[(String, RecordBatch)],
    schema: impl Fn(&str) -> Result<&'s TableSchema>,
) -> Result<Option<Vec<u8>>> {
    let (mut parts, mut content) = (Vec::with_capacity(rows.len()), Vec::new());
    for (output, batch) in rows {
        let internal = |error| Error::Internal { task: output.clone(), message: format!("put aside: {error}") };
        let bytes = put_aside(schema(output)?, batch).map_err(internal)?;
        parts.push(Part { output: output.clone(), bytes: bytes.len() });
        content.extend(bytes);
    }
    Ok((!parts.is_empty()).then(|| in_front(&parts, &content)))
}
