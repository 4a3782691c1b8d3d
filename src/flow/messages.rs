//! What went wrong, for people.

use crate::error::Error;
use crate::spec::report::render;

/// An error as the terminal shows it: faults of a pipeline with the lines that they stand in, the rest in a sentence.
pub fn described(error: &Error, colour: bool) -> String {
    match error {
        Error::Spec(faults) => render(faults, colour),
        other => format!("ojaflow: {other}"),
    }
}
