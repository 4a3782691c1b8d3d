//! One axis: which numbers it spans, where they fall, which of them are labelled.

use super::description::Scale;
use super::font::Face;
use super::style;
use super::ticks::{self, Step};
use super::{number, text};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// Ends at the data, so that curves use the whole width.
    Horizontal,
    /// Ends on round numbers, so that the extremes can be read.
    Vertical,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    pub value: f64,
    pub label: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    logarithmic: bool,
    pub ticks: Vec<Tick>,
    /// Unlabelled ticks.
    pub minor: Vec<f64>,
}

/// The largest magnitude that an axis reaches to, and its inverse the smallest: inside, nothing over- or underflows.
const LARGEST: f64 = 1e280;
/// Free space between neighbouring labels, in points.
const LABEL_GAP: f64 = 6.0;

impl Axis {
    /// An axis `length` points long for `values`; what is not finite among them does not count.
    pub(super) fn fit(
        values: impl Iterator<Item = f64>,
        scale: Scale,
        range: Option<(f64, f64)>,
        direction: Direction,
        length: f64,
    ) -> Self {
        let values: Vec<f64> = values.filter(|v| v.is_finite()).map(tame).collect();
        let logarithmic = match scale {
            Scale::Linear => false,
            Scale::Log => true,
            Scale::Auto => spans_decades(&values),
        };
        let asked = range.filter(|&(low, high)| unusable(low, high, logarithmic).is_none());
        let (low, high) = asked.unwrap_or_else(|| data_range(&values, logarithmic, direction, length));
        let mut axis = Self { low, high, logarithmic, ticks: Vec::new(), minor: Vec::new() };
        axis.label(direction, length);
        axis
    }

    /// Where a value falls, 0 at the lower end and 1 at the upper, beyond them outside; nothing for what has no place
    /// (not finite; zero or negative on a logarithmic axis).
    pub(super) fn share(&self, value: f64) -> Option<f64> {
        if !value.is_finite() || (self.logarithmic && value <= 0.0) {
            return None;
        }
        let share = if self.logarithmic {
            (value.log10() - self.low.log10()) / (self.high.log10() - self.low.log10())
        } else {
            (value - self.low) / (self.high - self.low)
        };
        // Far outside is far enough: what cuts curves to the panel needs finite lengths.
        Some(share.clamp(-1e9, 1e9))
    }

    /// Whether the value has a place between the axis's ends.
    pub(super) fn contains(&self, value: f64) -> bool {
        self.share(value).is_some_and(|share| (-1e-9..=1.0 + 1e-9).contains(&share))
    }

    /// Width of the widest label, in points.
    pub(super) fn label_width(&self) -> f64 {
        let widths = self.ticks.iter().map(|tick| text::width(&tick.label, Face::Regular, style::TICK_SIZE));
        widths.fold(0.0, f64::max)
    }

    /// As many labels as stand clear of each other; on the shortest axes, one.
    fn label(&mut self, direction: Direction, length: f64) {
        for intervals in (1..=most_intervals(direction, length)).rev() {
            (self.ticks, self.minor) =
                if self.logarithmic { self.log_ticks(intervals) } else { self.linear_ticks(intervals) };
            if self.labels_are_clear(direction, length) {
                return;
            }
        }
        self.ticks.truncate(1);
    }

    fn linear_ticks(&self, intervals: usize) -> (Vec<Tick>, Vec<f64>) {
        let step = Step::dividing(self.high - self.low, intervals);
        let values = ticks::linear(self.low, self.high, step);
        (labelled(&values, number::multiples(&values, step.size())), Vec::new())
    }

    fn log_ticks(&self, intervals: usize) -> (Vec<Tick>, Vec<f64>) {
        let decades = ticks::decades(self.low, self.high, intervals + 1);
        if decades.exponents.len() >= 2 {
            let powers: Vec<f64> = decades.exponents.iter().map(|e| 10f64.powi(*e)).collect();
            return (
                labelled(&powers, decades.exponents.iter().map(|e| number::power_of_ten(*e)).collect()),
                decades.minor,
            );
        }
        // Less than two powers of ten in sight: label 1, 2 and 5 times them, or every value if that is still too few.
        let candidates = (self.low.log10().floor() as i32..=self.high.log10().ceil() as i32)
            .flat_map(|exponent| [1.0, 2.0, 5.0].map(|m| m * 10f64.powi(exponent)));
        let round: Vec<f64> = candidates.filter(|value| self.contains(*value)).collect();
        if round.len() >= 2 {
            return (labelled(&round, number::coefficients(&round)), decades.minor);
        }
        self.linear_ticks(intervals)
    }

