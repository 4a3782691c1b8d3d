//! Expressions → programs: the shape of everything, and what would take too long.

use std::ops::Range;

use super::super::signal::Synapses;
use super::expression::{Expression, Function, Kind, Operator};
use super::parse::Unreadable;
use crate::kernels::program::{
    Arithmetic, Elementwise, Extent, Id, Operand, Program, RowOperation, Rows, Seen, Side, Step,
};

/// What an expression is.
#[derive(Clone, Debug)]
enum Value {
    Number(Id),
    /// A column, or a row.
    Vector {
        side: Side,
        is_row: bool,
        id: Id,
    },
    /// n_ℓ × n_{ℓ-1}, or transposed.
    Matrix {
        transposed: bool,
        tree: Tree,
    },
    /// The square matrix with a vector on its diagonal.
    Diagonal {
        side: Side,
        id: Id,
    },
    /// The square matrix a bᵀ, or its part on and below the diagonal.
    Square {
        side: Side,
        a: Id,
        b: Id,
        lower: bool,
    },
}

/// A matrix, looked at from the side of layer ℓ − 1.
#[derive(Clone, Debug)]
enum Tree {
    Leaf(Operand),
    Each(Elementwise, Box<Tree>),
    Binary(Arithmetic, Box<Tree>, Box<Tree>),
    Running { side: Side, a: Id, b: Id, of: Box<Tree> },
}

impl Tree {
    fn rows(&self) -> Rows {
        let mut rows = Rows::default();
        if let Operand::Row(_) = self.lower(&mut rows) {
            return rows;
        }
        // A matrix as it is: something has to be done to it, or there is no row.
        let Tree::Leaf(operand) = self else { unreachable!("all others are operations") };
        Rows(vec![RowOperation::Each(Elementwise::Power(1), *operand)])
    }

    fn lower(&self, rows: &mut Rows) -> Operand {
        let operation = match self {
            Tree::Leaf(operand) => return *operand,
            Tree::Each(what, of) => RowOperation::Each(*what, of.lower(rows)),
            Tree::Binary(what, left, right) => {
                let (left, right) = (left.lower(rows), right.lower(rows));
                RowOperation::Binary(*what, left, right)
            }
            Tree::Running { side: Side::Post, a, b, of } => {
                RowOperation::RunningPost { a: *a, b: *b, of: of.lower(rows) }
            }
            Tree::Running { side: Side::Pre, a, b, of } => {
                RowOperation::RunningPre { a: *a, b: *b, of: of.lower(rows) }
            }
        };
        rows.0.push(operation);
        Operand::Row(rows.0.len() - 1)
    }
}

impl Side {
    fn size(self) -> &'static str {
        match self {
            Side::Pre => "n_{ℓ-1}",
            Side::Post => "n_ℓ",
        }
    }
}

impl Value {
    /// Rows and columns; the size of nothing but one is none.
    fn shape(&self) -> (Option<Side>, Option<Side>) {
        match self {
            Value::Number(_) => (None, None),
            Value::Vector { side, is_row: false, .. } => (Some(*side), None),
            Value::Vector { side, is_row: true, .. } => (None, Some(*side)),
            Value::Matrix { transposed: false, .. } => (Some(Side::Post), Some(Side::Pre)),
            Value::Matrix { transposed: true, .. } => (Some(Side::Pre), Some(Side::Post)),
            Value::Diagonal { side, .. } | Value::Square { side, .. } => (Some(*side), Some(*side)),
        }
    }

    fn in_words(&self) -> String {
        match self.shape() {
            (None, None) => "a number".to_owned(),
            shape => in_words(shape),
        }
    }
}

fn in_words((rows, columns): (Option<Side>, Option<Side>)) -> String {
    let size = |side: Option<Side>| side.map_or("1", Side::size);
    format!("{} × {}", size(rows), size(columns))
}

/// What names stand for.
pub(super) struct Names<'a> {
    pub parameters: &'a [(String, f64)],
    /// Values that the neurons remember, whose units have one.
    pub state: Vec<(&'a str, Extent)>,
}

struct Analysis<'a> {
    names: &'a Names<'a>,
    text: &'a str,
    steps: Vec<(Step, Extent)>,
}

type Found = Result<Value, Unreadable>;

fn fault(span: &Range<usize>, message: String, help: Option<String>) -> Unreadable {
    Unreadable { span: span.clone(), message, help }
}

