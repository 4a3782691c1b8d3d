//! What all commands share: how they print, and what of the options they hand on.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::cli::RequestArgs;
use crate::error::{Error, Result};
use crate::flow::{Options, Request};
use crate::words::bytes;

/// # Errors
/// The memory is not a size.
pub(super) fn request(name: &str, args: &RequestArgs) -> Result<Request> {
    let memory = args.memory.as_deref().map(|text| {
        bytes(text).ok_or_else(|| {
            Error::usage(format!("`--memory {text}`: expected a size, for example `--memory 8GB` or `--memory 500MB`"))
        })
    });
    Ok(Request {
        pipeline: name.to_owned(),
        overrides: args.set.clone(),
        publish_as: args.publish_as.clone(),
        to: args.to.clone(),
        large: args.large,
        memory: memory.transpose()?,
    })
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
pub(super) fn options(jobs: Option<u32>, force: Option<&str>) -> Options<'_> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // The number first: whoever sees the flag finds it there.
        let _ = flag::register_usize(signal, SIGNAL.clone(), signal as usize);
        let _ = flag::register(signal, INTERRUPTED.clone());
    }
    Options { force, jobs: jobs.map(|jobs| jobs as usize), interrupt: Some(&**INTERRUPTED) }
}

/// Prints to stdout, lines that are too long for the terminal folded between words. A reader that has gone away (`| head`)
/// is not an error.
pub(super) fn print(text: &str) -> Result<()> {
    let width = terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0));
    let text = &*width.map_or(Cow::Borrowed(text), |width| Cow::Owned(folded(text, width)));
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::Stdout(error)),
        _ => Ok(()),
    }
}

/// Long lines broken at blanks, what follows set in under the beginning of the line; nothing inside brackets is torn apart,
/// so that an interval stays one. Narrower than this nothing is folded.
fn folded(text: &str, width: usize) -> String {
    const NARROWEST: usize = 20;
    if width < NARROWEST {
        return text.to_owned();
    }
    let mut lines = Vec::new();
    for line in text.lines() {
        let indent = line.chars().take_while(|c| *c == ' ').count();
        let hanging = " ".repeat((indent + 2).min(width / 2));
        let mut rest = line.to_owned();
        while let Some(at) = break_at(&rest, width) {
            lines.push(rest[..at].trim_end().to_owned());
            rest = format!("{hanging}{}", rest[at..].trim_start());
        }
        lines.push(rest);
    }
    lines.join("\n")
}

/// Where a line that is wider than `width` is broken: at the last blank that fits, or the first one where none does.
fn break_at(line: &str, width: usize) -> Option<usize> {
    let (mut columns, mut brackets, mut escape) = (0, 0_i32, false);
    let mut candidate = None;
    let begins = line.len() - line.trim_start().len();
    for (at, c) in line.char_indices() {
        // Colours take no room.
        escape |= c == '\x1b';
        if escape {
            escape = c != 'm';
            continue;
        }
        if columns >= width && candidate.is_some() {
            return candidate;
        }
        columns += 1;
        brackets += i32::from(c == '[') - i32::from(c == ']');
        if c == ' ' && brackets <= 0 && at > begins {
            candidate = Some(at);
            if columns > width {
                return candidate;
            }
        }
    }
    candidate.filter(|_| columns > width)
}

/// Whether stderr is a terminal that shows colours.
pub(super) fn colour() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_folded_between_words_and_intervals_stay_whole() {
        let claim = "       yes  0.7391 [0.7149, 0.7322]              layer = 1, step = 600: more than 0.2";
        assert_eq!(
            folded(claim, 60),
            "       yes  0.7391 [0.7149, 0.7322]              layer = 1,\n         step = 600: more than 0.2"
        );
        assert_eq!(
            folded(claim, 28).lines().collect::<Vec<_>>(),
            [
                "       yes  0.7391",
                "         [0.7149, 0.7322]",
                "         layer = 1, step =",
                "         600: more than 0.2"
            ]
        );
        assert!(folded(claim, 28).lines().all(|line| line.chars().count() <= 28));
        let listing = "fig4  Figure 4     66  Oja's rule enhances data variance extraction across hidden layers";
        for width in [20, 33, 40, 79, 100] {
            let shown = folded(listing, width);
            assert!(shown.lines().all(|line| line.chars().count() <= width), "{shown}");
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&shown), words(listing), "no word is torn apart");
        }
        assert_eq!(folded("short\n\nlines", 40), "short\n\nlines");
        assert_eq!(
            folded("a_word_that_is_longer_than_the_line and more", 22),
            "a_word_that_is_longer_than_the_line\n  and more"
        );
        assert_eq!(
            folded("\x1b[32mholds\x1b[0m and what it is about", 25),
            "\x1b[32mholds\x1b[0m and what it is\n  about"
        );
    }
}
