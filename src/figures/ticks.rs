//! Where ticks stand: multiples of 1, 2 or 5 times a power of ten on a linear axis, powers of ten on a logarithmic one.

/// A step of 1, 2 or 5 times a power of ten.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    /// 1, 2 or 5.
    mantissa: i32,
    exponent: i32,
}

impl Step {
    /// The smallest that divides `span` into at most `intervals` parts; for a span that is none (not finite, not positive,
    /// at the limits of doubles), one that is near enough.
    pub(super) fn dividing(span: f64, intervals: usize) -> Self {
        let wanted = span / intervals.max(1) as f64;
        let wanted = if wanted > 0.0 { wanted.clamp(SMALLEST, 1.0 / SMALLEST) } else { 1.0 };
        let exponent = wanted.log10().floor() as i32 - 1;
        let candidates =
            (exponent..exponent + 3).flat_map(|exponent| [1, 2, 5].map(|mantissa| Self { mantissa, exponent }));
        let fits = |step: &Self| step.size() >= wanted * (1.0 - 1e-9);
        candidates.into_iter().find(fits).expect("10 times the power of ten below `wanted` exceeds it")
    }

    pub(super) fn size(self) -> f64 {
        self.multiple(1.0)
    }

    /// Rounded once where a decimal has a closest double: dividing by 10ⁿ gives 0.3 where multiplying gives 0.30000000000000004.
    pub(super) fn multiple(self, n: f64) -> f64 {
        let n = n * f64::from(self.mantissa);
        if self.exponent < 0 { n / 10f64.powi(-self.exponent) } else { n * 10f64.powi(self.exponent) }
    }

    /// Largest multiple that is not above `value`, as its number; a value within rounding of the next one is that one.
    pub(super) fn floor(self, value: f64) -> f64 {
        (value / self.size() + 1e-9).floor()
    }

    pub(super) fn ceil(self, value: f64) -> f64 {
        (value / self.size() - 1e-9).ceil()
    }
}

/// Multiples of `step` in `low ..= high`; none where doubles are too coarse to count them.
pub(super) fn linear(low: f64, high: f64, step: Step) -> Vec<f64> {
    let (first, last) = (step.ceil(low), step.floor(high));
    // A sum and not a range: −∞ to ∞ would never end, and beyond 2^53 adding one changes nothing.
    if !(last - first <= MOST_TICKS && first.abs().max(last.abs()) < 2f64.powi(53)) {
        return Vec::new();
    }
    let mut ticks = Vec::new();
    let mut n = first;
    while n <= last {
        ticks.push(step.multiple(n) + 0.0); // −0 + 0 is 0
        n += 1.0;
    }
    ticks
}

/// More than any axis shows.
const MOST_TICKS: f64 = 1000.0;
/// Nothing is divided more finely: beyond, powers of ten and their inverses leave the doubles.
const SMALLEST: f64 = 1e-300;

/// Ticks of a logarithmic axis: exponents of the labelled powers of ten, and unlabelled values between them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decades {
    pub exponents: Vec<i32>,
    pub minor: Vec<f64>,
}

