//! Faults as a person reads them: file, line and column, the text underlined, what can be done.

use std::fmt::Write as _;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Severity};

use super::node::Fault;

/// Renders all faults; colours only where a terminal will show them.
pub fn render(faults: &[Fault], colour: bool) -> String {
    let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(100).with_wrap_lines(false);
    let mut text = String::new();
    for fault in faults {
        let mut diagnostic = MietteDiagnostic::new(headline(fault)).with_severity(Severity::Error);
        if let Some(help) = &fault.help {
            diagnostic = diagnostic.with_help(help.clone());
        }
        let report = match &fault.span {
            Some(span) if !span.source.text.is_empty() => {
                let length = span.range.len().max(1).min(span.source.text.len().saturating_sub(span.range.start));
                // A table's span is its whole text: the first line is enough to find it.
                let shown = &span.source.text[span.range.start..span.range.start + length];
                let length = shown.find('\n').unwrap_or(length);
                diagnostic = diagnostic.with_label(LabeledSpan::underline((span.range.start, length)));
                miette::Report::new(diagnostic)
                    .with_source_code(NamedSource::new(&span.source.name, span.source.text.clone()))
            }
            _ => miette::Report::new(diagnostic),
        };
        handler.render_report(&mut text, report.as_ref()).expect("writing to a string");
    }
    text.trim_end().to_owned()
}

/// `pipelines/fig4.toml:12:9: message`, the form that editors jump to.
pub fn headline(fault: &Fault) -> String {
    let mut text = String::new();
    if let Some(span) = &fault.span {
        let before = &span.source.text[..span.range.start.min(span.source.text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
        write!(text, "{}:{line}:{column}: ", span.source.name).expect("writing to a string");
    }
    text + &fault.message
}
