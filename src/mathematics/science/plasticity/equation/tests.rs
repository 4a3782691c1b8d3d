use std::collections::BTreeMap;

use ndarray::Array2;
use proptest::prelude::*;

use super::expression::{Function, Kind, Operator};
use super::*;
use crate::kernels::noise::Noise;
use crate::kernels::program::{Beyond, SynapseSignals};
use crate::kernels::{Backend, InputMajor, Lanes, as_flat, as_flat_mut, zeros};
use crate::science::plasticity::{Coefficient, Rule};

fn written(equation: &str) -> Written {
    Written {
        name: "term".to_owned(),
        synapses: Synapses::Forward,
        equation: equation.to_owned(),
        parameters: Vec::new(),
        state: Vec::new(),
    }
}

fn remembering(equation: &str, name: &str, start: f64, update: &str) -> Written {
    let state = vec![WrittenState { name: name.to_owned(), start, update: update.to_owned() }];
    Written { state, ..written(equation) }
}

fn feedback(equation: &str) -> Written {
    Written { synapses: Synapses::Feedback, ..written(equation) }
}

/// What is said of an equation that is refused, with the part at fault.
#[track_caller]
fn refused(written: &Written) -> (String, String, Option<String>) {
    let fault = Term::of_equation(written).expect_err(&written.equation);
    let text = match fault.part {
        Part::Equation => &written.equation,
        Part::Update(n) => &written.state[n].update,
    };
    (text[fault.span].to_owned(), fault.message, fault.help)
}

#[test]
fn shipped_terms_that_are_written_are_the_shipped_ones() {
    for (equation, name) in [
        ("-e_post * y_pre'", "gradient"),
        ("e_post*e_pre'", "error_hebb"),
        ("y_post * (y_pre - W' * y_post)'", "oja"),
        ("y_post * (y_pre' - y_post' * W)", "oja"),
        ("-W", "decay"),
        ("(y_post) * y_pre'", "hebb"),
    ] {
        let term = Term::of_equation(&written(equation)).unwrap();
        let (c, one) = (Coefficient::Uniform(0.37), vec![0.37]);
        let shipped = Rule::new(&[(name, c.clone())]).unwrap();
        let same = Rule::with_terms(vec![(term.clone(), c)]).unwrap();
        assert_eq!(same.with_coefficients(&one), shipped.with_coefficients(&one), "{equation}");
        assert_eq!(same.evaluated().count(), 0);
        assert_eq!(term.shape(), Term::named(name).unwrap().shape());
    }
    for (equation, name) in [("-y_pre * e_post'", "feedback_hebb"), ("-B", "feedback_decay")] {
        let term = Term::of_equation(&feedback(equation)).unwrap();
        let c = Coefficient::Uniform(2.0);
        let shipped = Rule::new(&[(name, c.clone())]).unwrap();
        let same = Rule::with_terms(vec![(term, c)]).unwrap();
        assert_eq!(same.with_coefficients(&[2.0]), shipped.with_coefficients(&[2.0]), "{equation}");
    }
}

#[test]
fn equations_are_printed_as_they_are_carried_out() {
    for (equation, plain) in [
        ("-e_post * (y_pre - W' * y_post)'", "-e_ℓ (y_{ℓ-1} - W_{ℓ-1,ℓ}ᵀ y_ℓ)ᵀ"),
        ("y_post*y_pre' - diag(y_post.^2)*W", "y_ℓ y_{ℓ-1}ᵀ - diag(y_ℓ²) W_{ℓ-1,ℓ}"),
        ("-(y_post - 1) * y_pre'", "-(y_ℓ - 1) y_{ℓ-1}ᵀ"),
        ("y_post * y_pre' ./ 2 - (W - 3 * W)", "y_ℓ y_{ℓ-1}ᵀ / 2 - (W_{ℓ-1,ℓ} - 3 W_{ℓ-1,ℓ})"),
        ("(-y_post).^3 * y_pre'", "(-y_ℓ)³ y_{ℓ-1}ᵀ"),
    ] {
        assert_eq!(Term::of_equation(&written(equation)).unwrap().equation(), plain);
    }
    let bcm = remembering("(y_post .* (y_post - theta)) * y_pre'", "theta", 0.1, "0.99 * theta + 0.01 * y_post.^2");
    let rule = Rule::with_terms(vec![(Term::of_equation(&bcm).unwrap(), Coefficient::Uniform(0.5))]).unwrap();
    assert_eq!(
        rule.equation(),
        "ΔW_{ℓ-1,ℓ} = 0.5 y_ℓ ⊙ (y_ℓ - θ) y_{ℓ-1}ᵀ\nθ ← 0.99 θ + 0.01 y_ℓ²",
        "parentheses that change nothing are left out"
    );
    assert_eq!(
        rule.latex()[0],
        r"\Delta \mathbf{W}_{\ell-1,\ell} = 0.5 \mathbf{y}_\ell \odot (\mathbf{y}_\ell - \theta) \mathbf{y}_{\ell-1}^T"
    );
}

