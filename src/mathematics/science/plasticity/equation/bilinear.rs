//! Expressions that are sums of products of shipped signals, as the kernels of shipped terms take them.

use super::super::signal::{Signal, Synapses};
use super::expression::{Expression, Kind, Operator};
use super::written::Written;

/// Σ_k left_k right_kᵀ − decay · W, or B.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Products {
    /// Of the rows and the columns of the matrix.
    pub outer: Vec<(Sum, Sum)>,
    pub decay: f64,
}

type Sum = Vec<(f64, Signal)>;

/// What the expression is the sum of; none if it is another.
pub(super) fn products(expression: &Expression, written: &Written) -> Option<Products> {
    let reader = Reader { written };
    let mut products = Products { outer: Vec::new(), decay: 0.0 };
    reader.add(expression, 1.0, &mut products)?;
    Some(products)
}

struct Reader<'a> {
    written: &'a Written,
}

impl Reader<'_> {
    fn add(&self, expression: &Expression, factor: f64, products: &mut Products) -> Option<()> {
        match &expression.kind {
            Kind::Negative(inner) => self.add(inner, -factor, products),
            Kind::Binary(Operator::Add, _, left, right) => {
                self.add(left, factor, products)?;
                self.add(right, factor, products)
            }
            Kind::Binary(Operator::Subtract, _, left, right) => {
                self.add(left, factor, products)?;
                self.add(right, -factor, products)
            }
            Kind::Name(name) if name == self.own() => {
                products.decay -= factor;
                Some(())
            }
            Kind::Binary(Operator::Product | Operator::Times, _, left, right) => {
                if let Some(number) = self.number(left) {
                    return self.add(right, factor * number, products);
                }
                if let Some(number) = self.number(right) {
                    return self.add(left, factor * number, products);
                }
                let (mut column, row) = (self.column(left)?, self.row(right)?);
                column.iter_mut().for_each(|(c, _)| *c *= factor);
                let is_pre = |sum: &Sum| sum.iter().all(|(_, signal)| signal.is_pre());
                let is_post = |sum: &Sum| sum.iter().all(|(_, signal)| !signal.is_pre());
                let fits = match self.written.synapses {
                    Synapses::Forward => is_post(&column) && is_pre(&row),
                    Synapses::Feedback => is_pre(&column) && is_post(&row),
                };
                fits.then(|| products.outer.push((column, row)))
            }
            _ => None,
        }
    }

    /// The name of the matrix that the term moves.
    fn own(&self) -> &'static str {
        match self.written.synapses {
            Synapses::Forward => "W",
            Synapses::Feedback => "B",
        }
    }

    /// A column as a weighted sum of signals.
    fn column(&self, expression: &Expression) -> Option<Sum> {
        match &expression.kind {
            Kind::Name(name) => {
                let signal = match name.as_str() {
                    "y_pre" => Signal::PreActivation,
                    "e_pre" => Signal::PreError,
                    "y_post" => Signal::PostActivation,
                    "e_post" => Signal::PostError,
                    _ => return None,
                };
                Some(vec![(1.0, signal)])
            }
            Kind::Transpose(inner) => self.row(inner),
            // Wᵀ y_ℓ
            Kind::Binary(Operator::Product, _, left, right)
                if is_transposed(left, "W") && is_named(right, "y_post") =>
            {
                Some(vec![(1.0, Signal::Projection)])
            }
            _ => self.linear(expression, Self::column),
        }
    }

    /// A row as a weighted sum of signals.
    fn row(&self, expression: &Expression) -> Option<Sum> {
        match &expression.kind {
            Kind::Transpose(inner) => self.column(inner),
            // y_ℓᵀ W
            Kind::Binary(Operator::Product, _, left, right)
                if is_transposed(left, "y_post") && is_named(right, "W") =>
            {
                Some(vec![(1.0, Signal::Projection)])
            }
            Kind::Name(_) => None,
            _ => self.linear(expression, Self::row),
        }
    }

    fn linear(&self, expression: &Expression, part: fn(&Self, &Expression) -> Option<Sum>) -> Option<Sum> {
        let scaled = |mut sum: Sum, factor: f64| {
            sum.iter_mut().for_each(|(c, _)| *c *= factor);
            sum
        };
        match &expression.kind {
            Kind::Negative(inner) => Some(scaled(part(self, inner)?, -1.0)),
            Kind::Binary(operator @ (Operator::Add | Operator::Subtract), _, left, right) => {
                let sign = if *operator == Operator::Add { 1.0 } else { -1.0 };
                let mut sum = part(self, left)?;
                sum.extend(scaled(part(self, right)?, sign));
                // A signal that occurs twice is added in the order that was written, which one coefficient is not.
                let is_twice = sum.iter().enumerate().any(|(n, (_, a))| sum[..n].iter().any(|(_, b)| a == b));
                (!is_twice).then_some(sum)
            }
            Kind::Binary(Operator::Product | Operator::Times, _, left, right) => {
                match (self.number(left), self.number(right)) {
                    (Some(number), _) => Some(scaled(part(self, right)?, number)),
                    (None, Some(number)) => Some(scaled(part(self, left)?, number)),
                    (None, None) => None,
                }
            }
            _ => None,
        }
    }

    /// What is known before anything runs.
    fn number(&self, expression: &Expression) -> Option<f64> {
        match &expression.kind {
            Kind::Number(value) => Some(*value),
            Kind::Name(name) => {
                self.written.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
            }
            Kind::Negative(inner) => Some(-self.number(inner)?),
            Kind::Binary(operator, _, left, right) => {
                let (a, b) = (self.number(left)?, self.number(right)?);
                Some(match operator {
                    Operator::Add => a + b,
                    Operator::Subtract => a - b,
                    Operator::Product | Operator::Times => a * b,
                    Operator::Divide => a / b,
                })
            }
            _ => None,
        }
    }
}

fn is_named(expression: &Expression, name: &str) -> bool {
    matches!(&expression.kind, Kind::Name(found) if found == name)
}

fn is_transposed(expression: &Expression, name: &str) -> bool {
    matches!(&expression.kind, Kind::Transpose(inner) if is_named(inner, name))
}
