//! `--events FILE`: a line of JSON for each thing that happens, for programs that watch a run.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::flow::{Disposition, Plan, Statuses, Task};

/// A file that lines are appended to. Several runs may write to one: a line is written whole.
pub(super) struct Events {
    file: Mutex<File>,
}

impl Events {
    /// # Errors
    /// The file cannot be opened.
    pub(super) fn new(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        Ok(Self { file: Mutex::new(file.map_err(Error::io_at("--events", "open", path))?) })
    }

    pub(super) fn planned(&self, plan: &Plan, statuses: &Statuses) {
        let count = |wanted| statuses.count(wanted);
        self.write(json!({
            "event": "planned",
            "pipeline": plan.main().name,
            "run": count(Disposition::Run),
            "replayed": count(Disposition::Replay),
            "cached": count(Disposition::Cached),
            "seconds": plan.seconds_ahead(statuses),
        }));
    }

    /// Something that a task has a part in, with what else there is to say.
    pub(super) fn of_task(&self, event: &str, task: &Task, more: Value) {
        let mut line = json!({ "event": event, "stage": &*task.stage, "task": &*task.label, "key": task.key.as_str() });
        if let (Some(line), Value::Object(more)) = (line.as_object_mut(), more) {
            line.extend(more);
        }
        self.write(line);
    }

    pub(super) fn notice(&self, text: &str) {
        self.write(json!({ "event": "notice", "text": text }));
    }

    #[allow(clippy::disallowed_methods, reason = "says when something happened; no result depends on it")]
    fn write(&self, mut line: Value) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        line["time"] = json!((now * 1e3).round() / 1e3);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // A disk that is full for this file is no reason to stop.
        let _ = file.write_all(format!("{line}\n").as_bytes());
    }
}
