//! Sizes in points that make the figures look alike, after the requirements that journals print.

/// Numbers at ticks, in legends and in cells.
pub(super) const TICK_SIZE: f64 = 7.0;
/// Axis labels.
pub(super) const LABEL_SIZE: f64 = 7.5;
/// Panel titles.
pub(super) const TITLE_SIZE: f64 = 8.0;
/// Panel letters, and the figure's title.
pub(super) const LETTER_SIZE: f64 = 9.0;
pub(super) const CAPTION_SIZE: f64 = 6.5;

pub(super) const AXIS_WIDTH: f64 = 0.6;
pub(super) const CURVE_WIDTH: f64 = 1.1;
/// For hundreds of values that jump from one to the next.
pub(super) const DENSE_CURVE_WIDTH: f64 = 0.7;
/// For single runs behind a mean.
pub(super) const RUN_WIDTH: f64 = 0.35;
/// How far their colour is on its way to white.
pub(super) const RUN_PALENESS: f64 = 0.55;
/// Opacity of shaded intervals: two that overlap remain distinguishable.
pub(super) const BAND_OPACITY: f64 = 0.2;

pub(super) const TICK_LENGTH: f64 = 3.0;
pub(super) const MINOR_TICK_LENGTH: f64 = 1.8;
/// Between a tick's end and its number, a number and the axis's label, a legend and what is below.
pub(super) const GAP: f64 = 3.0;