/// At most `at_most` powers of ten in `low ..= high` (both positive), evenly spaced, on multiples of their spacing.
pub(super) fn decades(low: f64, high: f64, at_most: usize) -> Decades {
    // Doubles end at these powers; what is not positive has none.
    let exponent = |value: f64| if value.is_nan() { 0.0 } else { value.clamp(-324.0, 309.0) };
    let first = exponent((low.log10() - 1e-9).ceil()) as i32;
    let last = exponent((high.log10() + 1e-9).floor()) as i32;
    let on = |stride: i32| (first..=last).filter(move |exponent| exponent.rem_euclid(stride) == 0);
    let stride = [1, 2, 3, 5, 10, 20, 50, 100, 200, 700]
        .into_iter()
        .find(|&stride| on(stride).count() <= at_most.max(2))
        .expect("doubles span fewer than 700 decades");
    let mut exponents: Vec<i32> = on(stride).collect();
    // Multiples of a wide spacing may leave one label where two have room; one says nothing about the scale.
    if exponents.len() < 2 && first < last {
        exponents = vec![first, last];
    }
    let within = |value: &f64| (low..=high).contains(value);
    let minor = match stride {
        1 => {
            (first - 1..=last).flat_map(|e| (2..10).map(move |m| f64::from(m) * 10f64.powi(e))).filter(within).collect()
        }
        2..=10 => (first..=last).filter(|e| !exponents.contains(e)).map(|e| 10f64.powi(e)).collect(),
        _ => Vec::new(),
    };
    Decades { exponents, minor }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_are_the_closest_doubles() {
        assert_eq!(linear(0.0, 1.0, Step::dividing(1.0, 10)), [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]);
        assert_eq!(linear(0.0, 5000.0, Step::dividing(5000.0, 5)), [0.0, 1000.0, 2000.0, 3000.0, 4000.0, 5000.0]);
    }

    #[test]
    fn wide_logarithmic_ranges_skip_decades_evenly() {
        let wide = decades(1e-2, 1e30, 6);
        assert_eq!(wide.exponents, [0, 10, 20, 30]);
        assert_eq!(wide.minor.len(), 29, "one minor tick a decade");
        assert_eq!(decades(0.1, 100.0, 6).exponents, [-1, 0, 1, 2]);
        assert_eq!(decades(0.15, 0.32, 6).minor, [0.2, 0.30000000000000004]);
    }

    proptest! {
        #[test]
        fn linear_ticks_cover_the_range_evenly_in_steps_of_1_2_5(
            low in -1e6..1e6f64, span in -12.0..12.0f64, intervals in 2usize..9,
        ) {
            let high = low + 10f64.powf(span).max(low.abs() * 1e-6);
            let step = Step::dividing(high - low, intervals);
            let ticks = linear(low, high, step);
            let slack = step.size() * 1e-6;
            prop_assert!([1, 2, 5].contains(&step.mantissa));
            prop_assert!(ticks.len() <= intervals + 1, "{ticks:?}");
            prop_assert!(ticks.iter().all(|t| low - slack <= *t && *t <= high + slack));
            prop_assert!(ticks.windows(2).all(|pair| (pair[1] - pair[0] - step.size()).abs() < slack));
            // Nothing longer than a step is left bare at either end.
            prop_assert!(!ticks.is_empty() || step.size() > (high - low));
            if let (Some(first), Some(last)) = (ticks.first(), ticks.last()) {
                prop_assert!(first - low < step.size() + slack && high - last < step.size() + slack);
            }
        }

        /// Whatever stands in a pipeline: subnormal, huge, upside down, not a number.
        #[test]
        fn ticks_of_any_range_end(
            low in prop_oneof![any::<f64>(), Just(0.0), Just(f64::NEG_INFINITY), -1e3..1e3f64],
            high in prop_oneof![any::<f64>(), Just(1e-320), Just(f64::MAX), Just(f64::NAN), -1e3..1e3f64],
            intervals in 0usize..9,
        ) {
            for (low, high) in [(low, high), (high, low), (low, low), (low, low * (1.0 + f64::EPSILON))] {
                let step = Step::dividing(high - low, intervals);
                prop_assert!(step.size() > 0.0 && step.size().is_finite());
                let ticks = linear(low, high, step);
                prop_assert!(ticks.len() as f64 <= MOST_TICKS + 1.0 && ticks.is_sorted());
                let Decades { exponents, minor } = decades(low, high, intervals);
                prop_assert!(exponents.len() <= intervals.max(2) && minor.len() < 10_000, "{exponents:?}");
            }
        }

        #[test]
        fn decades_are_even_few_and_inside(low in -300.0..290.0f64, span in 1.0..300.0f64, at_most in 2usize..9) {
            let (low, high) = (10f64.powf(low), 10f64.powf((low + span).min(307.0)));
            let Decades { exponents, minor } = decades(low, high, at_most);
            prop_assert!(exponents.len() <= at_most);
            prop_assert!(exponents.iter().all(|e| (low * 0.999..=high * 1.001).contains(&10f64.powi(*e))));
            prop_assert!(exponents.windows(3).all(|w| w[1] - w[0] == w[2] - w[1]));
            prop_assert!(minor.iter().all(|m| (low * 0.999..=high * 1.001).contains(m)));
        }
    }
}
