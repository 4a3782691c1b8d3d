//! What a run comes to, at a glance: where its curves end.

use super::claims::read;
use crate::error::Result;
use crate::publish::Published;
use crate::tables::frame::Cell;

/// The last point of a curve.
#[derive(Debug)]
pub(crate) struct Headline {
    /// The panel of the figure.
    pub panel: String,
    /// The curve.
    pub series: String,
    /// Where it ends; none where the table says so.
    pub x: Option<f64>,
    /// Its value there.
    pub mean: Option<f64>,
    /// Lower end of its interval.
    pub ci_low: Option<f64>,
    /// Upper end of its interval.
    pub ci_high: Option<f64>,
}

/// The last point of every curve of the summary tables.
///
/// # Errors
/// A table is not what was published.
pub(crate) fn headlines(published: &Published) -> Result<Vec<Headline>> {
    let mut lines = Vec::new();
    for table in published.manifest.tables.iter().filter(|table| table.is_summary()) {
        let frame = read(&published.folder, table)?;
        let (Ok(panels), Ok(series), Ok(x), Ok(mean)) =
            (frame.cells("panel"), frame.cells("series"), frame.numbers("x"), frame.numbers("mean"))
        else {
            continue;
        };
        let (low, high) = (frame.numbers("ci_low").unwrap_or_default(), frame.numbers("ci_high").unwrap_or_default());
        let mut last: Vec<(Cell, Cell, usize)> = Vec::new();
        for row in 0..frame.n_rows() {
            match last.iter_mut().find(|(panel, curve, _)| *panel == panels[row] && *curve == series[row]) {
                Some((_, _, best)) if x[row] > x[*best] => *best = row,
                Some(_) => {}
                None => last.push((panels[row].clone(), series[row].clone(), row)),
            }
        }
        // Cumulative curves all end at the same value: that is no news.
        let differs = |panel: &Cell| {
            let mut ends = last.iter().filter(|(other, ..)| other == panel).map(|(.., row)| mean[*row]);
            let first = ends.next().flatten();
            last.iter().filter(|(other, ..)| other == panel).count() == 1
                || ends.any(|end| end.zip(first).is_none_or(|(end, first)| (end - first).abs() > 1e-9))
        };
        for (panel, curve, row) in last.iter().filter(|(panel, ..)| differs(panel)) {
            lines.push(Headline {
                panel: panel.to_string(),
                series: curve.to_string(),
                x: x[*row],
                mean: mean[*row],
                ci_low: low[*row],
                ci_high: high[*row],
            });
        }
    }
    Ok(lines)
}