#[test]
fn what_is_wrong_is_underlined_with_the_shapes_and_what_would_fit() {
    let say = |equation: &str| refused(&written(equation));
    let (at, message, help) = say("y_post * y_pre");
    assert_eq!(at, "*");
    assert_eq!(message, "`*` cannot multiply n_ℓ × 1 by n_{ℓ-1} × 1: the inner sizes differ");
    assert_eq!(help.unwrap(), "What would fit: `y_post * y_pre'` is n_ℓ × n_{ℓ-1}.");
    let (at, message, help) = say("y_pre * y_post'");
    assert_eq!(
        (at.as_str(), message.as_str()),
        ("y_pre * y_post'", "the equation is n_{ℓ-1} × n_ℓ, but W is n_ℓ × n_{ℓ-1}")
    );
    assert!(help.unwrap().contains("synapses = \"feedback\""));
    let (at, message, help) = say("y_post * (y_pre - W * y_pre)'");
    assert_eq!((at.as_str(), message.as_str()), ("-", "`-` needs equal shapes, and these are n_{ℓ-1} × 1 and n_ℓ × 1"));
    assert_eq!(help, None);
    let (at, message, help) = say("y_post * y_post' * W");
    assert_eq!(at, "*");
    assert!(message.contains("takes n_ℓ · n_ℓ · n_{ℓ-1} operations a step"), "{message}");
    assert_eq!(help.unwrap(), "Multiply with the vector first: `y_post * (y_post' * W)`.");
    let (at, message, help) = say("y_post * y_pree'");
    assert_eq!((at.as_str(), message.as_str()), ("y_pree", "nothing is called `y_pree`"));
    assert!(help.unwrap().contains("`y_pre`"));
    for (equation, fitting) in [
        ("y_post.^2 * W", "`(y_post.^2)' * W` is 1 × n_{ℓ-1}; `diag(y_post.^2) * W` is n_ℓ × n_{ℓ-1}"),
        ("W .* y_post", "`diag(y_post) * W` is n_ℓ × n_{ℓ-1}"),
        ("y_pre .* W", "`W * diag(y_pre)` is n_ℓ × n_{ℓ-1}"),
        ("W .* y_pre'", "`W * diag(y_pre')` is n_ℓ × n_{ℓ-1}"),
    ] {
        assert_eq!(say(equation).2.unwrap(), format!("What would fit: {fitting}."), "{equation}");
    }
    for (equation, at, message) in [
        ("", "", "the equation ends too early"),
        ("y_post *", "", "the equation ends too early"),
        ("(y_post * y_pre'", "(", "never closed"),
        ("y_post * y_pre')", ")", "closes none"),
        ("y_post y_pre'", "y_pre", "an operator is missing"),
        ("y_post ^ 2 * y_pre'", "^", "no operator"),
        ("y_post.^9 * y_pre'", "9", "whole numbers from 2 to 8"),
        ("sine(y_post) * y_pre'", "sine", "no function"),
        ("tanh * y_pre'", "tanh", "is a function"),
        ("y_post * y_pre' # Hebb", "#", "no meaning"),
        ("1e99 * W", "1e99", "beyond the numbers"),
        ("lower(y_post * y_pre') * W", "lower(y_post * y_pre')", "square product of two vectors"),
        ("sign(y_post * y_post') * W", "y_post * y_post'", "more than the synapses have"),
        ("W * W' * W", "*", "more than the synapses have"),
        ("0.1", "0.1", "the equation is a number, but W is n_ℓ × n_{ℓ-1}"),
        ("W * lower(y_pre * y_pre')", "*", "from the left"),
    ] {
        let (found, said, _) = say(equation);
        assert_eq!(found, at, "{equation}: {said}");
        assert!(said.contains(message), "{equation}: {said}");
    }
    let (at, message, _) = refused(&remembering("y_post * y_pre'", "theta", 0.0, "theta * y_pre'"));
    assert_eq!(at, "theta * y_pre'");
    assert!(message.contains("a neuron remembers a number"), "{message}");
    let (_, message, _) = refused(&remembering("y_post * y_pre'", "W", 0.0, "W"));
    assert!(message.contains("has a meaning already"), "{message}");
}

