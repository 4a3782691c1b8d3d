//! Plasticity terms that a pipeline knows: those that are shipped, and `[terms.…]`, which it writes as equations.

use std::collections::BTreeMap;
use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules::BESIDE_TERMS;
use crate::science::plasticity::{EquationFault, Part, Synapses, Term, Written, WrittenState};
use crate::spec::node::{Fault, Node, Span, Table, choices, instead_of};
use crate::spec::{Definitions, NamedNode, is_identifier};
use crate::task::Planning;

/// `[terms.<name>]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TermSpec {
    /// What one sample adds to the weights, times the coefficient that a rule gives the term:
    /// `-e_post * (y_pre - W' * y_post)'`.
    equation: String,
    /// The weights that the term moves.
    #[serde(default)]
    synapses: SynapsesSpec,
    /// Numbers that the equations name.
    #[serde(default)]
    parameters: BTreeMap<String, f64>,
    /// Values that each neuron keeps from one sample to the next, by the names that equations have for them.
    #[serde(default)]
    state: BTreeMap<String, StateSpec>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum SynapsesSpec {
    /// W, from each layer to the next.
    #[default]
    Forward,
    /// B, by which errors come back; `feedback = "plastic"` lets it learn.
    Feedback,
}

/// One value of a term's state.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct StateSpec {
    /// The value in every neuron before the first sample.
    start: f64,
    /// The value after a sample: `0.99 * theta + 0.01 * y_post.^2`. Weights read the value before it.
    update: String,
}

impl SynapsesSpec {
    fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Feedback => "feedback",
        }
    }

    fn synapses(self) -> Synapses {
        match self {
            Self::Forward => Synapses::Forward,
            Self::Feedback => Synapses::Feedback,
        }
    }
}

/// A written term as it goes into keys: what it means, not how it was spaced.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(in crate::stages) struct CanonicalTerm {
    /// Where it stands among the written terms of its rule, from 1: a sum of floats depends on the order.
    place: usize,
    equation: String,
    synapses: &'static str,
    parameters: BTreeMap<String, f64>,
    /// In the order of the file.
    state: Vec<CanonicalState>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct CanonicalState {
    name: String,
    start: f64,
    update: String,
}

/// The written terms of a rule as they go into its key, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub(in crate::stages) struct CanonicalTerms(BTreeMap<String, CanonicalTerm>);

impl CanonicalTerms {
    /// The next term of the rule; nothing where it is a shipped one.
    pub(in crate::stages) fn add(&mut self, Known { term, canonical }: &Known) {
        let place = self.0.len() + 1;
        self.0.extend(canonical.clone().map(|known| (term.name.to_string(), CanonicalTerm { place, ..known })));
    }

