//! Terms that a pipeline writes as an equation.
//!
//! The text becomes an expression ([`mod@parse`]), that a program whose shapes fit and which takes no more than a multiple of
//! n_ℓ · n_{ℓ-1} operations a step ([`shape`]). Where the expression is a sum of products of shipped signals ([`bilinear`]), the
//! kernels of shipped terms carry it out, and what is known of those holds for it.

mod bilinear;
mod expression;
mod parse;
#[doc(hidden)]
pub mod probes;
mod shape;
mod written;

use std::borrow::Cow;
use std::sync::Arc;

use super::notation::Notation;
use super::signal::{Signal, Synapses, Wanted};
use super::term::{Form, Term};
use crate::kernels::program::{Evaluator, Extent, Operand, Program, Seen, Side, Step};
use bilinear::Products;
use expression::{Expression, symbol};
use parse::{Unreadable, parse};
use shape::{Names, SIGNALS, analyse};
pub use written::{Fault, Part, Written, WrittenState};

/// An equation that was read and checked.
#[derive(Clone, Debug)]
pub struct Equation {
    written: Written,
    expression: Expression,
    updates: Vec<Expression>,
    /// The products that it is a sum of, where it is one of shipped signals.
    products: Option<Products>,
    program: Arc<Program>,
}

impl PartialEq for Equation {
    /// Everything else follows from what was written.
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Term {
    /// The term that an equation describes.
    ///
    /// # Errors
    /// It cannot be read, its shapes do not fit, or it takes more than a multiple of n_ℓ · n_{ℓ-1} operations a step.
    pub fn of_equation(written: &Written) -> Result<Self, Fault> {
        let equation = Equation::read(written)?;
        Ok(Self {
            name: Cow::Owned(written.name.clone()),
            synapses: written.synapses,
            plausibility: Cow::Owned(equation.plausibility()),
            form: Form::Written(Arc::new(equation)),
        })
    }
}

impl Equation {
    fn read(written: &Written) -> Result<Self, Fault> {
        let in_equation = |fault: Unreadable| Fault::of(Part::Equation, fault);
        let expression = parse(&written.equation).map_err(in_equation)?;
        let updates: Vec<Expression> = (written.state.iter().enumerate())
            .map(|(n, state)| parse(&state.update).map_err(|fault| Fault::of(Part::Update(n), fault)))
            .collect::<Result<_, _>>()?;
        written.check_names()?;
        let with_text: Vec<(Expression, &str, f64)> = (updates.iter().zip(&written.state))
            .map(|(update, state)| (update.clone(), state.update.as_str(), state.start))
            .collect();
        // Which side remembers a value is not written: the first choice under which everything fits.
        let sides = [Extent::Vector(Side::Post), Extent::Vector(Side::Pre), Extent::Number];
        let n_choices = sides.len().pow(written.state.len() as u32);
        let mut first = None;
        for choice in 0..n_choices {
            let side = |n: usize| sides[choice / sides.len().pow(n as u32) % sides.len()];
            let state = written.state.iter().enumerate().map(|(n, state)| (state.name.as_str(), side(n))).collect();
            let names = Names { parameters: &written.parameters, state };
            match analyse(written.synapses, (&expression, &written.equation), &with_text, &names) {
                Ok(program) => {
                    let products = bilinear::products(&expression, written).filter(|_| written.state.is_empty());
                    let (written, program) = (written.clone(), Arc::new(program));
                    return Ok(Self { written, expression, updates, products, program });
                }
                Err((0, fault)) => first = first.or(Some(Fault::of(Part::Equation, fault))),
                Err((n, fault)) => first = first.or(Some(Fault::of(Part::Update(n - 1), fault))),
            }
        }
        Err(first.expect("there is at least one choice"))
    }

    pub(super) fn products(&self) -> Option<&Products> {
        self.products.as_ref()
    }