#[test]
fn what_a_brain_would_need_follows_from_the_equation() {
    let of = |equation: &str| Term::of_equation(&written(equation)).unwrap().plausibility.into_owned();
    assert_eq!(of("y_post * y_pre'"), "Local: what the synapse joins, and the synapse itself.");
    assert!(of("y_post * (y_pre - W' * y_post)'").contains("weight transport within the layer"));
    assert!(of("lower(y_post * y_post') * W").contains("in an order"));
    assert!(of("mean(y_post) * W").contains("global signal"));
    assert!(of("W - B'").contains("opposite direction"));
    assert!(of("e_post * y_pre'").contains("Errors are counted as local"));
}

/// Layers of sizes that are no multiples of anything.
const SIZES: [usize; 2] = [19, 37];

/// Signals and weights as the kernels have them, and as arrays.
struct Layer {
    vectors: [Vec<Lanes>; 4],
    weights: InputMajor,
    feedback: InputMajor,
    arrays: BTreeMap<&'static str, Array2<f64>>,
}

impl Layer {
    fn new(chance: u64) -> Self {
        let mut noise = Noise(chance);
        let mut number = || (noise.below(2001) as f32 - 1000.0) / 800.0;
        let [n_pre, n_post] = SIZES;
        let mut arrays = BTreeMap::new();
        let vectors = [("y_pre", n_pre), ("y_post", n_post), ("e_pre", n_pre), ("e_post", n_post)].map(|(name, n)| {
            let mut lanes = zeros(n);
            as_flat_mut(&mut lanes)[..n].fill_with(&mut number);
            let values = as_flat_mut(&mut lanes)[..n].iter().map(|x| f64::from(*x)).collect();
            arrays.insert(name, Array2::from_shape_vec((n, 1), values).unwrap());
            lanes
        });
        let weights = InputMajor::from_fn(n_pre, n_post, |_, _| number());
        let feedback = InputMajor::from_fn(n_pre, n_post, |_, _| number());
        arrays.insert("W", Array2::from_shape_fn((n_post, n_pre), |(j, i)| f64::from(weights.outgoing(i)[j])));
        arrays.insert("B", Array2::from_shape_fn((n_pre, n_post), |(i, j)| f64::from(feedback.outgoing(i)[j])));
        Self { vectors, weights, feedback, arrays }
    }

    fn signals(&self) -> SynapseSignals<'_> {
        let [pre_activation, activation, pre_error, error] = &self.vectors;
        SynapseSignals {
            weights: &self.weights,
            feedback: &self.feedback,
            pre_activation,
            activation,
            pre_error,
            error,
            beyond: Beyond::default(),
        }
    }
}