    pub(in crate::stages) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(in crate::stages) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A term that a pipeline knows.
#[derive(Clone, Debug)]
pub(in crate::stages) struct Known {
    pub(in crate::stages) term: Term,
    /// Of a term that the pipeline writes itself.
    pub(in crate::stages) canonical: Option<CanonicalTerm>,
}

/// The names of all terms that a pipeline knows: the shipped ones in their order, then its own in the order of the file.
pub(in crate::stages) fn names(definitions: &Definitions) -> impl Iterator<Item = &str> {
    let shipped = Term::shipped().iter().map(|term| term.name.as_ref());
    shipped.chain(definitions.terms.iter().map(|named| named.name.as_str()))
}

/// Whether a pipeline writes a term of this name.
pub(in crate::stages) fn is_written(definitions: &Definitions, name: &str) -> bool {
    definitions.terms.iter().any(|named| named.name == name)
}

/// Numbers that a stage gives the equations of written terms, by term, over those of their definitions.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(in crate::stages) struct Numbers(BTreeMap<String, BTreeMap<String, f64>>);

/// The parameter that holds them.
const NUMBERS: &str = "terms";

impl Numbers {
    /// That there are such terms and such numbers.
    ///
    /// # Errors
    /// One that there is not, with those that there are.
    pub(in crate::stages) fn check(&self, planning: &Planning<'_>) -> Result<(), Fault> {
        let all = || planning.definitions.numbers_of_terms();
        for (term, numbers) in &self.0 {
            let at = planning.key_within(NUMBERS, term);
            if !is_written(planning.definitions, term) {
                let what = match Term::named(term) {
                    Ok(_) => format!("`{term}` is a shipped term, whose equation has no numbers to set"),
                    Err(_) => format!("this pipeline writes no term `{term}`"),
                };
                let mut terms: Vec<&str> = all().map(|(term, _)| term).collect();
                terms.dedup();
                return Err(Fault::at(at, format!("{what}; {}", instead_of(term, &terms))));
            }
            let tables = planning.parameters.as_table().and_then(|table| table.get(NUMBERS)).and_then(Node::as_table);
            let node = tables.and_then(|table| table.get(term));
            for (number, value) in numbers {
                let at = node.map_or(at, |node| key_span(node, number));
                if !all().any(|known| known == (term.as_str(), number.as_str())) {
                    let there: Vec<&str> = all().filter(|(of, _)| of == term).map(|(_, number)| number).collect();
                    let message = format!("term `{term}` has no parameter `{number}`");
                    return Err(match there.is_empty() {
                        true => Fault::at(at, format!("{message}; it has none")),
                        false => Fault::at(at, format!("{message}; {}", instead_of(number, &there))),
                    });
                }
                if !value.is_finite() {
                    return Err(Fault::at(at, format!("`{number}` is {value}, not a finite number")));
                }
            }
        }
        Ok(())
    }
}

/// Where the value of an axis belongs that is called as a term and one of its numbers, `bcm_rate`; nowhere if it can mean two.
pub(in crate::stages) fn number_axis(definitions: &Definitions, axis: &str) -> Option<Vec<String>> {
    let mut meant = definitions.numbers_of_terms().filter(|(term, number)| {
        axis.strip_prefix(term).and_then(|rest| rest.strip_prefix('_')).is_some_and(|rest| rest == *number)
    });
    let (term, number) = meant.next().filter(|_| meant.next().is_none())?;
    Some(vec![NUMBERS.to_owned(), term.to_owned(), number.to_owned()])
}

/// The term called `name` with these numbers; none where the pipeline knows no such term.
///
/// # Errors
/// The pipeline writes it, and what it writes is no term.
pub(in crate::stages) fn find(
    definitions: &Definitions,
    name: &str,
    numbers: &Numbers,
) -> Result<Option<Known>, Fault> {
    if let Some(term) = Term::shipped().iter().find(|term| term.name == name) {
        return Ok(Some(Known { term: term.clone(), canonical: None }));
    }
    let named = definitions.terms.iter().find(|named| named.name == name);
    named.map(|named| read(named, numbers.0.get(name))).transpose()
}

/// The terms that a pipeline writes, in the order of its file.
///
/// # Errors
/// The first that is no term, with its place.
pub fn written(definitions: &Definitions) -> Result<Vec<Term>, Fault> {
    definitions.terms.iter().map(|named| read(named, None).map(|known| known.term)).collect()
}

/// What is wrong with the terms that a pipeline writes, whether or not a rule has them: the first fault of each.
pub(in crate::stages) fn check(definitions: &Definitions) -> Vec<Fault> {
    definitions.terms.iter().filter_map(|named| read(named, None).err()).collect()
}

/// One term as it was written, but for some numbers.
fn read(named: &NamedNode, numbers: Option<&BTreeMap<String, f64>>) -> Result<Known, Fault> {
    check_name(named)?;
    let NamedNode { name, node, .. } = named;
    let mut spec: TermSpec = node.read()?;
    let part = |key: &str| node.as_table().and_then(|table| table.get(key)).unwrap_or(node);
    check_numbers(part("parameters"), spec.parameters.iter().map(|(name, value)| (name.as_str(), *value)))?;
    check_numbers(part("state"), spec.state.iter().map(|(name, state)| (name.as_str(), state.start)))?;
    if let Some(twice) = spec.state.keys().find(|name| spec.parameters.contains_key(*name)) {
        let message = format!("term `{name}`: `{twice}` is a parameter, so it cannot be a value of the state as well");
        return Err(Fault::at(key_span(part("state"), twice), message));
    }
    spec.parameters.extend(numbers.into_iter().flatten().map(|(name, value)| (name.clone(), *value)));
    // Reading sorts by name; the order of the file is what a person sees, in messages and in keys.
    let in_order = |key: &str| part(key).as_table().map(Table::names).unwrap_or_default();
    let written = Written {
        name: name.clone(),
        synapses: spec.synapses.synapses(),
        equation: spec.equation.clone(),
        parameters: in_order("parameters")
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), *spec.parameters.get(name)?)))
            .collect(),
        state: in_order("state")
            .into_iter()
            .filter_map(|name| {
                let StateSpec { start, update } = spec.state.get(name)?;
                Some(WrittenState { name: name.to_owned(), start: *start, update: update.clone() })
            })
            .collect(),
    };
    let term = Term::of_equation(&written).map_err(|fault| place(named, &written, fault))?;
    let state = written.state.iter().map(|WrittenState { name, start, update }| CanonicalState {
        name: name.clone(),
        start: *start,
        update: without_spaces(update),
    });
    let canonical = CanonicalTerm {
        place: 1,
        equation: without_spaces(&written.equation),
        synapses: spec.synapses.name(),
        state: state.collect(),
        parameters: spec.parameters,
    };
    Ok(Known { term, canonical: Some(canonical) })
}

