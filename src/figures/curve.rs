//! One series in a panel's coordinates, cut to the panel: strokes, lone points, shaded pieces.

use super::axis::Axis;
use super::description::Series;
use super::geometry::{Point, Rect, cut_line, cut_polygon};

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Curve {
    /// Unbroken stretches of the mean.
    pub strokes: Vec<Vec<Point>>,
    /// Values with a missing neighbour on both sides, which no line would show.
    pub dots: Vec<Point>,
    /// Unbroken stretches of single runs.
    pub runs: Vec<Vec<Point>>,
    /// Unbroken stretches of the interval, as outlines.
    pub bands: Vec<Vec<Point>>,
    /// The same interval, a quadrilateral between each two neighbouring x, to test what covers it.
    pub band_pieces: Vec<Vec<Point>>,
}

impl Curve {
    pub(super) fn new(series: &Series, x: &Axis, y: &Axis, body: &Rect) -> Self {
        let horizontal = |value: f64| x.share(value).map(|share| body.x + share * body.width);
        let vertical = |value: f64| y.share(value).map(|share| body.bottom() - share * body.height);
        let mean = series.x.iter().zip(&series.mean);
        let mean = mean.map(|(x, mean)| Some((horizontal(*x)?, vertical((*mean)?)?)));
        let stretches = unbroken(mean);
        let lone = |stretch: &Vec<Point>| (stretch.len() == 1).then(|| stretch[0]);
        let dots = stretches.iter().filter_map(lone).filter(|dot| body.grown(0.01).touches(*dot, *dot)).collect();
        let strokes = stretches.iter().flat_map(|stretch| cut_line(body, stretch)).collect();

        let of_run = |run: &Vec<(f64, Option<f64>)>| {
            unbroken(run.iter().map(|(x, value)| Some((horizontal(*x)?, vertical((*value)?)?))))
        };
        let runs = series.runs.iter().flat_map(of_run).flat_map(|stretch| cut_line(body, &stretch)).collect();

        let (low, high) = series.band.as_ref().map_or((&[][..], &[][..]), |(low, high)| (&low[..], &high[..]));
        let sides = series.x.iter().zip(low.iter().zip(high)).map(|(x, (low, high))| {
            let low = (*low)?;
            // Where an interval reaches down to zero, a logarithmic axis shows it down to its end.
            let floor = vertical(low).or_else(|| low.is_finite().then(|| body.bottom()));
            Some((horizontal(*x)?, floor?, vertical((*high)?)?))
        });
        let stretches = unbroken(sides);
        let outline = |stretch: &[(f64, f64, f64)]| {
            let lower = stretch.iter().map(|(x, low, _)| (*x, *low));
            let upper = stretch.iter().rev().map(|(x, _, high)| (*x, *high));
            cut_polygon(body, &lower.chain(upper).collect::<Vec<Point>>())
        };
        let drawn = |outline: &Vec<Point>| outline.len() > 2;
        let bands = stretches.iter().map(|stretch| outline(stretch)).filter(drawn).collect();
        let band_pieces = stretches.iter().flat_map(|stretch| stretch.windows(2)).map(outline).filter(drawn).collect();
        Self { strokes, dots, runs, bands, band_pieces }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.strokes.is_empty() && self.dots.is_empty() && self.bands.is_empty()
    }
}

/// Stretches between missing values.
fn unbroken<T>(values: impl Iterator<Item = Option<T>>) -> Vec<Vec<T>> {
    let mut stretches = vec![Vec::new()];
    for value in values {
        match value {
            Some(value) => stretches.last_mut().expect("there is always a last stretch").push(value),
            None => stretches.push(Vec::new()),
        }
    }
    stretches.retain(|stretch| !stretch.is_empty());
    stretches
}

#[cfg(test)]
mod tests {
    use super::super::axis::Direction;
    use super::super::description::{Column, Scale};
    use super::super::palette::SeriesStyle;
    use super::*;

    const BODY: Rect = Rect { x: 0.0, y: 0.0, width: 100.0, height: 100.0 };

    fn curve(mean: &[Option<f64>], band: Option<(Column, Column)>, scale: Scale) -> Curve {
        let x: Vec<f64> = (0..mean.len()).map(|i| i as f64).collect();
        let axis = |scale, range, direction| Axis::fit(x.iter().copied(), scale, Some(range), direction, 100.0);
        let (across, up) = (
            axis(Scale::Linear, (0.0, (mean.len() - 1) as f64), Direction::Horizontal),
            axis(scale, if scale == Scale::Log { (1.0, 100.0) } else { (0.0, 10.0) }, Direction::Vertical),
        );
        let series = Series {
            label: String::new(),
            style: SeriesStyle::BASELINE,
            x: x.clone(),
            mean: mean.to_vec(),
            band,
            runs: Vec::new(),
        };
        Curve::new(&series, &across, &up, &BODY)
    }

    #[test]
    fn missing_and_infinite_values_break_the_line_and_leave_lone_points_visible() {
        let values = [Some(1.0), Some(2.0), None, Some(3.0), Some(f64::INFINITY), Some(4.0), Some(5.0)];
        let curve = curve(&values, None, Scale::Linear);
        assert_eq!(curve.strokes.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
        assert_eq!(curve.dots, [(50.0, 70.0)]);
    }

    #[test]
    fn an_interval_down_to_zero_reaches_the_end_of_a_logarithmic_axis() {
        let band = (vec![Some(0.0), Some(0.0)], vec![Some(10.0), Some(10.0)]);
        let curve = curve(&[Some(5.0), Some(-1.0)], Some(band), Scale::Log);
        assert_eq!(curve.bands.len(), 1);
        let lowest = curve.bands[0].iter().fold(0.0_f64, |lowest, point| lowest.max(point.1));
        assert_eq!(lowest, 100.0, "y runs downwards");
        assert_eq!(curve.dots.len(), 1, "−1 has no logarithm");
    }

    #[test]
    fn values_outside_the_axis_are_cut_at_its_edge() {
        let curve = curve(&[Some(5.0), Some(1e30)], None, Scale::Linear);
        assert_eq!(curve.strokes.len(), 1);
        assert!(curve.strokes[0].iter().all(|(_, y)| (-1e-6..=50.0).contains(y)), "{:?}", curve.strokes);
    }
}
