//! The one way in which an input can be wrong.

/// A parameter, a shape or a name outside what a method is defined for; the text says what was found and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidParameter(String);

impl InvalidParameter {
    /// With the text that a user will read.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}
