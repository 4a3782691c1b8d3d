//! What all commands share: how they print, and what of the options they hand on.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::RequestArgs;
use crate::error::{Error, Result};
use crate::flow::{Options, Request};

pub(super) fn request(name: &str, args: &RequestArgs) -> Request {
    Request {
        pipeline: name.to_owned(),
        overrides: args.set.clone(),
        publish_as: args.publish_as.clone(),
        to: args.to.clone(),
    }
}

/// Raised by Ctrl-C; runs look at it between two steps.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// How a run is carried out for the terminal: Ctrl-C (or a polite kill) stops it between two steps, and nothing half done
/// stays.
pub(super) fn options(jobs: Option<u32>, force: Option<&str>) -> Options<'_> {
    let _ = ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed));
    Options { force, jobs: jobs.map(|jobs| jobs as usize), interrupt: Some(&INTERRUPTED) }
}

/// Prints to stdout. A reader that has gone away (`| head`) is not an error.
pub(super) fn print(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::Stdout(error)),
        _ => Ok(()),
    }
}

/// Whether stderr is a terminal that shows colours.
pub(super) fn colour() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}