/// The value of an expression by products of whole matrices, in double precision: no step is shared with the program.
fn dense(expression: &Expression, names: &BTreeMap<&str, Array2<f64>>) -> Array2<f64> {
    let number = |value: f64| Array2::from_elem((1, 1), value);
    match &expression.kind {
        Kind::Number(value) => number(f64::from(*value as f32)),
        Kind::Name(name) => names[name.as_str()].clone(),
        Kind::Negative(inner) => -dense(inner, names),
        Kind::Power(inner, power) => dense(inner, names).mapv(|x| x.powi(*power as i32)),
        Kind::Transpose(inner) => dense(inner, names).reversed_axes().as_standard_layout().to_owned(),
        Kind::Binary(operator, _, left, right) => {
            let (a, b) = (dense(left, names), dense(right, names));
            let is_number = |x: &Array2<f64>| x.dim() == (1, 1);
            let broadcast = |f: fn(f64, f64) -> f64| match (is_number(&a), is_number(&b)) {
                (true, false) => b.mapv(|b| f(a[[0, 0]], b)),
                (false, true) => a.mapv(|a| f(a, b[[0, 0]])),
                _ => ndarray::Zip::from(&a).and(&b).map_collect(|a, b| f(*a, *b)),
            };
            match operator {
                Operator::Add => broadcast(|a, b| a + b),
                Operator::Subtract => broadcast(|a, b| a - b),
                Operator::Times => broadcast(|a, b| a * b),
                Operator::Divide => broadcast(|a, b| a / b),
                Operator::Product if is_number(&a) || is_number(&b) => broadcast(|a, b| a * b),
                Operator::Product => a.dot(&b),
            }
        }
        Kind::Call(function, inner) => {
            let x = dense(inner, names);
            match function {
                Function::Sign => x.mapv(|x| if x == 0.0 { 0.0 } else { x.signum() }),
                Function::Relu => x.mapv(|x| x.max(0.0)),
                Function::Tanh => x.mapv(f64::tanh),
                Function::Exp => x.mapv(f64::exp),
                Function::Abs => x.mapv(f64::abs),
                Function::Threshold => x.mapv(|x| f64::from(x > 0.0)),
                Function::Sum => number(x.sum()),
                Function::Mean => number(x.sum() / x.len() as f64),
                Function::Max => number(x.fold(f64::NEG_INFINITY, |most, x| most.max(*x))),
                Function::Diag => {
                    Array2::from_shape_fn(
                        (x.len(), x.len()),
                        |(i, j)| {
                            if i == j { *x.iter().nth(i).unwrap() } else { 0.0 }
                        },
                    )
                }
                Function::Lower => Array2::from_shape_fn(x.dim(), |(i, j)| if j <= i { x[[i, j]] } else { 0.0 }),
            }
        }
    }
}

/// What a step adds to weights that are 0, from n_{ℓ-1} to n_ℓ.
fn evaluated(equation: &Equation, layer: &Layer, backend: Backend) -> InputMajor {
    let [n_pre, n_post] = SIZES;
    let mut sum = InputMajor::zeros(n_pre, n_post);
    let mut evaluator = equation.evaluator(n_pre, n_post);
    evaluator.prepare(backend, layer.signals());
    evaluator.add(backend, 1.0, [Some(&layer.weights), Some(&layer.feedback)], &mut sum);
    sum
}

/// Compares the program with `dense`, and the processors with one another.
#[track_caller]
fn agrees(written: &Written, chance: u64) {
    let equation = Equation::read(written).unwrap_or_else(|fault| panic!("{}: {fault:?}", written.equation));
    let mut layer = Layer::new(chance);
    for (name, value) in &written.parameters {
        layer
            .arrays
            .insert(Box::leak(name.clone().into_boxed_str()), Array2::from_elem((1, 1), f64::from(*value as f32)));
    }
    let expected = dense(&equation.expression, &layer.arrays);
    let found = evaluated(&equation, &layer, Backend::Portable);
    for i in 0..SIZES[0] {
        for j in 0..SIZES[1] {
            let at = if written.synapses == Synapses::Forward { [j, i] } else { [i, j] };
            let (found, expected) = (f64::from(found.outgoing(i)[j]), expected[at]);
            let near = (found - expected).abs() <= 1e-4 * (1.0 + expected.abs());
            let beyond = !expected.is_finite() || expected.abs() > 1e30;
            assert!(near || beyond, "{}: {found} where {expected} is right", written.equation);
        }
    }
    for backend in Backend::available() {
        let other = evaluated(&equation, &layer, backend);
        let bits = |m: &InputMajor| as_bits(m);
        assert_eq!(bits(&other), bits(&found), "{}: {backend}", written.equation);
    }
}

fn as_bits(matrix: &InputMajor) -> Vec<u32> {
    (0..SIZES[0]).flat_map(|i| matrix.outgoing(i).iter().map(|x| if x.is_nan() { 0 } else { x.to_bits() })).collect()
}

