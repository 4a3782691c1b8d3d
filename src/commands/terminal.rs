//! What all commands share: how they print, and what of the options they hand on.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use super::fold::folded;
use crate::cli::{ChangeArgs, RequestArgs, RunArgs};
use crate::error::{Error, Result};
use crate::flow::{Form, Options, Request};
use crate::words::bytes;

/// # Errors
/// The memory is not a size.
pub(super) fn request(name: &str, args: &RequestArgs) -> Result<Request> {
    Ok(Request { to: args.to.clone(), ..changed(name, &args.changes)? })
}

/// A request for all stages.
///
/// # Errors
/// As [`request`].
pub(super) fn changed(name: &str, args: &ChangeArgs) -> Result<Request> {
    let memory = args.memory.as_deref().map(|text| {
        bytes(text).ok_or_else(|| {
            Error::usage(format!("`--memory {text}`: expected a size, for example `--memory 8GB` or `--memory 500MB`"))
        })
    });
    let request = Request {
        pipeline: name.to_owned(),
        overrides: args.set.clone(),
        publish_as: args.publish_as.clone(),
        to: None,
        large: args.large,
        memory: memory.transpose()?,
    };
    if !args.decide {
        return Ok(request);
    }
    let looks: Vec<String> = args.looks.iter().map(ToString::to_string).collect();
    Ok(request.set(format!("decide.looks=[{}]", looks.join(","))))
}

/// Raised by Ctrl-C; runs look at it between two steps.
static INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// The signal that raised it.
static SIGNAL: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// The status that shells expect of a program that a signal ended, if one did: 130 for Ctrl-C, 143 for a polite kill, 129
/// for a terminal that was closed.
pub(super) fn interrupted_by() -> Option<u8> {
    u8::try_from(SIGNAL.load(Ordering::Relaxed)).ok().filter(|&signal| signal > 0).map(|signal| 128 + signal)
}

/// How a run is carried out for the terminal: Ctrl-C (or a polite kill) stops it between two steps, and nothing half done
/// stays.
pub(super) fn options(jobs: Option<u32>) -> Options<'static> {
    Options { jobs: jobs.map(|jobs| jobs as usize), interrupt: Some(interruptible()), ..Options::default() }
}

/// The same for tasks that a command runs for itself or with others.
pub(super) fn running(args: &RunArgs) -> Options<'_> {
    let form = if args.pack { Form::Packed } else { Form::Loose };
    Options {
        keep_going: args.keep_going,
        form,
        leaves_after: Some(args.checkpoint_seconds),
        remote: args.remote.as_deref(),
        ..options(args.jobs)
    }
}

/// The flag that Ctrl-C raises from now on, instead of ending the program at once.
pub(super) fn interruptible() -> &'static AtomicBool {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // The number first: whoever sees the flag finds it there.
        let _ = flag::register_usize(signal, SIGNAL.clone(), signal as usize);
        let _ = flag::register(signal, INTERRUPTED.clone());
    }
    &INTERRUPTED
}

/// Prints to stdout what people read, long lines folded for the terminal.
pub(super) fn print(text: &str) -> Result<()> {
    print_exactly(&for_terminal(text, std::io::stdout()))
}

/// Prints to stdout what programs read. A reader that has gone away (`| head`) is not an error.
pub(super) fn print_exactly(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::Stdout(error)),
        _ => Ok(()),
    }
}

/// Says something beside the results: on stderr, long lines folded for the terminal.
pub(super) fn say(text: &str) {
    // There may be nobody to hear it (`2>&1 | head`), which is no reason to stop.
    let _ = writeln!(std::io::stderr(), "{}", for_stderr(text));
}

/// Text as [`say`] would say it.
pub(super) fn for_stderr(text: &str) -> Cow<'_, str> {
    for_terminal(text, std::io::stderr())
}

/// Columns of stderr, where it is a terminal.
pub(super) fn columns() -> Option<usize> {
    columns_of(std::io::stderr())
}

fn columns_of(stream: impl AsFd) -> Option<usize> {
    terminal_size::terminal_size_of(stream).map(|(width, _)| usize::from(width.0))
}

fn for_terminal(text: &str, stream: impl AsFd) -> Cow<'_, str> {
    columns_of(stream).map_or(Cow::Borrowed(text), |width| Cow::Owned(folded(text, width)))
}

/// Whether stderr is a terminal that shows colours.
pub(super) fn colour() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}
