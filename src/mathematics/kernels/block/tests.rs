use super::*;
use crate::kernels::noise::Noise;
use crate::kernels::{ActiveRows, PreFactor, as_flat, as_flat_mut, zeros};

/// One step of rows in double precision: w ← (1 − λ) w + α e + γ y.
fn step(w: &mut [Vec<f64>], rule: &RowRule, [x, a]: [&[f64]; 2], e: &[f64], y: &[f64]) {
    for (i, w) in w.iter_mut().enumerate() {
        let d: f64 = w.iter().zip(y).map(|(w, y)| w * y).sum();
        let factor = |f: PreFactor| f64::from(f.activation) * x[i] + f64::from(f.error) * a[i] + f64::from(f.projection) * d;
        let (alpha, gamma) = (factor(rule.by_error), factor(rule.by_activation));
        let keep = 1.0 - f64::from(rule.decay);
        w.iter_mut().zip(e.iter().zip(y)).for_each(|(w, (e, y))| *w = keep * *w + alpha * e + gamma * y);
    }
}

/// For ragged sizes, every backend and kind of rule, and any number of waiting steps: products with the weights, errors through
/// them and the weights themselves are those of steps made at once; carried out in place or elsewhere they are the same; all
/// backends agree to the last bit.
#[test]
fn steps_of_a_block_are_steps_made_at_once() {
    let mut random = Noise(9);
    let gradient = PreFactor { activation: -0.05, ..PreFactor::default() };
    let oja = PreFactor { activation: 0.01, projection: -0.01, ..PreFactor::default() };
    let hebb = PreFactor { error: 0.03, ..gradient };
    for (n_in, n_out, by_error, by_activation, decay) in [
        (40, 33, gradient, PreFactor::default(), 0.0),
        (40, 33, gradient, oja, 0.0),
        (13, 80, hebb, oja, 0.01),
        (19, 17, hebb, PreFactor::default(), 0.02),
        (6, 1, PreFactor::default(), oja, 0.0),
    ] {
        let rule = RowRule { by_error, by_activation, decay };
        let n_steps = STEPS + 5;
        let start = InputMajor::from_fn(n_in, n_out, |_, _| 0.2 * random.normal() as f32);
        let bytes: Vec<u8> = (0..n_steps * n_in).map(|_| u8::from(random.below(3) == 0)).collect();
        let mut value_of = [0.0; 256];
        value_of[1] = 0.7;
        let images = ActiveRows::from_bytes(&bytes, n_in, &value_of);
        let mut vector = || -> Vec<Lanes> {
            let mut v = zeros(n_out);
            as_flat_mut(&mut v)[..n_out].iter_mut().for_each(|x| *x = random.normal() as f32);
            v
        };
        let signals: Vec<_> = (0..n_steps).map(|_| (vector(), vector())).collect();
        let in_double = |v: &[Lanes]| as_flat(v)[..n_out].iter().map(|&x| f64::from(x)).collect::<Vec<_>>();

        let mut found = Backend::available().map(|backend| {
            let mut expected: Vec<Vec<f64>> =
                (0..n_in).map(|i| start.outgoing(i).iter().map(|&w| f64::from(w)).collect()).collect();
            let (mut block, mut seen) = (Block::new(&rule, n_out), Seen::new(n_in));
            block.begin(&rule);
            let (mut weights, mut z) = (start.clone(), zeros(n_out));
            let (mut products, mut errors) = (Vec::new(), Vec::new());
            let (mut forwarded, mut propagated, mut shares) =
                (Forwarded::default(), Propagated::default(), Shares::default());
            for (s, (e, y)) in signals.iter().enumerate() {
                let image = images.row(s);
                block.forward(backend, &weights, &seen, image, &mut forwarded, &mut z);
                let mut x = vec![0.0; n_in];
                (0..image.len()).for_each(|k| x[image.at(k).0] = f64::from(image.at(k).1));
                for (j, z) in in_double(&z).into_iter().enumerate() {
                    let truth: f64 = expected.iter().zip(&x).map(|(w, x)| w[j] * x).sum();
                    assert!((z - truth).abs() < 1e-4, "step {s}, output {j}: {z} is not {truth}");
                }
                let mask = vec![0.5; image.len()];
                block.propagate(
                    backend,
                    Propagate {
                        weights: &weights,
                        seen: &seen,
                        rows: image.places(),
                        error: e,
                        mask: &mask,
                        made: &mut propagated,
                        pre_error: &mut errors,
                    },
                );
                let mut a = vec![0.0; n_in];
                for (k, &error) in errors.iter().enumerate() {
                    let i = image.at(k).0;
                    let truth: f64 = expected[i].iter().zip(in_double(e)).map(|(w, e)| 0.5 * w * e).sum();
                    assert!((f64::from(error) - truth).abs() < 1e-4, "step {s}, error {i}: {error} is not {truth}");
                    a[i] = f64::from(error);
                }
                products.push((z.clone(), errors.clone()));
                let place = block.pending();
                block.push(backend, e, y, &mut shares);
                seen.set(place, image, &errors);
                step(&mut expected, &rule, [&x, &a], &in_double(e), &in_double(y));
                let mut looked_at = InputMajor::from_fn(n_in, n_out, |_, _| f32::NAN);
                block.write(backend, Some(&weights), &seen, None, &mut looked_at);
                for (i, expected) in expected.iter().enumerate() {
                    let mut pairs = looked_at.outgoing(i).iter().zip(expected);
                    assert!(pairs.all(|(&w, e)| (f64::from(w) - e).abs() < 1e-4), "step {s}, row {i}");
                }
                if block.pending() == STEPS {
                    let mut through = vec![NO_STEPS; n_in];
                    let wanted = rule.reads_projection().then_some(&mut through[..]);
                    block.write(backend, None, &seen, wanted, &mut weights);
                    assert_eq!(weights, looked_at);
                    seen.clear();
                    block.begin(&rule);
                }
            }
            (weights, products)
        });
        let first = found.next().expect("a backend is available");
        assert!(found.all(|other| other == first), "{n_in} × {n_out}: backends differ");
    }
}