#[test]
fn programs_compute_what_whole_matrices_say() {
    for equation in [
        "y_post * y_pre'",
        "-e_post * (y_pre - W' * y_post)'",
        "y_post * y_pre' - diag(y_post.^2) * W",
        "y_post * y_pre' - lower(y_post * y_post') * W",
        "W * diag(y_pre) .* 0.5 - sign(W)",
        "(e_post * y_pre') .* (1 - W.^2)",
        "tanh(W * y_pre) * y_pre' - mean(y_post) * W",
        "(y_post - mean(y_post)) * (y_pre - mean(y_pre))'",
        "threshold(y_post - 0.3) * relu(y_pre)' - 0.01 * abs(W) .* W",
        "(y_post' * W * y_pre) * W - exp(-y_post.^2) * e_pre'",
        "sum(y_pre.^2) * e_post * e_pre' ./ 3",
        // The winner takes all.
        "(1 - threshold(max(y_post) - y_post)) * y_pre' - max(-y_pre) * W",
        "W - B'",
        "(sign(W)' * e_post * y_post')' - -W",
        "diag(y_post) * diag(e_post) * W * diag(y_pre)",
        "y_post * (diag(y_pre) * e_pre)'",
        // What pads a row is no number on the way.
        "y_post * ((1 ./ W)' * y_post)' - 1 ./ W",
        "exp(W) - tanh(W .* W) .* (2 - abs(W)) ./ (1 + W.^2)",
    ] {
        agrees(&written(equation), 7);
    }
    for equation in ["-y_pre * e_post'", "B - W'", "y_pre * y_post' - lower(y_pre * y_pre') * B", "sign(W)' - B"] {
        agrees(&feedback(equation), 8);
    }
    let named =
        Written { parameters: vec![("rate".to_owned(), 0.3)], ..written("rate * y_post * y_pre' - (1 - rate) * W") };
    agrees(&named, 9);
}

/// All that a last pass can read: operands of every kind on either side of every operation, of the matrix that moves and of
/// another one.
#[test]
fn a_matrix_that_moves_is_read_as_it_was() {
    let (layer, n) = (Layer::new(11), SIZES);
    let operands = ["W", "0.3 * W", "diag(y_post) * W", "W.^2", "B'", "y_post * y_pre'", "0.3", "sign(W)"];
    let mut equations: Vec<String> = Vec::new();
    for a in operands {
        for b in operands {
            for operation in ["+", "-", ".*"] {
                equations.push(format!("{a} {operation} {b}"));
                for outer in ["+", "-", ".*"] {
                    for other in ["W * diag(y_pre)", "e_post * e_pre'"] {
                        equations.push(format!("({other}) {outer} ({a} {operation} {b})"));
                        equations.push(format!("({a} {operation} {b}) {outer} ({other})"));
                    }
                }
            }
        }
    }
    let mut n_checked = 0;
    for text in &equations {
        let Ok(equation) = Equation::read(&written(text)) else { continue };
        n_checked += 1;
        let moved = |backend: Backend, matrices: [Option<&InputMajor>; 2]| {
            let (mut evaluator, mut weights) = (equation.evaluator(n[0], n[1]), layer.weights.clone());
            evaluator.prepare(backend, layer.signals());
            let reach = evaluator.add(backend, 0.3, matrices, &mut weights);
            let steps = (0..n[0]).flat_map(|i| weights.outgoing(i).iter().zip(layer.weights.outgoing(i)));
            let most = steps.map(|(new, old)| f64::from((new - old).abs())).fold(0.0, f64::max);
            assert!(reach * 1.001 + 1e-6 >= most && reach.is_finite(), "{text}: {most} is more than {reach}");
            weights
        };
        let apart = moved(Backend::Portable, [Some(&layer.weights), Some(&layer.feedback)]);
        for backend in Backend::available() {
            let in_place = moved(backend, [None, Some(&layer.feedback)]);
            assert_eq!(as_bits(&in_place), as_bits(&apart), "{text}: {backend}");
            // Nothing but zeros pads it.
            assert!(
                in_place.lanes().chunks(in_place.stride()).all(|row| as_flat(row)[n[1]..].iter().all(|x| *x == 0.0))
            );
        }
        let expected = dense(&equation.expression, &layer.arrays);
        for (i, j) in [(0, 0), (n[0] - 1, n[1] - 1), (7, 20)] {
            let new = f64::from(layer.weights.outgoing(i)[j]) + 0.3 * expected[[j, i]];
            let found = f64::from(apart.outgoing(i)[j]);
            assert!((found - new).abs() < 1e-4 * (1.0 + new.abs()), "{text}: {found} where {new} is right");
        }
    }
    assert!(n_checked > 2000, "{n_checked} of {}", equations.len());
}

