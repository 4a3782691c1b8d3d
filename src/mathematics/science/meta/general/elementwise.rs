//! Operations on single numbers and their derivatives. At a kink: sign has the derivative 0 everywhere, threshold too, relu that
//! of the silent side, abs 0.

use crate::kernels::program::{Arithmetic, Elementwise};

/// f(x). What is not a number stays so.
pub(super) fn each(what: Elementwise, x: f64) -> f64 {
    match what {
        Elementwise::Negate => -x,
        Elementwise::Sign => sign(x),
        Elementwise::Relu => {
            if x < 0.0 {
                0.0
            } else {
                x
            }
        }
        Elementwise::Threshold => {
            if x > 0.0 {
                1.0
            } else if x <= 0.0 {
                0.0
            } else {
                x
            }
        }
        Elementwise::Abs => x.abs(),
        Elementwise::Tanh => libm::tanh(x),
        Elementwise::Exp => libm::exp(x),
        Elementwise::Power(power) => raised(x, power),
    }
}

/// f′(x) from x and f(x).
pub(super) fn each_slope(what: Elementwise, x: f64, y: f64) -> f64 {
    match what {
        Elementwise::Negate => -1.0,
        Elementwise::Sign | Elementwise::Threshold => 0.0,
        Elementwise::Relu => {
            if x > 0.0 {
                1.0
            } else {
                0.0
            }
        }
        Elementwise::Abs => sign(x),
        Elementwise::Tanh => 1.0 - y * y,
        Elementwise::Exp => y,
        Elementwise::Power(1) => 1.0,
        Elementwise::Power(power) => f64::from(power) * raised(x, power - 1),
    }
}

pub(super) fn sign(x: f64) -> f64 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        x * 0.0
    }
}

fn raised(x: f64, power: u32) -> f64 {
    (1..power).fold(x, |product, _| product * x)
}

pub(super) fn pair(what: Arithmetic, a: f64, b: f64) -> f64 {
    match what {
        Arithmetic::Add => a + b,
        Arithmetic::Subtract => a - b,
        Arithmetic::Multiply => a * b,
        Arithmetic::Divide => a / b,
    }
}

/// What of the adjoint of a ∘ b goes to a and to b.
pub(super) fn pair_back(what: Arithmetic, a: f64, b: f64, bar: f64) -> [f64; 2] {
    match what {
        Arithmetic::Add => [bar, bar],
        Arithmetic::Subtract => [bar, -bar],
        Arithmetic::Multiply => [bar * b, bar * a],
        Arithmetic::Divide => [bar / b, -bar * a / (b * b)],
    }
}
