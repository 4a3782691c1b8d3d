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
                let shown = span.underlined();
                diagnostic = diagnostic.with_label(LabeledSpan::underline((shown.start, shown.len())));
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
        let before = &span.source.text[..span.underlined().start];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
        write!(text, "{}:{line}:{column}: ", span.source.name).expect("writing to a string");
    }
    text + &fault.message
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::error::{Source, Span};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Also of what nobody would write: spans inside characters, beyond the end, upside down.
        #[test]
        fn any_span_over_any_text_renders(
            text in prop_oneof!["(?s).{0,40}", "[ a=\\[\\]\"'−“”é\u{a0}\u{feff}\u{301}👩‍🔬漢\t\r\n]{0,40}"],
            start in 0usize..60, end in 0usize..60,
        ) {
            let span = Span { source: Arc::new(Source { name: "any".into(), text: text.clone() }), range: start..end };
            let underlined = span.underlined();
            prop_assert!(text.get(underlined.clone()).is_some_and(|text| !text.contains('\n')), "{underlined:?}");
            let inside = start < text.len() && text.is_char_boundary(start) && start < end && end <= text.len();
            if inside && text.is_char_boundary(end) && !text[start..end].contains('\n') {
                prop_assert_eq!(underlined, start..end, "what can be underlined as it is, is");
            }
            prop_assert!(render(&[Fault::at(&span, "wrong")], false).contains("wrong"));
            // The same of what looks into the text behind a span.
            for part in ["a", "−", "é", ""] {
                let narrowed = span.narrowed(part);
                prop_assert!(render(&[Fault::at(&narrowed, "wrong")], true).contains("wrong"));
                let within = span.within(part, start..end);
                prop_assert!(render(&[Fault::at(&within, "wrong")], false).contains("wrong"));
                if let Some(found) = span.part_at(part, 0) {
                    prop_assert!(render(&[Fault::at(&found, "wrong")], false).contains("wrong"));
                }
            }
        }
    }
}