/// That a rule can name the term, and that nothing else has its name.
fn check_name(NamedNode { name, name_span, .. }: &NamedNode) -> Result<(), Fault> {
    check_term_name(name).map_err(|fault| Fault { span: Some(name_span.clone()), ..fault })
}

/// The same of a name that stands nowhere yet.
///
/// # Errors
/// No term can have the name.
pub fn check_term_name(name: &str) -> Result<(), Fault> {
    let fault = |message: String, help: Option<String>| Err(Fault { message, span: None, help });
    if !is_identifier(name) {
        let message = format!(
            "`{name}` cannot name a term: it names a coefficient and a column, so take lower-case letters, digits and `_`"
        );
        return fault(message, None);
    }
    if Term::shipped().iter().any(|term| term.name == *name) {
        let help = "Give this one another name: what a shipped term means is the same in every pipeline.";
        return fault(format!("a shipped term has the name `{name}`"), Some(help.to_owned()));
    }
    if name == "tuned" || BESIDE_TERMS.contains(&name) {
        let others = choices(BESIDE_TERMS.into_iter().chain(["tuned"]));
        let message = format!("`{name}` cannot name a term: a rule says something else by it");
        return fault(message, Some(format!("What rules have beside terms: {others}.")));
    }
    Ok(())
}

/// That equations can name these numbers, and that they are numbers.
fn check_numbers<'a>(node: &Node, numbers: impl Iterator<Item = (&'a str, f64)>) -> Result<(), Fault> {
    for (name, value) in numbers {
        if !is_identifier(name) {
            let message = format!("`{name}` cannot stand in an equation: take lower-case letters, digits and `_`");
            return Err(Fault::at(key_span(node, name), message));
        }
        if !value.is_finite() {
            return Err(Fault::at(key_span(node, name), format!("`{name}` is {value}, not a finite number")));
        }
    }
    Ok(())
}

fn key_span<'a>(node: &'a Node, name: &str) -> &'a Span {
    node.as_table().and_then(|table| table.key(name)).map_or(&node.span, |key| &key.span)
}

/// A fault of an equation at the characters of the file that it is about.
fn place(named: &NamedNode, written: &Written, fault: EquationFault) -> Fault {
    let EquationFault { part, span, message, help } = fault;
    let within = |node: Option<&Node>, text: &str, span: Range<usize>| match node {
        Some(node) => node.span.within(text, span),
        None => named.name_span.clone(),
    };
    let table = named.node.as_table();
    let place = match part {
        Part::Equation => within(table.and_then(|table| table.get("equation")), &written.equation, span),
        Part::Update(index) => match written.state.get(index) {
            Some(state) => {
                let states = table.and_then(|table| table.get("state")).and_then(Node::as_table);
                let value = states.and_then(|states| states.get(&state.name)).and_then(Node::as_table);
                within(value.and_then(|value| value.get("update")), &state.update, span)
            }
            None => named.name_span.clone(),
        },
    };
    Fault { message: format!("term `{}`: {message}", named.name), span: Some(place), help }
}