    fn labels_are_clear(&self, direction: Direction, length: f64) -> bool {
        self.ticks.windows(2).all(|pair| {
            let at = |tick: &Tick| self.share(tick.value).unwrap_or(0.0) * length;
            let needed = match direction {
                Direction::Vertical => 1.6 * style::TICK_SIZE,
                Direction::Horizontal => {
                    let half = |tick: &Tick| text::width(&tick.label, Face::Regular, style::TICK_SIZE) / 2.0;
                    half(&pair[0]) + half(&pair[1]) + LABEL_GAP
                }
            };
            at(&pair[1]) - at(&pair[0]) >= needed
        })
    }
}

/// Why no axis can go from `low` to `high`, if none can.
pub(crate) fn unusable(low: f64, high: f64, logarithmic: bool) -> Option<&'static str> {
    let (width, furthest) = (high - low, low.abs().max(high.abs()));
    if !(low.is_finite() && high.is_finite()) {
        Some("its ends have to be finite numbers")
    } else if low == high {
        Some("its ends are the same number")
    } else if low > high {
        Some("it runs from the larger number to the smaller one")
    } else if width > LARGEST || furthest > LARGEST {
        Some("it is wider than an axis can be: numbers end at 1e280")
    } else if logarithmic && low <= 0.0 {
        Some("a logarithmic axis starts above 0")
    } else if width < 1.0 / LARGEST || logarithmic && low < 1.0 / LARGEST {
        Some("it is narrower than an axis can be: numbers begin at 1e-280")
    } else if width <= 1e-9 * furthest {
        Some("it is so narrow that no ticks can be told apart: take at least a billionth of its ends")
    } else {
        None
    }
}

/// A value whose sums, quotients and powers of ten stay finite and normal.
fn tame(value: f64) -> f64 {
    if value != 0.0 { value.abs().clamp(1.0 / LARGEST, LARGEST).copysign(value) } else { value }
}

fn labelled(values: &[f64], labels: Vec<String>) -> Vec<Tick> {
    values.iter().zip(labels).map(|(value, label)| Tick { value: *value, label }).collect()
}

fn most_intervals(direction: Direction, length: f64) -> usize {
    let each = match direction {
        Direction::Horizontal => 24.0,
        Direction::Vertical => 18.0,
    };
    ((length / each) as usize).clamp(1, 6)
}

/// More than three decades between the positive values, and none negative.
fn spans_decades(values: &[f64]) -> bool {
    let positive = values.iter().copied().filter(|v| *v > 0.0);
    let (low, high) = positive.fold((f64::INFINITY, 0.0_f64), |(low, high), v| (low.min(v), high.max(v)));
    values.iter().all(|v| *v >= 0.0) && high > 0.0 && high.log10() - low.log10() > 3.0
}

/// The ends of an axis for these values, from 0 to 1 (1 to 10) where there are none.
fn data_range(values: &[f64], logarithmic: bool, direction: Direction, length: f64) -> (f64, f64) {
    let counted = values.iter().copied().filter(|v| !logarithmic || *v > 0.0);
    let (mut low, mut high) =
        counted.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low > high {
        return if logarithmic { (1.0, 10.0) } else { (0.0, 1.0) };
    }
    if logarithmic {
        if high < 1.01 * low {
            (low, high) = (low / 2.0, high * 2.0);
        }
        return if direction == Direction::Vertical { round_log_range(low, high) } else { (low, high) };
    }
    if high - low <= 1e-9 * high.abs().max(low.abs()) {
        let half = if low == 0.0 { 1.0 } else { 0.1 * low.abs() };
        (low, high) = (low - half, high + half);
    }
    // An axis that would start near zero starts at zero: lengths then compare, and counts from 1 get their first tick.
    let near = if direction == Direction::Vertical { 0.3 } else { 0.05 };
    if low > 0.0 && low < near * high {
        low = 0.0;
    }
    if high < 0.0 && high > near * low {
        high = 0.0;
    }
    if direction == Direction::Horizontal {
        return (low, high);
    }
    let step = Step::dividing(high - low, most_intervals(direction, length));
    (step.multiple(step.floor(low)), step.multiple(step.ceil(high)))
}