    /// With the numbers of a layer, for who cannot use [`Self::products`].
    pub(crate) fn evaluator(&self, n_pre: usize, n_post: usize) -> Evaluator {
        Evaluator::new(&self.program, n_pre, n_post)
    }

    pub(crate) fn program(&self) -> &Program {
        &self.program
    }

    /// As it was written.
    pub fn written(&self) -> &Written {
        &self.written
    }

    /// Without a coefficient.
    pub(super) fn alone(&self, notation: Notation) -> String {
        self.expression.written(notation)
    }

    /// In parentheses where it is a sum, so that a coefficient can stand before it.
    pub(super) fn text(&self, notation: Notation) -> (f64, String) {
        let text = self.expression.written(notation);
        if self.expression.is_sum() {
            return (1.0, format!("({text})"));
        }
        match text.strip_prefix('-') {
            Some(rest) => (-1.0, rest.to_owned()),
            None => (1.0, text),
        }
    }

    /// What becomes of each value that the neurons remember, and the numbers that are named, a line each.
    pub(super) fn updates(&self, notation: Notation) -> Vec<String> {
        let arrow = match notation {
            Notation::Plain => "←",
            Notation::Latex => r"\leftarrow",
        };
        let updates = self.written.state.iter().zip(&self.updates);
        let line = |(state, update): (&WrittenState, &Expression)| {
            format!("{} {arrow} {}", symbol(&state.name, notation), update.written(notation))
        };
        let numbers = self.written.parameters.iter();
        let number = |(name, value): &(String, f64)| format!("{} = {value}", symbol(name, notation));
        updates.map(line).chain(numbers.map(number)).collect()
    }

    /// The shipped signals that it reads.
    pub(super) fn signals(&self) -> Vec<Signal> {
        let names = self.names();
        let has = |name: &str| names.iter().any(|known| known == name);
        let projects = self
            .products
            .iter()
            .flat_map(|products| &products.outer)
            .any(|(left, right)| left.iter().chain(right.iter()).any(|(_, signal)| *signal == Signal::Projection));
        [
            ("y_pre", Signal::PreActivation),
            ("e_pre", Signal::PreError),
            ("y_post", Signal::PostActivation),
            ("e_post", Signal::PostError),
        ]
        .into_iter()
        .filter_map(|(name, signal)| has(name).then_some(signal))
        .chain(projects.then_some(Signal::Projection))
        .collect()
    }

    /// What it reads that is no shipped signal.
    pub(super) fn wants(&self) -> Vec<Wanted> {
        let program = &self.program;
        let seen = [
            (Wanted::Potential, &[Seen::Potential][..]),
            (Wanted::Label, &[Seen::Label]),
            (Wanted::Noise, &[Seen::Noise]),
            (Wanted::Loss, &[Seen::Loss]),
            (Wanted::LossChange, &[Seen::LossChange]),
            (Wanted::Settled, &[Seen::SettledPre, Seen::SettledPost]),
        ];
        let wanted = seen.into_iter().filter(|(_, all)| all.iter().any(|signal| program.reads(*signal)));
        // B that is moved by a term is its own: a decay reads what it moves.
        let feedback = self.written.synapses == Synapses::Forward && program.reads_matrix(Operand::Feedback);
        wanted.map(|(wanted, _)| wanted).chain(feedback.then_some(Wanted::Feedback)).collect()
    }

    /// All that it reads, in plain text.
    pub(super) fn reads(&self) -> String {
        let names: Vec<String> = self.names().iter().map(|name| symbol(name, Notation::Plain)).collect();
        names.join(", ")
    }