/// An equation as keys have it. No operator can be left out, so spaces alone never part two words, and what can be read means
/// the same without them.
fn without_spaces(equation: &str) -> String {
    equation.split_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is underlined where these bytes of a part of a term are wrong; its name is taken to be the first eight bytes.
    fn underlined(text: &str, part: Part, span: Range<usize>) -> String {
        let node = Node::parse("test", text).expect("TOML");
        let spec: TermSpec = node.read().expect("a term");
        let state = spec.state.into_iter();
        let written = Written {
            name: "mine".to_owned(),
            synapses: spec.synapses.synapses(),
            equation: spec.equation,
            parameters: Vec::new(),
            state: state.map(|(name, StateSpec { start, update })| WrittenState { name, start, update }).collect(),
        };
        let name_span = Span { range: 0..8, ..node.span.clone() };
        let named = NamedNode { name: "mine".to_owned(), name_span, node };
        let fault = EquationFault { part, span, message: "is wrong".to_owned(), help: Some("do".to_owned()) };
        let fault = place(&named, &written, fault);
        assert_eq!((fault.message.as_str(), fault.help.as_deref()), ("term `mine`: is wrong", Some("do")));
        let span = fault.span.expect("a place");
        span.source.text[span.underlined()].to_owned()
    }

    #[test]
    fn a_fault_of_an_equation_underlines_its_characters_however_the_string_is_written() {
        // The same value in every way that TOML has: byte 4 is `*`, and 6 to 11 is `y_pre`.
        for text in [
            "equation = \"y_e * y_pre'\"",
            "equation = \"\"\"y_e * y_pre'\"\"\"",
            "equation = \"\"\"\ny_e * y_pre'\n\"\"\"",
            "equation = '''y_e * y_pre'''",
            "equation = 'y_e * y_pre'",
        ] {
            assert_eq!(underlined(text, Part::Equation, 4..5), "*", "{text}");
            assert_eq!(underlined(text, Part::Equation, 6..11), "y_pre", "{text}");
        }
        // The end of a text is the quotation mark behind it.
        assert_eq!(underlined("equation = \"y_e *\"", Part::Equation, 5..5), "\"");
        assert_eq!(underlined("equation = \"\"", Part::Equation, 0..0), "\"\"");
        // Escapes: the text of the file is another, so no character of it is blamed.
        assert_eq!(underlined("equation = \"y_e\\t* y_pre\"", Part::Equation, 4..5), "\"y_e\\t* y_pre\"");
        // A span that no text of this length has.
        assert_eq!(underlined("equation = \"y_e\"", Part::Equation, 7..90), "\"");
    }

    #[test]
    fn a_fault_of_an_update_stands_in_that_update() {
        let text =
            "equation = 'x'\nstate = { a = { start = 0, update = 'a + b' }, b = { start = 1, update = 'b - c' } }";
        assert_eq!(underlined(text, Part::Update(0), 4..5), "b");
        assert_eq!(underlined(text, Part::Update(1), 4..5), "c");
        assert_eq!(underlined(text, Part::Update(2), 4..5), "equation", "no such update: the name of the term");
    }

    #[test]
    fn own_terms_come_after_those_that_are_shipped_in_the_order_of_the_file() {
        let node =
            Node::parse("test", "[zeta]\nequation = \"y_post * y_pre'\"\n[alpha]\nequation = \"y_post\"").unwrap();
        let Node { value: crate::spec::node::Value::Table(table), .. } = node else { panic!("a document is a table") };
        let terms = table.entries.into_iter();
        let terms = terms.map(|(key, node)| NamedNode { name: key.name, name_span: key.span, node }).collect();
        let definitions = Definitions { terms, ..Definitions::default() };
        let known: Vec<&str> = names(&definitions).collect();
        assert_eq!(known[known.len() - 2..], ["zeta", "alpha"]);
        assert_eq!(known[0], Term::shipped()[0].name);
        let none = Numbers::default();
        let zeta = find(&definitions, "zeta", &none).unwrap().expect("is written");
        assert_eq!((zeta.term.name.as_ref(), zeta.canonical.is_some()), ("zeta", true));
        assert!(find(&definitions, "oja", &none).unwrap().expect("is shipped").canonical.is_none());
        assert!(find(&definitions, "beta", &none).unwrap().is_none());
        assert!(find(&definitions, "alpha", &none).is_err());
        assert_eq!(check(&definitions).len(), 1, "a fault of one term hides no other");
    }
}