/// The program of an equation and of the updates of what it remembers, each with its text. The number of a fault is that of the
/// text, 0 the equation's.
pub(super) fn analyse(
    synapses: Synapses,
    (equation, text): (&Expression, &str),
    updates: &[(Expression, &str, f64)],
    names: &Names<'_>,
) -> Result<Program, (usize, Unreadable)> {
    let mut analysis = Analysis { names, text, steps: Vec::new() };
    let value = analysis.value(equation).map_err(|fault| (0, fault))?;
    let wanted = match synapses {
        Synapses::Forward => (Some(Side::Post), Some(Side::Pre)),
        Synapses::Feedback => (Some(Side::Pre), Some(Side::Post)),
    };
    let result = match &value {
        Value::Matrix { tree, .. } if value.shape() == wanted => tree.rows(),
        other => {
            let name = if synapses == Synapses::Forward { "W" } else { "B" };
            let message = format!("the equation is {}, but {name} is {}", other.in_words(), in_words(wanted));
            let is_transposed = matches!(other, Value::Matrix { .. });
            let help = is_transposed.then(|| {
                let other = if synapses == Synapses::Forward { "feedback" } else { "forward" };
                format!("Transpose it, `(…)'`, or give the term `synapses = \"{other}\"`.")
            });
            return Err((0, fault(&equation.span, message, help)));
        }
    };
    let mut made = Vec::new();
    for (number, (update, text, _)) in updates.iter().enumerate() {
        analysis.text = text;
        let value = analysis.value(update).map_err(|fault| (number + 1, fault))?;
        let (name, extent) = names.state[number];
        let (id, found) = match value {
            Value::Number(id) => (id, Extent::Number),
            Value::Vector { side, is_row: false, id } => (id, Extent::Vector(side)),
            other => {
                let message = format!("the update of `{name}` is {}; a neuron remembers a number", other.in_words());
                return Err((number + 1, fault(&update.span, message, None)));
            }
        };
        // A number goes into every neuron.
        let id = match (found, extent) {
            (found, extent) if found == extent => id,
            (Extent::Number, extent @ Extent::Vector(_)) => {
                let now = analysis.push(Step::State(number), extent);
                let zero = analysis.push(Step::Number(0.0), Extent::Number);
                let nothing = analysis.push(Step::Binary(Arithmetic::Multiply, now, zero), extent);
                analysis.push(Step::Binary(Arithmetic::Add, nothing, id), extent)
            }
            _ => {
                let is = |extent| match extent {
                    Extent::Number => "one number".to_owned(),
                    Extent::Vector(side) => format!("a number for each of the {} neurons of a layer", side.size()),
                };
                let message = format!("`{name}` would be {}, and its update is {}", is(extent), is(found));
                return Err((number + 1, fault(&update.span, message, None)));
            }
        };
        made.push(id);
    }
    let state = updates.iter().zip(&names.state).map(|((_, _, start), (_, extent))| (*start as f32, *extent));
    Ok(Program { state: state.collect(), steps: analysis.steps, result, updates: made })
}