    /// The names in the equations, each once.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for expression in [&self.expression].into_iter().chain(&self.updates) {
            expression.visit_names(&mut |name| {
                let is_number = self.written.parameters.iter().any(|(known, _)| known == name);
                if !is_number && !names.iter().any(|known| known == name) {
                    names.push(name.to_owned());
                }
            });
        }
        names
    }

    /// What a brain would need for it.
    fn plausibility(&self) -> String {
        let program = &self.program;
        let sums_over = |side: Side, matrix: Operand| {
            program.steps.iter().any(|(step, _)| match step {
                Step::Reduce { rows, over, .. } => *over == side && rows.operands().any(|operand| operand == matrix),
                _ => false,
            })
        };
        let is_forward = self.written.synapses == Synapses::Forward;
        let mut needs = Vec::new();
        if sums_over(Side::Post, Operand::Weights) {
            needs.push(
                "Wᵀ times a vector sums over all neurons of layer ℓ, so it takes connections that carry the same weights \
                 (weight transport within the layer).",
            );
        }
        let running = |rows: &crate::kernels::program::Rows| {
            use crate::kernels::program::RowOperation::{RunningPost, RunningPre};
            rows.0.iter().any(|operation| matches!(operation, RunningPost { .. } | RunningPre { .. }))
        };
        if program.rows().any(running) {
            needs.push(
                "A running sum puts the neurons of a layer in an order, and each sees the weights of those before it.",
            );
        }
        let reads_other = program.reads_matrix(if is_forward { Operand::Feedback } else { Operand::Weights });
        if reads_other {
            needs.push("It reads the weights of the opposite direction (weight transport).");
        }
        if program
            .steps
            .iter()
            .any(|(step, _)| matches!(step, Step::Dot(..) | Step::Sum(_) | Step::Mean(_) | Step::Max(_)))
        {
            needs.push("A number is made of a whole layer and sent to every synapse (a global signal).");
        }
        if self.wants().iter().any(|wanted| matches!(wanted, Wanted::Loss | Wanted::LossChange)) {
            needs.push("The loss is told to every synapse (a global signal).");
        }
        let local = "Local: what the synapse joins, and the synapse itself.";
        let errors = self.names().iter().any(|name| name == "e_post" || name == "e_pre");
        let mut said = if needs.is_empty() { vec![local] } else { needs };
        if errors {
            said.push("Errors are counted as local once they are there.");
        }
        said.join(" ")
    }
}

impl Written {
    /// Names that equations cannot tell apart, or too many of them.
    fn check_names(&self) -> Result<(), Fault> {
        let own = self.parameters.iter().map(|(name, _)| name).chain(self.state.iter().map(|state| &state.name));
        let own: Vec<&String> = own.collect();
        let fault =
            |message: String| Err(Fault { part: Part::Equation, span: 0..self.equation.len(), message, help: None });
        for (n, name) in own.iter().enumerate() {
            let is_word = name.starts_with(|c: char| c.is_ascii_alphabetic())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !is_word {
                return fault(format!("`{name}` is no name: letters, digits and `_`"));
            }
            if SIGNALS.contains(&name.as_str()) || expression::Function::named(name).is_some() {
                return fault(format!(
                    "`{name}` has a meaning already and cannot be a parameter or a part of the state"
                ));
            }
            if own[..n].contains(name) {
                return fault(format!("`{name}` is given twice"));
            }
        }
        if self.state.len() > MOST_REMEMBERED {
            return fault(format!("a neuron remembers at most {MOST_REMEMBERED} values a term"));
        }
        let all = self.parameters.iter().map(|(name, value)| (name, *value));
        let starts = self.state.iter().map(|state| (&state.name, state.start));
        match all.chain(starts).find(|(_, value)| !(*value as f32).is_finite()) {
            Some((name, value)) => {
                fault(format!("`{name}` is {value}, which is beyond the numbers that weights can have"))
            }
            None => Ok(()),
        }
    }
}

/// Each may be the neurons' of either layer, or one number: all choices are tried.
const MOST_REMEMBERED: usize = 4;

impl Fault {
    fn of(part: Part, Unreadable { span, message, help }: Unreadable) -> Self {
        Self { part, span, message, help }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod theory;
