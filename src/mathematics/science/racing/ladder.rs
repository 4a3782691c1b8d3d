//! The values of a coefficient, in ascending order, and those beyond their ends.

use super::MOST_EXTENSION;

/// Values of one coefficient. Rung 0 is the first; further rungs up and down follow the steps at the ends, but nothing
/// lies below 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Ladder {
    values: Vec<f64>,
}

impl Ladder {
    /// A ladder of these values. `None` if there is none, if they do not ascend, or if one is negative or not finite.
    pub fn new(values: Vec<f64>) -> Option<Self> {
        let ascending = values.windows(2).all(|pair| pair[0] < pair[1]);
        let valid = values.iter().all(|value| value.is_finite() && *value >= 0.0);
        (!values.is_empty() && ascending && valid).then_some(Self { values })
    }

    /// How many values were written.
    #[allow(clippy::len_without_is_empty)] // There is at least one.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// The value of a rung; `None` below 0, and beyond the end of a ladder too short to have a step.
    ///
    /// Two rungs make a step, so that 1, 3, 10, 30 goes on with 100 and 300: whatever the steps are by which a ladder goes,
    /// it keeps them. Values beyond the ends are rounded to six digits, as they are read, typed and published.
    pub fn value(&self, rung: i32) -> Option<f64> {
        let positive = &self.values[self.values.iter().take_while(|value| **value == 0.0).count()..];
        let zeros = (self.values.len() - positive.len()) as i32;
        if rung < zeros {
            return if zeros > 0 { (rung >= 0).then_some(0.0) } else { beyond(positive, rung) };
        }
        match positive.get((rung - zeros) as usize) {
            Some(value) => Some(*value),
            None => beyond(positive, rung - zeros),
        }
    }

    /// The rung of a value, among those written and those beyond the ends that a race can reach.
    pub fn rung(&self, value: f64) -> Option<i32> {
        (-MOST_EXTENSION..self.values.len() as i32 + MOST_EXTENSION).find(|&rung| self.value(rung) == Some(value))
    }
}

/// The value of a rung that is not among `values`, which are positive.
fn beyond(values: &[f64], rung: i32) -> Option<f64> {
    let last = values.len() as i32 - 1;
    let at = |rung: i32| values[rung as usize];
    let factor = |near: i32, far: i32| at(near) / at(far);
    let value = match (last, rung > last) {
        (0 | -1, _) => return None,
        (1, true) => at(1) * libm::pow(factor(1, 0), f64::from(rung - 1)),
        (1, false) => at(0) * libm::pow(factor(0, 1), f64::from(-rung)),
        // Pairs of steps: the last two values, times what two steps make, as often as it takes.
        (_, true) => {
            let (pairs, odd) = ((rung - last + 1) / 2, (rung - last) % 2);
            at(last - odd) * libm::pow(factor(last, last - 2), f64::from(pairs))
        }
        (_, false) => {
            let (pairs, odd) = ((1 - rung) / 2, -rung % 2);
            at(odd) * libm::pow(factor(0, 2), f64::from(pairs))
        }
    };
    Some(format!("{value:.5e}").parse().expect("a formatted number parses"))
}
