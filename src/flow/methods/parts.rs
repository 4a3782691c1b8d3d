//! What methods are made of, before they are printed.

#[derive(Debug)]
pub(super) enum Part {
    /// A pipeline of several.
    Heading(String),
    /// A paragraph with its title.
    Paragraph(&'static str, String),
    /// Equations with what stands before them.
    Equations(Vec<Shown>),
}

/// A rule as it is shown.
#[derive(Debug, PartialEq)]
pub(super) struct Shown {
    pub lead: String,
    pub plain: Vec<String>,
    pub latex: Vec<String>,
}