#[test]
fn the_state_is_read_before_its_update_and_belongs_to_the_side_that_fits() {
    let layer = Layer::new(3);
    let [n_pre, n_post] = SIZES;
    for (equation, update, n) in [
        ("(y_post .* (y_post - m)) * y_pre'", "0.9 * m + 0.1 * y_post.^2", n_post),
        ("y_post * m'", "0.9 * m + 0.1 * y_pre", n_pre),
        ("m * W", "m + 1", 1),
        ("(y_post - m) * y_pre'", "0.5", n_post),
    ] {
        let equation = Equation::read(&remembering(equation, "m", 0.25, update)).unwrap();
        let mut evaluator = equation.evaluator(n_pre, n_post);
        let mut names = layer.arrays.clone();
        let column = |values: &[f32]| {
            Array2::from_shape_vec((values.len(), 1), values.iter().map(|x| f64::from(*x)).collect()).unwrap()
        };
        for step in 0..3 {
            assert_eq!(evaluator.state(0).len(), n);
            if step == 0 {
                assert!(evaluator.state(0).iter().all(|x| *x == 0.25));
            }
            names.insert("m", column(evaluator.state(0)));
            let (expected, next) = (dense(&equation.expression, &names), dense(&equation.updates[0], &names));
            let mut sum = InputMajor::zeros(n_pre, n_post);
            evaluator.prepare(Backend::Portable, layer.signals());
            evaluator.add(Backend::Portable, 2.0, [Some(&layer.weights), Some(&layer.feedback)], &mut sum);
            for (i, j) in [(0, 0), (n_pre - 1, n_post - 1), (5, 17)] {
                assert!((f64::from(sum.outgoing(i)[j]) - 2.0 * expected[[j, i]]).abs() < 1e-4);
            }
            let next = if next.len() == 1 { Array2::from_elem((n, 1), next[[0, 0]]) } else { next };
            assert!(next.iter().zip(evaluator.state(0)).all(|(a, b)| (a - f64::from(*b)).abs() < 1e-5));
        }
    }
}

/// Expressions of any form, most of which do not fit.
fn any_expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("y_pre"),
        Just("y_post"),
        Just("e_pre"),
        Just("e_post"),
        Just("W"),
        Just("B"),
        Just("0.5"),
        Just("2"),
        Just("y_post * y_pre'"),
    ]
    .prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 2, |inner| {
        prop_oneof![
            (inner.clone(), prop_oneof![Just("+"), Just("-"), Just("*"), Just(".*")], inner.clone())
                .prop_map(|(a, sign, b)| format!("({a} {sign} {b})")),
            inner.clone().prop_map(|a| format!("{a}'")),
            inner.clone().prop_map(|a| format!("-{a}")),
            (
                prop_oneof![
                    Just("sign"),
                    Just("relu"),
                    Just("tanh"),
                    Just("abs"),
                    Just("diag"),
                    Just("lower"),
                    Just("mean"),
                    Just("max")
                ],
                inner
            )
                .prop_map(|(function, a)| format!("{function}({a})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// Whatever is accepted has the right shape and value; the rest is refused with a place inside the text.
    #[test]
    fn expressions_of_any_form_are_right_or_refused(text in any_expression(), chance in 1_u64..1000) {
        for written in [written(&text), feedback(&text)] {
            match Term::of_equation(&written) {
                Ok(_) => agrees(&written, chance),
                Err(fault) => prop_assert!(written.equation.get(fault.span).is_some()),
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[-+*/.'^() 0-9eWyB_a-zµ\n]{0,60}") {
        if let Err(fault) = Term::of_equation(&written(&text)) {
            prop_assert!(text.get(fault.span.clone()).is_some(), "{fault:?}");
        }
    }
}

#[test]
fn what_goes_on_for_ever_is_refused() {
    for text in [
        "(".repeat(4000),
        "-".repeat(4000),
        "'".repeat(100),
        "y_post + ".repeat(400),
        format!("W{}", "'".repeat(4000)),
        "x".repeat(5000),
    ] {
        assert!(Term::of_equation(&written(&text)).is_err());
    }
}