/// Whole decades where there are more than two, else 1, 2 or 5 times a power of ten.
fn round_log_range(low: f64, high: f64) -> (f64, f64) {
    let mantissas: &[f64] = if high / low > 100.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let around = |value: f64| {
        let exponent = value.log10().floor() as i32;
        (exponent - 1..=exponent + 1).flat_map(move |e| mantissas.iter().map(move |m| m * 10f64.powi(e)))
    };
    let below = around(low).rfind(|v| *v <= low * (1.0 + 1e-9)).expect("a tenth of the decade is below");
    let above = around(high).find(|v| *v >= high * (1.0 - 1e-9)).expect("ten times the decade is above");
    (below, above)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    fn vertical(values: &[f64], scale: Scale) -> Axis {
        Axis::fit(values.iter().copied(), scale, None, Direction::Vertical, 130.0)
    }

    #[test]
    fn familiar_axes() {
        let steps = Axis::fit((0..=20).map(|i| 250.0 * f64::from(i)), Scale::Auto, None, Direction::Horizontal, 200.0);
        assert_eq!(labels(&steps), ["0", "1,000", "2,000", "3,000", "4,000", "5,000"]);
        assert_eq!(labels(&vertical(&[0.1, 0.91], Scale::Auto)), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&vertical(&[1.5, 3e11], Scale::Auto)), ["10⁰", "10²", "10⁴", "10⁶", "10⁸", "10¹⁰", "10¹²"]);
    }

    #[test]
    fn automatic_scale_needs_three_decades_and_no_negative_value() {
        assert!(!vertical(&[1.0, 999.0], Scale::Auto).logarithmic);
        assert!(vertical(&[0.0, 1.0, 2001.0], Scale::Auto).logarithmic);
        assert!(!vertical(&[-1.0, 1.0, 2001.0], Scale::Auto).logarithmic);
    }

    #[test]
    fn what_has_no_logarithm_has_no_place() {
        let axis = vertical(&[-3.0, 0.0, 1.0, 50.0], Scale::Log);
        assert_eq!([axis.share(0.0), axis.share(-3.0), axis.share(f64::NAN)], [None; 3]);
        assert!(axis.contains(1.0) && axis.contains(50.0));
    }

    #[test]
    fn impossible_ranges_are_replaced() {
        for range in [(1.0, 1.0), (2.0, 1.0), (f64::NAN, 1.0), (0.0, f64::INFINITY)] {
            let axis = Axis::fit([0.0, 5.0].into_iter(), Scale::Linear, Some(range), Direction::Vertical, 100.0);
            assert!(axis.contains(0.0) && axis.contains(5.0), "{range:?}");
        }
    }

    #[test]
    fn a_range_that_no_axis_can_have_says_why() {
        let why = |low, high, logarithmic| unusable(low, high, logarithmic).unwrap_or_default();
        assert!(why(f64::NAN, 1.0, false).contains("finite") && why(0.0, f64::INFINITY, false).contains("finite"));
        assert!(why(1.0, 0.0, false).contains("larger number to the smaller") && why(0.0, 0.0, false).contains("same"));
        assert!(why(0.0, 1e-320, false).contains("narrower") && why(-1e308, 1e308, false).contains("wider"));
        assert!(why(1.0, 1.0 + 1e-12, false).contains("so narrow") && why(0.0, 1.0, true).contains("above 0"));
        assert_eq!([why(0.0, 1.0, false), why(-1e3, 1e200, false), why(1e-250, 1.0, true)], [""; 3]);
    }

    proptest! {
        /// Asked for any range, an axis has ends in order and labels on it: those of the range, or of the values.
        #[test]
        fn every_range_makes_an_axis(
            low in prop_oneof![any::<f64>(), Just(0.0), -1e3..1e3f64],
            high in prop_oneof![any::<f64>(), Just(1e-320), Just(f64::MAX), -1e3..1e3f64],
            scale in prop_oneof![Just(Scale::Linear), Just(Scale::Log), Just(Scale::Auto)],
            direction in prop_oneof![Just(Direction::Horizontal), Just(Direction::Vertical)],
        ) {
            let axis = Axis::fit([0.5, 2.0, 7e5].into_iter(), scale, Some((low, high)), direction, 150.0);
            prop_assert!(axis.low < axis.high, "{axis:?}");
            prop_assert!(axis.ticks.iter().all(|tick| axis.contains(tick.value)), "{axis:?}");
            if unusable(low, high, axis.logarithmic).is_none() {
                prop_assert_eq!((axis.low, axis.high), (low, high));
            }
        }

        #[test]
        fn every_axis_holds_its_values_and_keeps_its_labels_apart(
            values in prop::collection::vec(prop_oneof![
                any::<f64>(), -1e3..1e3f64, (-300.0..300.0f64).prop_map(|e| 10f64.powf(e)), Just(0.0), Just(f64::INFINITY)
            ], 0..12),
            scale in prop_oneof![Just(Scale::Linear), Just(Scale::Log), Just(Scale::Auto)],
            direction in prop_oneof![Just(Direction::Horizontal), Just(Direction::Vertical)],
            length in 40.0..400.0f64,
        ) {
            let axis = Axis::fit(values.iter().copied(), scale, None, direction, length);
            for value in values {
                let placeless = !value.is_finite() || (axis.logarithmic && value <= 0.0);
                let placeless = placeless || tame(value) != value;
                    prop_assert!(placeless || axis.contains(value), "{value} on {axis:?}");
            }
            prop_assert!(axis.ticks.iter().all(|tick| axis.contains(tick.value)), "{axis:?}");
            prop_assert!(axis.labels_are_clear(direction, length), "{axis:?}");
        }
    }
}