impl Analysis<'_> {
    fn push(&mut self, step: Step, extent: Extent) -> Id {
        self.steps.push((step, extent));
        self.steps.len() - 1
    }

    fn written(&self, expression: &Expression) -> &str {
        &self.text[expression.span.clone()]
    }

    fn value(&mut self, expression: &Expression) -> Found {
        match &expression.kind {
            Kind::Number(value) => Ok(Value::Number(self.push(Step::Number(*value as f32), Extent::Number))),
            Kind::Name(name) => self.name(name, &expression.span),
            Kind::Negative(inner) => {
                let value = self.value(inner)?;
                self.each(Elementwise::Negate, value, inner)
            }
            Kind::Power(inner, power) => {
                let value = self.value(inner)?;
                self.each(Elementwise::Power(*power), value, inner)
            }
            Kind::Transpose(inner) => {
                let value = self.value(inner)?;
                Ok(match value {
                    Value::Vector { side, is_row, id } => Value::Vector { side, is_row: !is_row, id },
                    Value::Matrix { transposed, tree } => Value::Matrix { transposed: !transposed, tree },
                    Value::Square { side, a, b, lower: false } => Value::Square { side, a: b, b: a, lower: false },
                    Value::Square { lower: true, .. } => {
                        let message = "the transpose of a lower triangle has no running sums: it is not computed";
                        return Err(fault(&expression.span, message.to_owned(), None));
                    }
                    same @ (Value::Number(_) | Value::Diagonal { .. }) => same,
                })
            }
            Kind::Call(function, inner) => self.call(*function, inner, &expression.span),
            Kind::Binary(operator, place, left, right) => {
                let (a, b) = (self.value(left)?, self.value(right)?);
                match operator {
                    Operator::Product => self.product((a, left), (b, right), place),
                    Operator::Add => self.elementwise(Arithmetic::Add, "+", (a, left), (b, right), place),
                    Operator::Subtract => self.elementwise(Arithmetic::Subtract, "-", (a, left), (b, right), place),
                    Operator::Times => self.elementwise(Arithmetic::Multiply, ".*", (a, left), (b, right), place),
                    Operator::Divide => self.elementwise(Arithmetic::Divide, "./", (a, left), (b, right), place),
                }
            }
        }
    }

    fn name(&mut self, name: &str, span: &Range<usize>) -> Found {
        let seen = |seen, side| (Step::Seen(seen), side);
        let (step, side) = match name {
            "y_pre" => seen(Seen::PreActivation, Side::Pre),
            "e_pre" => seen(Seen::PreError, Side::Pre),
            "y_post" => seen(Seen::PostActivation, Side::Post),
            "e_post" => seen(Seen::PostError, Side::Post),
            "z_post" => seen(Seen::Potential, Side::Post),
            "label" => seen(Seen::Label, Side::Post),
            "noise" => seen(Seen::Noise, Side::Post),
            "settled_pre" => seen(Seen::SettledPre, Side::Pre),
            "settled_post" => seen(Seen::SettledPost, Side::Post),
            "loss" => return Ok(self.told(Seen::Loss)),
            "loss_change" => return Ok(self.told(Seen::LossChange)),
            "W" => return Ok(Value::Matrix { transposed: false, tree: Tree::Leaf(Operand::Weights) }),
            "B" => return Ok(Value::Matrix { transposed: true, tree: Tree::Leaf(Operand::Feedback) }),
            other => {
                if let Some((_, value)) = self.names.parameters.iter().find(|(known, _)| known == other) {
                    return Ok(Value::Number(self.push(Step::Number(*value as f32), Extent::Number)));
                }
                let Some(number) = self.names.state.iter().position(|(known, _)| *known == other) else {
                    let own = self.names.parameters.iter().map(|(name, _)| name.as_str());
                    let own = own.chain(self.names.state.iter().map(|(name, _)| *name));
                    let all: Vec<String> = SIGNALS.into_iter().chain(own).map(|name| format!("`{name}`")).collect();
                    let help = format!("There are {}. Others stand in `parameters` or `state`.", all.join(", "));
                    return Err(fault(span, format!("nothing is called `{other}`"), Some(help)));
                };
                let extent = self.names.state[number].1;
                let id = self.push(Step::State(number), extent);
                return Ok(match extent {
                    Extent::Number => Value::Number(id),
                    Extent::Vector(side) => Value::Vector { side, is_row: false, id },
                });
            }
        };
        Ok(Value::Vector { side, is_row: false, id: self.push(step, Extent::Vector(side)) })
    }

    /// A number that all synapses are told.
    fn told(&mut self, seen: Seen) -> Value {
        Value::Number(self.push(Step::Seen(seen), Extent::Number))
    }

    fn each(&mut self, what: Elementwise, value: Value, inner: &Expression) -> Found {
        Ok(match value {
            Value::Number(id) => Value::Number(self.push(Step::Each(what, id), Extent::Number)),
            Value::Vector { side, is_row, id } => {
                Value::Vector { side, is_row, id: self.push(Step::Each(what, id), Extent::Vector(side)) }
            }
            Value::Matrix { transposed, tree } => Value::Matrix { transposed, tree: Tree::Each(what, Box::new(tree)) },
            // The sign of a factor is the sign of the product.
            Value::Diagonal { side, id } if what == Elementwise::Negate => {
                Value::Diagonal { side, id: self.push(Step::Each(what, id), Extent::Vector(side)) }
            }
            Value::Square { side, a, b, lower } if what == Elementwise::Negate => {
                Value::Square { side, a: self.push(Step::Each(what, a), Extent::Vector(side)), b, lower }
            }
            Value::Diagonal { side, .. } | Value::Square { side, .. } => return Err(self.too_large(side, inner)),
        })
    }

    fn too_large(&self, side: Side, inner: &Expression) -> Unreadable {
        let n = side.size();
        let message = format!(
            "`{}` is {n} × {n}: to work on each of its elements takes {n}² operations a step, more than the synapses have",
            self.written(inner)
        );
        fault(
            &inner.span,
            message,
            Some(format!(
                "Each step may take some n_ℓ · n_{{ℓ-1}} operations: let {n} × {n} matrices meet W or a vector only."
            )),
        )
    }

    fn call(&mut self, function: Function, inner: &Expression, span: &Range<usize>) -> Found {
        let value = self.value(inner)?;
        let of_vectors = |what: &str| {
            let message = format!("`{}` takes a vector, and `{}` is {what}", function.name(), self.written(inner));
            fault(&inner.span, message, None)
        };
        let what = match function {
            Function::Sign => Elementwise::Sign,
            Function::Relu => Elementwise::Relu,
            Function::Tanh => Elementwise::Tanh,
            Function::Exp => Elementwise::Exp,
            Function::Abs => Elementwise::Abs,
            Function::Threshold => Elementwise::Threshold,
            Function::Sum | Function::Mean | Function::Max => {
                let Value::Vector { id, .. } = value else { return Err(of_vectors(&value.in_words())) };
                let step = match function {
                    Function::Sum => Step::Sum(id),
                    Function::Mean => Step::Mean(id),
                    _ => Step::Max(id),
                };
                return Ok(Value::Number(self.push(step, Extent::Number)));
            }
            Function::Diag => {
                let Value::Vector { side, id, .. } = value else { return Err(of_vectors(&value.in_words())) };
                return Ok(Value::Diagonal { side, id });
            }
            Function::Lower => {
                let Value::Square { side, a, b, lower: false } = value else {
                    let message = format!(
                        "`lower` takes a square product of two vectors, `lower(y_post * y_post')`, and this is {}",
                        value.in_words()
                    );
                    return Err(fault(span, message, None));
                };
                return Ok(Value::Square { side, a, b, lower: true });
            }
        };
        self.each(what, value, inner)
    }

    fn elementwise(
        &mut self,
        what: Arithmetic,
        sign: &str,
        (a, left): (Value, &Expression),
        (b, right): (Value, &Expression),
        place: &Range<usize>,
    ) -> Found {
        if let (Value::Number(a), Value::Number(b)) = (&a, &b) {
            return Ok(Value::Number(self.push(Step::Binary(what, *a, *b), Extent::Number)));
        }
        let is_number = |value: &Value| matches!(value, Value::Number(_));
        if a.shape() != b.shape() && !is_number(&a) && !is_number(&b) {
            let message = format!("`{sign}` needs equal shapes, and these are {} and {}", a.in_words(), b.in_words());
            let (rows, columns) = b.shape();
            let help = match ((columns, rows) == a.shape(), sign) {
                (true, _) => Some(format!("`({})'` is {}.", self.written(right), in_words((columns, rows)))),
                (false, ".*") => {
                    let diagonal = self.as_diagonal((&a, left), (&b, right));
                    let other = || "The product of matrices and vectors is written `*`.".to_owned();
                    Some(diagonal.map_or_else(other, |text| format!("What would fit: {text}.")))
                }
                _ => None,
            };
            return Err(fault(place, message, help));
        }
        match (a, b) {
            (Value::Vector { side, is_row, id: a }, Value::Vector { id: b, .. } | Value::Number(b)) => {
                Ok(Value::Vector { side, is_row, id: self.push(Step::Binary(what, a, b), Extent::Vector(side)) })
            }
            (Value::Number(a), Value::Vector { side, is_row, id: b }) => {
                Ok(Value::Vector { side, is_row, id: self.push(Step::Binary(what, a, b), Extent::Vector(side)) })
            }
            (Value::Matrix { transposed, tree: a }, Value::Matrix { tree: b, .. }) => {
                Ok(Value::Matrix { transposed, tree: Tree::Binary(what, Box::new(a), Box::new(b)) })
            }
            (Value::Matrix { transposed, tree }, Value::Number(b)) => {
                let b = Tree::Leaf(Operand::Number(b));
                Ok(Value::Matrix { transposed, tree: Tree::Binary(what, Box::new(tree), Box::new(b)) })
            }
            (Value::Number(a), Value::Matrix { transposed, tree }) => {
                let a = Tree::Leaf(Operand::Number(a));
                Ok(Value::Matrix { transposed, tree: Tree::Binary(what, Box::new(a), Box::new(tree)) })
            }
            (Value::Diagonal { side, .. } | Value::Square { side, .. }, _) => Err(self.too_large(side, left)),
            (_, Value::Diagonal { side, .. } | Value::Square { side, .. }) => Err(self.too_large(side, right)),
            (Value::Number(_), Value::Number(_)) | (Value::Vector { .. }, _) | (Value::Matrix { .. }, _) => {
                unreachable!("equal shapes, or a number")
            }
        }
    }

    fn product(
        &mut self,
        (a, left): (Value, &Expression),
        (b, right): (Value, &Expression),
        place: &Range<usize>,
    ) -> Found {
        if matches!(a, Value::Number(_)) || matches!(b, Value::Number(_)) {
            // A number scales a factor.
            return match (a, b) {
                (Value::Number(number), Value::Diagonal { side, id })
                | (Value::Diagonal { side, id }, Value::Number(number)) => {
                    let step = Step::Binary(Arithmetic::Multiply, number, id);
                    Ok(Value::Diagonal { side, id: self.push(step, Extent::Vector(side)) })
                }
                (Value::Number(number), Value::Square { side, a, b, lower })
                | (Value::Square { side, a, b, lower }, Value::Number(number)) => {
                    let step = Step::Binary(Arithmetic::Multiply, number, a);
                    Ok(Value::Square { side, a: self.push(step, Extent::Vector(side)), b, lower })
                }
                (a, b) => self.elementwise(Arithmetic::Multiply, "*", (a, left), (b, right), place),
            };
        }
        let (inner_left, inner_right) = (a.shape().1, b.shape().0);
        if inner_left != inner_right {
            return Err(self.inner_sizes_differ((&a, left), (&b, right), place));
        }
        Ok(match (a, b) {
            (Value::Vector { side: rows, is_row: false, id: a }, Value::Vector { side: columns, id: b, .. }) => {
                match (rows, columns) {
                    (Side::Post, Side::Pre) => outer(false, a, b),
                    (Side::Pre, Side::Post) => outer(true, b, a),
                    (side, _) => Value::Square { side, a, b, lower: false },
                }
            }
            (Value::Vector { is_row: true, id: a, .. }, Value::Vector { id: b, .. }) => {
                Value::Number(self.push(Step::Dot(a, b), Extent::Number))
            }
            (Value::Matrix { transposed, tree }, Value::Vector { id, .. }) => self.reduce(&tree, transposed, id, false),
            // aᵀ M = (Mᵀ a)ᵀ.
            (Value::Vector { id, .. }, Value::Matrix { transposed, tree }) => self.reduce(&tree, !transposed, id, true),
            (Value::Diagonal { side, id }, Value::Matrix { transposed, tree })
            | (Value::Matrix { transposed, tree }, Value::Diagonal { side, id }) => {
                let by = Tree::Leaf(if side == Side::Post { Operand::Post(id) } else { Operand::Pre(id) });
                let tree = Tree::Binary(Arithmetic::Multiply, Box::new(by), Box::new(tree));
                Value::Matrix { transposed, tree }
            }
            (Value::Diagonal { side, id }, Value::Vector { is_row, id: v, .. })
            | (Value::Vector { is_row, id: v, .. }, Value::Diagonal { side, id }) => {
                let step = Step::Binary(Arithmetic::Multiply, id, v);
                Value::Vector { side, is_row, id: self.push(step, Extent::Vector(side)) }
            }
            (Value::Diagonal { side, id: a }, Value::Diagonal { id: b, .. }) => {
                let step = Step::Binary(Arithmetic::Multiply, a, b);
                Value::Diagonal { side, id: self.push(step, Extent::Vector(side)) }
            }
            (Value::Square { side, a, b, lower: true }, Value::Matrix { transposed, tree }) => {
                Value::Matrix { transposed, tree: Tree::Running { side, a, b, of: Box::new(tree) } }
            }
            (Value::Square { lower: true, .. }, _) | (_, Value::Square { lower: true, .. }) => {
                let message =
                    "a lower triangle multiplies W or B from the left, `lower(y_post * y_post') * W`, and nothing else";
                return Err(fault(place, message.to_owned(), None));
            }
            (a, b) => return Err(self.of_matrices((&a, left), (&b, right), place)),
        })
    }

    fn reduce(&mut self, tree: &Tree, transposed: bool, by: Id, is_row: bool) -> Value {
        // n_ℓ × n_{ℓ-1} adds over layer ℓ − 1; transposed, over layer ℓ.
        let (over, side) = if transposed { (Side::Post, Side::Pre) } else { (Side::Pre, Side::Post) };
        let id = self.push(Step::Reduce { rows: tree.rows(), by, over }, Extent::Vector(side));
        Value::Vector { side, is_row, id }
    }

    fn inner_sizes_differ(
        &self,
        (a, left): (&Value, &Expression),
        (b, right): (&Value, &Expression),
        place: &Range<usize>,
    ) -> Unreadable {
        let flip = |(rows, columns)| (columns, rows);
        let (of_left, of_right) = (a.shape(), b.shape());
        let mut fitting = Vec::new();
        let (left_text, right_text) = (self.written(left), self.written(right));
        let quoted = |expression: &Expression, text: &str| match expression.kind {
            Kind::Name(_) | Kind::Call(..) => format!("{text}'"),
            _ => format!("({text})'"),
        };
        for (left_is, right_is, text) in [
            (of_left, flip(of_right), format!("{left_text} * {}", quoted(right, right_text))),
            (flip(of_left), of_right, format!("{} * {right_text}", quoted(left, left_text))),
        ] {
            if left_is.1 == right_is.0 {
                fitting.push(format!("`{text}` is {}", in_words((left_is.0, right_is.1))));
            }
        }
        if of_left == of_right {
            fitting.push(format!("`{left_text} .* {right_text}` is {}", in_words(of_left)));
        }
        fitting.extend(self.as_diagonal((a, left), (b, right)));
        let message = format!("`*` cannot multiply {} by {}: the inner sizes differ", a.in_words(), b.in_words());
        fault(place, message, (!fitting.is_empty()).then(|| format!("What would fit: {}.", fitting.join("; "))))
    }

    /// A vector of the neurons whose weights it scales, written before a matrix or behind it.
    fn as_diagonal(&self, (a, left): (&Value, &Expression), (b, right): (&Value, &Expression)) -> Option<String> {
        let (left_text, right_text) = (self.written(left), self.written(right));
        let (text, of) = match (a, b) {
            (Value::Vector { side, .. }, Value::Matrix { .. }) if b.shape().0 == Some(*side) => {
                (format!("diag({left_text}) * {right_text}"), b)
            }
            (Value::Matrix { .. }, Value::Vector { side, .. }) if a.shape().1 == Some(*side) => {
                (format!("{left_text} * diag({right_text})"), a)
            }
            (Value::Vector { side, .. }, Value::Matrix { .. }) if b.shape().1 == Some(*side) => {
                (format!("{right_text} * diag({left_text})"), b)
            }
            (Value::Matrix { .. }, Value::Vector { side, .. }) if a.shape().0 == Some(*side) => {
                (format!("diag({right_text}) * {left_text}"), a)
            }
            _ => return None,
        };
        Some(format!("`{text}` is {}", of.in_words()))
    }

    /// A product of two matrices, which is a product too many.
    fn of_matrices(
        &self,
        (a, left): (&Value, &Expression),
        (b, right): (&Value, &Expression),
        place: &Range<usize>,
    ) -> Unreadable {
        let size = |side: Option<Side>| side.map_or("1", Side::size);
        let cost = format!("{} · {} · {}", size(a.shape().0), size(a.shape().1), size(b.shape().1));
        let message = format!(
            "this product of {} and {} takes {cost} operations a step, more than the synapses have",
            a.in_words(),
            b.in_words()
        );
        // (u vᵀ) M = u (vᵀ M)
        let help = match (&left.kind, &right.kind) {
            (Kind::Binary(Operator::Product, _, u, v), _) if matches!(a, Value::Square { .. }) => Some(format!(
                "Multiply with the vector first: `{} * ({} * {})`.",
                self.written(u),
                self.written(v),
                self.written(right)
            )),
            (_, Kind::Binary(Operator::Product, _, u, v)) if matches!(b, Value::Square { .. }) => Some(format!(
                "Multiply with the vector first: `({} * {}) * {}`.",
                self.written(left),
                self.written(u),
                self.written(v)
            )),
            _ => None,
        };
        fault(place, message, help)
    }
}

fn outer(transposed: bool, post: Id, pre: Id) -> Value {
    let leaf = |operand| Box::new(Tree::Leaf(operand));
    let tree = Tree::Binary(Arithmetic::Multiply, leaf(Operand::Post(post)), leaf(Operand::Pre(pre)));
    Value::Matrix { transposed, tree }
}

/// What every equation can read.
pub(super) const SIGNALS: [&str; 13] = [
    "y_pre",
    "y_post",
    "e_pre",
    "e_post",
    "z_post",
    "label",
    "noise",
    "loss",
    "loss_change",
    "settled_pre",
    "settled_post",
    "W",
    "B",
];
