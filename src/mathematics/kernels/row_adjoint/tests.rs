//! The equations of a step's derivative, number by number.

use super::*;
use crate::kernels::{as_flat, as_flat_mut, zeros};
use crate::science::seed::{Purpose, stream};

/// A row of W or B with everything that the derivative of its update adds up to, in double precision.
struct Row {
    /// The weights before the step, their adjoint after it and before it.
    before: Vec<f64>,
    adjoint: Vec<f64>,
    carried: Vec<f64>,
    by_error: f64,
    by_activation: f64,
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn scaled(matrix: &mut InputMajor, factor: f32) {
    as_flat_mut(matrix.lanes_mut()).iter_mut().for_each(|x| *x *= factor);
}

/// Lets W and B, which are as before a step, make it, with the signals that it makes itself.
fn make_step(
    rule: &SynapticRule,
    through_b: bool,
    matrices: &mut [InputMajor],
    post: &[Vec<Lanes>],
    pre: &mut [Vec<Lanes>],
) {
    for i in 0..matrices[0].n_in() {
        let product = |matrix: usize, v: &[Lanes]| -> f32 {
            matrices[matrix].outgoing(i).iter().zip(as_flat(v)).map(|(w, v)| w * v).sum()
        };
        let e = as_flat(&pre[3])[i] * product(if through_b { 2 } else { 0 }, &post[0]);
        let d = product(0, &post[1]);
        (as_flat_mut(&mut pre[1])[i], as_flat_mut(&mut pre[2])[i]) = (e, d);
        let y = as_flat(&pre[0])[i];
        for (matrix, rule) in [(0, &rule.forward), (2, &rule.feedback)].into_iter().take(1 + usize::from(through_b)) {
            let [alpha, gamma] = [rule.by_error, rule.by_activation]
                .map(|factor| factor.activation * y + factor.error * e + factor.projection * d);
            let n_out = matrices[matrix].n_out();
            let row = &mut as_flat_mut(matrices[matrix].row_mut(i))[..n_out];
            for ((w, e), y) in row.iter_mut().zip(as_flat(&post[0])).zip(as_flat(&post[1])) {
                *w = (1.0 - rule.decay) * *w + alpha * e + gamma * y;
            }
        }
    }
}

/// The equations of the module, number by number, against the kernel; the same bits on every backend.
#[test]
fn adjoints_are_those_of_the_product_rule() {
    let mut random = stream(5, Purpose::Task, 2);
    let mut number = || 0.3 * random.normal() as f32;
    for (n_in, n_out, through_b) in [(1, 1, true), (13, 17, true), (21, 100, false), (19, 170, true)] {
        let mut factor = || PreFactor { activation: number(), error: number(), projection: number() };
        let [forward, feedback] =
            [0.02, 0.05].map(|decay| RowRule { by_error: factor(), by_activation: factor(), decay });
        let rule = SynapticRule { forward, feedback };
        let mut matrices: Vec<InputMajor> = (0..4).map(|_| InputMajor::from_fn(n_in, n_out, |_, _| number())).collect();
        let mut vectors = |n: usize, count: usize| -> Vec<Vec<Lanes>> {
            let vector = |_| {
                let mut v = zeros(n);
                as_flat_mut(&mut v)[..n].iter_mut().for_each(|x| *x = number());
                v
            };
            (0..count).map(vector).collect()
        };
        let (post, mut pre) = (vectors(n_out, 4), vectors(n_in, 6));
        make_step(&rule, through_b, &mut matrices, &post, &mut pre);
        let product = |m: &[InputMajor]| -> f64 {
            let [w, v] = [0, 1].map(|k| as_flat(m[k].lanes()).iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
            dot(&w, &v)
        };
        // V without what is entering.
        let entering = (pre[4].clone(), post[2].clone());
        let run = |backend: Backend| {
            let (mut m, mut post_out, mut pre_out) = (matrices.clone(), post.clone(), pre.clone());
            let [_, _, error_adjoint, activation_adjoint] = &mut post_out[..] else { unreachable!() };
            let [_, _, _, _, pre_activation_adjoint, pre_error_adjoint] = &mut pre_out[..] else { unreachable!() };
            for i in 0..n_in {
                let x = as_flat(&entering.0)[i];
                let row = as_flat_mut(m[1].row_mut(i));
                row.iter_mut().zip(as_flat(&entering.1)).for_each(|(v, z)| *v -= x * z);
            }
            let mut scales = [Scale { weights: 0.5, adjoint: 2.0 }, Scale { weights: 3.0, adjoint: 0.25 }];
            for (pair, scale) in m.chunks_exact_mut(2).zip(scales) {
                scaled(&mut pair[0], 1.0 / scale.weights);
                scaled(&mut pair[1], 1.0 / scale.adjoint);
            }
            let [w, v, b, u] = &mut m[..] else { unreachable!() };
            let [scale_of_w, scale_of_b] = &mut scales;
            let mut products = [product(&matrices[..2]), product(&matrices[2..])];
            let step = RowAdjoint {
                rule: &rule,
                wanted: &rule,
                forward: Differentiated { weights: w, adjoint: v, scale: scale_of_w },
                feedback: through_b.then_some(Differentiated { weights: b, adjoint: u, scale: scale_of_b }),
                error: &post[0],
                activation: &post[1],
                pre_activation: &pre[0],
                pre_error: &pre[1],
                projection: &pre[2],
                slope: &pre[3],
                propagate: true,
                error_adjoint,
                activation_adjoint,
                pre_activation_adjoint,
                pre_error_adjoint,
                entering: Some([&entering.0, &entering.1]),
                products: &mut products,
            };
            let of_rule = step_rows_back(backend, step);
            for (pair, scale) in m.chunks_exact_mut(2).zip(scales) {
                scaled(&mut pair[0], scale.weights);
                scaled(&mut pair[1], scale.adjoint);
            }
            (of_rule, m, post_out, pre_out, products)
        };
        let (of_rule, m, post_out, pre_out, products) = run(Backend::Portable);
        for backend in Backend::available() {
            let expected = (of_rule, m.clone(), post_out.clone(), pre_out.clone(), products);
            assert_eq!(run(backend), expected, "{backend}");
        }
        for (k, found) in products.into_iter().enumerate() {
            let expected = product(&m[2 * k..2 * k + 2]);
            assert!((found - expected).abs() < 2e-4, "{n_in} × {n_out}, product {k}: {found}, {expected}");
        }

        let double = |v: &[Lanes], n: usize| as_flat(v)[..n].iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
        let post: Vec<_> = post.iter().map(|v| double(v, n_out)).collect();
        let pre: Vec<_> = pre.iter().map(|v| double(v, n_in)).collect();
        let (e, y) = (&post[0], &post[1]);
        let (mut error_adjoint, mut activation_adjoint) = (post[2].clone(), post[3].clone());
        let mut of_coefficients = [[0.0; 7]; 2];
        let close = |found: f32, expected: f64, what: &str| {
            assert!((f64::from(found) - expected).abs() < 2e-4, "{n_in} × {n_out}, {what}: {found}, {expected}");
        };
        for i in 0..n_in {
            let signals = [pre[0][i], pre[1][i], pre[2][i]];
            let mut bars = [pre[4][i], pre[5][i], 0.0];
            let mut both = Vec::new();
            for (which, rule) in [forward, feedback].into_iter().enumerate().take(1 + usize::from(through_b)) {
                let factors =
                    [rule.by_error, rule.by_activation].map(|f| [f.activation, f.error, f.projection].map(f64::from));
                let [alpha, gamma] = factors.map(|factor| dot(&factor, &signals));
                let (after, adjoint) =
                    (double(matrices[2 * which].row(i), n_out), double(matrices[2 * which + 1].row(i), n_out));
                let keep = 1.0 - f64::from(rule.decay);
                let before: Vec<f64> = (0..n_out).map(|j| (after[j] - alpha * e[j] - gamma * y[j]) / keep).collect();
                let of_factors = [dot(&adjoint, e), dot(&adjoint, y)];
                for k in 0..3 {
                    for side in 0..2 {
                        of_coefficients[which][3 * side + k] += of_factors[side] * signals[k];
                        bars[k] += factors[side][k] * of_factors[side];
                    }
                }
                of_coefficients[which][6] -= dot(&adjoint, &before);
                let carried = adjoint.iter().map(|v| keep * v).collect();
                both.push(Row { before, adjoint, carried, by_error: alpha, by_activation: gamma });
            }
            let c = bars[1] * pre[3][i];
            for (which, row) in both.iter_mut().enumerate() {
                let projected = if which == 0 { bars[2] } else { 0.0 };
                let error = if which == usize::from(through_b) { c } else { 0.0 };
                for j in 0..n_out {
                    error_adjoint[j] += row.by_error * row.adjoint[j] + error * row.before[j];
                    activation_adjoint[j] += row.by_activation * row.adjoint[j] + projected * row.before[j];
                    row.carried[j] += error * e[j] + projected * y[j];
                    close(as_flat(m[2 * which].row(i))[j], row.before[j], "weight");
                    close(as_flat(m[2 * which + 1].row(i))[j], row.carried[j], "adjoint of a weight");
                }
            }
            close(as_flat(&pre_out[4])[i], bars[0], "y below");
            close(as_flat(&pre_out[5])[i], bars[1], "e below");
        }
        for j in 0..n_out {
            close(as_flat(&post_out[2])[j], error_adjoint[j], "e");
            close(as_flat(&post_out[3])[j], activation_adjoint[j], "y");
        }
        for (found, expected) in [of_rule.forward, of_rule.feedback].into_iter().zip(of_coefficients) {
            let [a, g] = [found.by_error, found.by_activation].map(|f| [f.activation, f.error, f.projection]);
            for (found, expected) in a.into_iter().chain(g).chain([found.decay]).zip(expected) {
                close(found, expected, "coefficient");
            }
        }
    }
}
