//! `layout = "images"`: a grid of images, from panel, series, x, pixels.
//!
//! `panel` is a group of columns ("BP"), `series` a column within it (a layer), `x` a row (a digit).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{TitledPanel, Width, distinct, only};
use crate::figures::{Figure, ImageColumn, ImageGroup, ImagePanel, Panel, PanelKind};
use crate::tables::TableError;
use crate::tables::cells::Float32List;
use crate::tables::frame::{Cell, Frame};

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ImagesSpec {
    /// The table of images.
    pub(super) of: String,
    /// Width on a journal's page.
    #[serde(default)]
    width: Width,
    /// A heading over the whole figure; none if left out.
    #[serde(default)]
    title: Option<String>,
    /// A line below the images.
    #[serde(default)]
    caption: Option<String>,
    /// Width and height of every image in pixels.
    #[serde(default = "mnist_size")]
    size: [usize; 2],
    /// The groups of columns in order; those of the table, sorted, if left out.
    #[serde(default)]
    panels: Vec<TitledPanel>,
    /// The columns in order, of which each group shows those that it has; those of the table, sorted, if left out.
    #[serde(default)]
    series: Vec<ColumnSpec>,
    /// The rows in order; those of the table, sorted, if left out.
    #[serde(default)]
    rows: Vec<RowSpec>,
}

fn mnist_size() -> [usize; 2] {
    [28, 28]
}

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ColumnSpec {
    /// Its value in the column `series`.
    series: Cell,
    /// What stands over it; the value itself if left out.
    #[serde(default)]
    label: Option<String>,
}

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RowSpec {
    /// Its value in the column `x`.
    x: Cell,
    /// What stands beside it; the value itself if left out.
    #[serde(default)]
    label: Option<String>,
}

pub(super) const COLUMNS: [&str; 4] = ["panel", "series", "x", "pixels"];

impl ImagesSpec {
    /// # Errors
    /// A column is missing or of the wrong type, or two rows would stand in the same place.
    pub(super) fn describe(&self, frame: &Frame) -> Result<Figure, TableError> {
        let (panel, series, x) = (frame.cells("panel")?, frame.cells("series")?, frame.cells("x")?);
        let pixels = frame.values::<Option<Float32List>>("pixels")?;
        let heads = |given: Vec<(Cell, Option<String>)>, there: &[Cell]| -> Vec<(Cell, String)> {
            let given =
                if given.is_empty() { distinct(there).into_iter().map(|cell| (cell, None)).collect() } else { given };
            given.into_iter().map(|(cell, head)| (cell.clone(), head.unwrap_or_else(|| cell.to_string()))).collect()
        };
        let groups =
            heads(self.panels.iter().map(|group| (group.panel.clone(), group.title.clone())).collect(), &panel);
        let columns =
            heads(self.series.iter().map(|column| (column.series.clone(), column.label.clone())).collect(), &series);
        let rows = heads(self.rows.iter().map(|row| (row.x.clone(), row.label.clone())).collect(), &x);
        let image = |row: usize| pixels[row].map(<[f32]>::to_vec);
        let column = |group: &Cell, (column, head): &(Cell, String)| -> Result<Option<ImageColumn>, TableError> {
            let members: Vec<usize> =
                (0..panel.len()).filter(|&row| panel[row].matches(group) && series[row].matches(column)).collect();
            let of_row = |wanted: &Cell| {
                let there = members.iter().copied().filter(|&row| x[row].matches(wanted));
                Ok(only(there, frame, &[group, column, wanted])?.and_then(image))
            };
            let images = rows.iter().map(|(wanted, _)| of_row(wanted)).collect::<Result<_, TableError>>()?;
            Ok((!members.is_empty()).then(|| ImageColumn { head: head.clone(), images }))
        };
        let mut filled = Vec::with_capacity(groups.len());
        for (group, head) in groups {
            let columns =
                columns.iter().filter_map(|one| column(&group, one).transpose()).collect::<Result<Vec<_>, _>>()?;
            if !columns.is_empty() {
                filled.push(ImageGroup { head, columns });
            }
        }
        let sheet = ImagePanel {
            row_heads: rows.iter().map(|(_, head)| head.clone()).collect(),
            groups: filled,
            size: (self.size[0], self.size[1]),
        };
        Ok(Figure {
            title: self.title.clone(),
            caption: self.caption.clone(),
            columns: 1,
            panels: vec![Panel { letter: None, title: None, kind: PanelKind::Images(sheet) }],
            width_mm: self.width.mm(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::{Row, table};

    table! {
        /// What a query makes of images, layers and rules.
        struct ImageRow<'a> in "images" version 1 key() {
            /// group of columns
            panel: Category,
            /// column
            series: Int32,
            /// row
            x: Int32,
            /// image
            pixels: Float32List,
        }
    }

    #[test]
    fn a_group_shows_the_columns_that_it_has_in_the_order_asked_for() {
        let batch = ImageRow::batch(&[
            ImageRow { panel: "bp", series: 1, x: 7, pixels: &[0.0, 1.0] },
            ImageRow { panel: "bp", series: 4, x: 7, pixels: &[2.0, 3.0] },
            ImageRow { panel: "raw", series: 0, x: 3, pixels: &[4.0, 5.0] },
        ]);
        let spec: ImagesSpec = toml::from_str(
            "of = 't'\nsize = [2, 1]\npanels = [{ panel = 'raw', title = 'Image' }, { panel = 'bp' }]\n\
             series = [{ series = 4, label = 'y4' }, { series = 1 }, { series = 0 }]",
        )
        .unwrap();
        let figure = spec.describe(&Frame::new("images", batch)).unwrap();
        let PanelKind::Images(sheet) = &figure.panels[0].kind else { panic!("images") };
        assert_eq!(sheet.row_heads, ["3", "7"]);
        let heads = |group: &ImageGroup| group.columns.iter().map(|column| column.head.clone()).collect::<Vec<_>>();
        assert_eq!((sheet.groups[0].head.as_str(), heads(&sheet.groups[0])), ("Image", vec!["0".to_owned()]));
        assert_eq!(heads(&sheet.groups[1]), ["y4", "1"]);
        assert_eq!(sheet.groups[1].columns[0].images, [None, Some(vec![2.0, 3.0])]);
    }
}
