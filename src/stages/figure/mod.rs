//! a summary table → a figure, as SVG and PNG
//!
//! Four layouts: curves (`lines`), rows of dots (`dots`), tuning surfaces (`heat`), grids of images (`images`). What a layout
//! needs of the table stands at its `COLUMNS`.

mod common;
mod dots;
mod heat;
mod images;
mod lines;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::map::Entry;

use crate::error::Result;
use crate::figures::{self, Figure};
use crate::spec::node::{Fault, Node, Value, choices};
use crate::tables::frame::Frame;
use crate::tables::{Column, ColumnType, TableError};
use crate::task::{Axes, Kind, Output, Planned, Planning, Reads, Reference, Surroundings, TableId, Work};

/// `kind = "figure"`
pub struct FigureKind;

/// Dots per inch of the PNG: what journals ask of line art with grey tones.
const DPI: f64 = 300.0;

/// Panels side by side that can be asked for: each is then less than 2 mm wide.
const MOST_COLUMNS: usize = 100;

/// What is drawn, by the key `layout`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Layout {
    /// Curves with shaded intervals.
    #[default]
    Lines,
    /// Rows of dots with intervals.
    Dots,
    /// Surfaces over two swept parameters, curves over one.
    Heat,
    /// A grid of images.
    Images,
}

/// The parameters of a figure, by layout.
#[derive(Clone, Debug)]
enum Spec {
    Lines(lines::LinesSpec),
    Dots(dots::DotsSpec),
    Heat(heat::HeatSpec),
    Images(images::ImagesSpec),
}

impl Spec {
    /// The table that is drawn.
    fn of(&self) -> &str {
        match self {
            Self::Lines(spec) => &spec.of,
            Self::Dots(spec) => &spec.of,
            Self::Heat(spec) => &spec.of,
            Self::Images(spec) => &spec.of,
        }
    }

    fn read(parameters: &Node) -> Result<Self, Fault> {
        // The layout says which parameters there are; without it they are those of curves.
        let mut rest = parameters.clone();
        let layout = rest.as_table_mut().and_then(|table| table.remove("layout"));
        let layout = layout.map_or(Ok(Layout::default()), |(_, node)| node.read())?;
        Ok(match layout {
            Layout::Lines => Self::Lines(rest.read()?),
            Layout::Dots => Self::Dots(rest.read()?),
            Layout::Heat => Self::Heat(rest.read()?),
            Layout::Images => Self::Images(rest.read()?),
        })
    }

    /// Columns that the table must have.
    fn table_columns(&self) -> &'static [&'static str] {
        match self {
            Self::Lines(_) => &lines::COLUMNS,
            Self::Dots(_) => &dots::COLUMNS,
            Self::Heat(_) => &heat::COLUMNS,
            Self::Images(_) => &images::COLUMNS,
        }
    }

    /// The type that a column must have, in words, where it has another; panels and series can be anything.
    fn expects_instead(&self, column: &Column) -> Option<&'static str> {
        match (self, column.name.as_ref()) {
            (_, "panel" | "series") | (Self::Images(_), "x") | (Self::Dots(_), "row") => None,
            (Self::Images(_), _) => (column.kind != ColumnType::Float32List).then_some("a list of float32"),
            (Self::Lines(_) | Self::Dots(_) | Self::Heat(_), _) => (!is_number(column)).then_some("a number"),
        }
    }

    /// The table of single runs.
    fn runs(&self) -> Option<&str> {
        match self {
            Self::Lines(spec) => spec.runs.as_deref(),
            Self::Dots(_) | Self::Heat(_) | Self::Images(_) => None,
        }
    }

    /// The table of what the caption says, and the caption.
    fn facts(&self) -> Option<(&str, &str)> {
        match self {
            Self::Lines(spec) => Some((spec.facts.as_deref()?, spec.caption.as_deref().unwrap_or_default())),
            Self::Dots(_) | Self::Heat(_) | Self::Images(_) => None,
        }
    }

    fn describe(&self, frame: &Frame, runs: Option<&Frame>) -> Result<Figure, TableError> {
        match self {
            Self::Lines(spec) => spec.describe(frame, runs),
            Self::Dots(spec) => spec.describe(frame),
            Self::Heat(spec) => spec.describe(frame),
            Self::Images(spec) => spec.describe(frame),
        }
    }

    fn panel_columns(&self) -> Option<usize> {
        match self {
            Self::Lines(spec) => Some(spec.columns),
            Self::Dots(spec) => spec.columns(),
            Self::Heat(spec) => Some(spec.columns),
            Self::Images(_) => None,
        }
    }
}

/// A layout, for the reference.
#[derive(Debug)]
pub struct LayoutReference {
    /// The word after `layout =`.
    pub name: &'static str,
    /// Its parameters.
    pub schema: schemars::Schema,
    /// The columns that its table must have.
    pub columns: &'static [&'static str],
}

/// All layouts. What their parameters refer to is registered with the generator.
pub fn layouts(generator: &mut schemars::SchemaGenerator) -> [LayoutReference; 4] {
    generator.subschema_for::<lines::LinesSpec>();
    generator.subschema_for::<dots::DotsSpec>();
    generator.subschema_for::<heat::HeatSpec>();
    generator.subschema_for::<images::ImagesSpec>();
    let lines = generator.root_schema_for::<lines::LinesSpec>();
    let dots = generator.root_schema_for::<dots::DotsSpec>();
    let heat = generator.root_schema_for::<heat::HeatSpec>();
    let images = generator.root_schema_for::<images::ImagesSpec>();
    [
        LayoutReference { name: "lines", schema: lines, columns: &lines::COLUMNS },
        LayoutReference { name: "dots", schema: dots, columns: &dots::COLUMNS },
        LayoutReference { name: "heat", schema: heat, columns: &heat::COLUMNS },
        LayoutReference { name: "images", schema: images, columns: &images::COLUMNS },
    ]
}

impl Kind for FigureKind {
    fn name(&self) -> &'static str {
        "figure"
    }

    fn summary(&self) -> &'static str {
        "Draws a summary table, as SVG and PNG."
    }

    fn version(&self) -> u32 {
        6
    }

    /// The parameters of all layouts side by side: an editor completes them all, the planner knows which go together.
    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut layout = generator.subschema_for::<Layout>();
        layout.insert("description".to_owned(), "What is drawn; curves if left out.".into());
        let mut properties = serde_json::Map::from_iter([("layout".to_owned(), layout.to_value())]);
        for LayoutReference { schema, .. } in &layouts(generator) {
            let own = schema.get("properties").and_then(serde_json::Value::as_object);
            for (name, property) in own.into_iter().flatten() {
                match properties.entry(name) {
                    Entry::Vacant(place) => drop(place.insert(property.clone())),
                    Entry::Occupied(mut there) => admit(there.get_mut(), property),
                }
            }
        }
        schemars::json_schema!({ "type": "object", "properties": properties })
    }

    fn references(&self, parameters: &Node) -> Result<Vec<Reference>, Fault> {
        let of = Reference::required(parameters, "of", Reads::Table)?;
        let runs = Reference::optional(parameters, "runs", Reads::Table)?;
        let facts = Reference::optional(parameters, "facts", Reads::Table)?;
        Ok([of].into_iter().chain(runs).chain(facts).collect())
    }

    fn plan(&self, planning: &Planning<'_>) -> Result<Planned, Fault> {
        let spec = Spec::read(planning.parameters)?;
        let (id, table) = planning.gathered(spec.of());
        for needed in spec.table_columns() {
            let Some(column) = table.schema.column(needed) else {
                let message = format!(
                    "this figure is drawn from the columns {}; `{}` has no `{needed}`",
                    choices(spec.table_columns()),
                    table.name
                );
                return Err(planning.fault("of", message));
            };
            if let Some(expected) = spec.expects_instead(column) {
                let found = column.kind.in_words();
                let message = format!("column `{needed}` of `{}` is of type {found}, not {expected}", table.name);
                return Err(planning.fault("of", message));
            }
        }
        match spec.panel_columns() {
            Some(0) => return Err(planning.fault("columns", "a figure has at least one column of panels")),
            Some(columns) if columns > MOST_COLUMNS => {
                let message = format!("{columns} panels side by side; a page has room for {MOST_COLUMNS}");
                return Err(planning.fault("columns", message));
            }
            _ => {}
        }
        check_ranges(planning.parameters)?;
        let runs = spec.runs().map(|name| single_runs(planning, name)).transpose()?;
        let facts = spec.facts().map(|facts| facts_of(planning, facts)).transpose()?;
        Ok(Planned::new(FigureTask { spec, table: id, runs, facts }))
    }
}

/// Lets a list of one layout hold what the list of the same name holds in another.
fn admit(there: &mut serde_json::Value, other: &serde_json::Value) {
    let (Some(items), Some(others)) = (there.get_mut("items"), other.get("items")) else { return };
    if items == others {
        return;
    }
    match items.get_mut("anyOf").and_then(serde_json::Value::as_array_mut) {
        Some(all) if all.contains(others) => {}
        Some(all) => all.push(others.clone()),
        None => *items = serde_json::json!({ "anyOf": [items, others] }),
    }
}

fn is_number(column: &Column) -> bool {
    matches!(column.kind, ColumnType::Float64 | ColumnType::Int32 | ColumnType::Int64)
}

/// The table of single runs, if it has what they are drawn from.
fn single_runs(planning: &Planning<'_>, name: &str) -> Result<TableId, Fault> {
    let (id, table) = planning.gathered(name);
    for needed in lines::RUN_COLUMNS {
        let fits = |column: &Column| !["x", "value"].contains(&needed) || is_number(column);
        if !table.schema.column(needed).is_some_and(fits) {
            let needed = choices(lines::RUN_COLUMNS);
            let message = format!("runs are drawn from the columns {needed}, x and value numbers; not of `{name}`");
            return Err(planning.fault("runs", message));
        }
    }
    Ok(id)
}

/// The table of what the caption says, if the caption names a column of it.
fn facts_of(planning: &Planning<'_>, (name, caption): (&str, &str)) -> Result<TableId, Fault> {
    let (id, table) = planning.gathered(name);
    if !table.schema.columns.iter().any(|column| caption.contains(&in_braces(&column.name))) {
        let message = format!("the caption names no column of `{name}`");
        let columns: Vec<String> = table.schema.columns.iter().map(|column| in_braces(&column.name)).collect();
        return Err(planning.fault("facts", message).help(format!("Write what it is to say: {}.", columns.join(", "))));
    }
    Ok(id)
}

fn in_braces(name: &str) -> String {
    format!("{{{name}}}")
}

/// The caption with what stands in the one row of its facts.
///
/// # Errors
/// There are more rows, or none.
fn filled(caption: &str, facts: &Frame) -> Result<String, TableError> {
    let mut caption = caption.to_owned();
    for name in facts.columns() {
        let cells = facts.cells(&name)?;
        let [fact] = &cells[..] else {
            let what = format!("has {} rows; a caption is filled from one", cells.len());
            return Err(TableError::new("facts", name, what));
        };
        caption = caption.replace(&in_braces(&name), &fact.to_string());
    }
    Ok(caption)
}

/// Axes can span every range that is asked for: in the figure as a whole, and in each of its panels.
fn check_ranges(parameters: &Node) -> Result<(), Fault> {
    let Some(whole) = parameters.as_table() else { return Ok(()) };
    let panels = whole.get("panels").map(|panels| &panels.value);
    let panels = if let Some(Value::Array(panels)) = panels { &panels[..] } else { &[] };
    for table in [whole].into_iter().chain(panels.iter().filter_map(Node::as_table)) {
        for (range, scale) in [("x_range", "x_scale"), ("y_range", "y_scale"), ("value_range", "")] {
            let Some(node) = table.get(range) else { continue };
            let [low, high]: [f64; 2] = node.read()?;
            let scale = table.get(scale).or_else(|| whole.get(scale)).and_then(Node::as_str);
            if let Some(why) = figures::unusable(low, high, scale == Some("log")) {
                let message = format!("`{range}` goes from {low:e} to {high:e}: {why}");
                return Err(Fault::at(&node.span, message));
            }
        }
    }
    Ok(())
}

#[derive(Debug)]
struct FigureTask {
    spec: Spec,
    table: TableId,
    /// Single runs behind the curves.
    runs: Option<TableId>,
    /// What the caption says.
    facts: Option<TableId>,
}

impl Work for FigureTask {
    fn parameters(&self) -> serde_json::Value {
        let (layout, parameters) = match &self.spec {
            Spec::Lines(spec) => (None, serde_json::to_value(spec)),
            Spec::Dots(spec) => (Some("dots"), serde_json::to_value(spec)),
            Spec::Heat(spec) => (Some("heat"), serde_json::to_value(spec)),
            Spec::Images(spec) => (Some("images"), serde_json::to_value(spec)),
        };
        let mut parameters = parameters.expect("plain data");
        let table = parameters.as_object_mut().expect("a struct");
        table.extend(layout.map(|layout| ("layout".to_owned(), layout.into())));
        // Which table is drawn stands among the inputs; what a person called it does not change the picture.
        table.remove("of");
        for beside in ["runs", "facts"] {
            if let Some(named) = table.get_mut(beside) {
                *named = true.into();
            }
        }
        parameters
    }

    fn outputs(&self) -> &[Output] {
        &[]
    }

    fn files(&self) -> &[&'static str] {
        &["svg", "png"]
    }

    fn run(&self, context: &dyn Surroundings) -> Result<()> {
        let frame = Frame::new(self.spec.of(), context.gathered(self.table, Axes::Own)?);
        let runs = self.runs.map(|runs| context.gathered(runs, Axes::Own).map(|batch| Frame::new("runs", batch)));
        let figure = self.spec.describe(&frame, runs.transpose()?.as_ref());
        // What is wrong with a summary is the query's.
        let mut figure = figure.map_err(|error| context.numerics(error))?;
        if let (Some(facts), Some(caption)) = (self.facts, &figure.caption) {
            let facts = Frame::new("facts", context.gathered(facts, Axes::Own)?);
            figure.caption = Some(filled(caption, &facts).map_err(|error| context.numerics(error))?);
        }
        let svg = figures::svg(&figure);
        context.write_file("svg", svg.as_bytes())?;
        let png = figures::png(&svg, DPI).map_err(|error| context.internal(error))?;
        context.write_file("png", &png)
    }

    fn cost(&self) -> f64 {
        0.5
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::figures::{Panel, PanelKind};
    use crate::tables::{Row, table};
    use crate::task::bench::Bench;

    table! {
        /// A point of a curve, or a cell of a surface.
        pub(super) struct PointRow<'a> in "sql" version 1 key() {
            /// panel
            panel: Category,
            /// curve
            series: Category,
            /// abscissa
            x: Option<Float64>,
            /// second parameter of a surface
            y: Option<Float64>,
            /// statistic
            mean: Option<Float64>,
            /// lower end
            ci_low: Option<Float64>,
            /// upper end
            ci_high: Option<Float64>,
            /// runs
            n_runs: Int32,
            /// of which diverged
            n_diverged: Int32,
        }
    }

    fn point(panel: &'static str, series: &'static str, x: f64, mean: f64) -> PointRow<'static> {
        let (ci_low, ci_high) = (Some(mean - 1.0), Some(mean + 1.0));
        PointRow { panel, series, x: Some(x), y: None, mean: Some(mean), ci_low, ci_high, n_runs: 20, n_diverged: 0 }
    }

    /// Two panels; the rows of the curves are in no order.
    fn points() -> [PointRow<'static>; 6] {
        [
            point("small", "oja", 30.0, 3.0),
            point("small", "bp", 20.0, 12.0),
            PointRow { x: None, ..point("small", "oja", 0.0, 99.0) },
            PointRow { n_runs: 18, n_diverged: 3, ..point("small", "oja", 10.0, 1.0) },
            PointRow { mean: None, ci_low: None, ci_high: None, ..point("small", "oja", 20.0, 0.0) },
            point("large", "oja", 10.0, 50.0),
        ]
    }

    fn panels(parameters: &str, rows: &[PointRow<'_>]) -> (Vec<Panel>, Option<String>) {
        let parameters = Node::parse("figure", format!("of = 'points'\n{parameters}")).unwrap();
        let frame = Frame::new("points", PointRow::batch(rows));
        let figure = Spec::read(&parameters).unwrap().describe(&frame, None).unwrap();
        (figure.panels, figure.caption)
    }

    #[test]
    fn a_curve_has_the_rows_of_its_panel_and_series_by_x() {
        let parameters = "panels = [{ panel = 'small' }, { panel = 'large', title = 'Large' }]\n\
                          series = [{ series = 'oja', label = 'with Oja' }, { series = 'bp' }]\n\
                          caption = 'Means over {runs} of {panels}.'";
        let (panels, caption) = panels(parameters, &points());
        assert_eq!(caption.unwrap(), "Means over 18 to 20 runs, up to 3 of them diverged of small, large.");
        let heads: Vec<_> = panels.iter().map(|panel| (panel.letter.as_deref(), panel.title.as_deref())).collect();
        assert_eq!(heads, [(Some("a"), Some("small")), (Some("b"), Some("Large"))]);
        let [PanelKind::Lines(small), PanelKind::Lines(large)] = [&panels[0].kind, &panels[1].kind] else {
            panic!("{panels:?}")
        };
        let labels: Vec<&str> = small.series.iter().map(|series| series.label.as_str()).collect();
        assert_eq!(labels, ["with Oja", "bp"]);
        let oja = &small.series[0];
        assert_eq!((&oja.x, &oja.mean), (&vec![10.0, 20.0, 30.0], &vec![Some(1.0), None, Some(3.0)]));
        assert_eq!(oja.band, Some((vec![Some(0.0), None, Some(2.0)], vec![Some(2.0), None, Some(4.0)])));
        // A panel shows no curve that it does not have.
        assert_eq!(large.series.iter().map(|series| series.label.as_str()).collect::<Vec<_>>(), ["with Oja"]);
    }

    table! {
        /// What a caption says.
        struct FactRow<'a> in "sql" version 1 key() {
            /// how many
            skipped: Int64,
            /// of what
            pool: Category,
        }
    }

    #[test]
    fn a_caption_is_filled_from_one_row() {
        let facts = |rows: &[FactRow<'_>]| Frame::new("facts", FactRow::batch(rows));
        let one = FactRow { skipped: 3, pool: "letters" };
        assert_eq!(filled("{skipped} of {pool}, {runs}", &facts(&[one])).unwrap(), "3 of letters, {runs}");
        for rows in [&[][..], &[one, one]] {
            let message = filled("{skipped}", &facts(rows)).unwrap_err().to_string();
            assert!(message.contains(&format!("has {} rows", rows.len())), "{message}");
        }
    }

    #[test]
    fn facts_that_the_caption_does_not_name_are_refused() {
        let facts = FactRow::batch(&[FactRow { skipped: 3, pool: "letters" }]);
        let bench = Bench::new().published("points", PointRow::schema(), 0, PointRow::batch(&points())).published(
            "facts",
            FactRow::schema(),
            0,
            facts,
        );
        let run =
            |caption: &str| bench.run(&FigureKind, &format!("of = 'points'\nfacts = 'facts'\ncaption = '{caption}'"));
        let svg = run("{skipped} were skipped.").unwrap().files["svg"].clone();
        assert!(String::from_utf8(svg).unwrap().contains("3 were skipped."));
        let Err(Error::Spec(faults)) = run("Some were skipped.") else { panic!("a caption that names none") };
        assert!(faults[0].message.contains("names no column of `facts`"), "{faults:?}");
    }

    table! {
        /// A point of a single run.
        struct RunPointRow<'a> in "sql" version 1 key() {
            /// panel
            panel: Category,
            /// curve
            series: Category,
            /// run
            run: Int64,
            /// abscissa
            x: Option<Float64>,
            /// value
            value: Option<Float64>,
        }
    }

    #[test]
    fn single_runs_stand_behind_their_curve_each_by_x() {
        let point = |series, run, x, value| RunPointRow { panel: "small", series, run, x: Some(x), value };
        let rows = [
            point("oja", 1, 20.0, Some(4.0)),
            point("oja", 0, 10.0, Some(1.0)),
            point("oja", 1, 10.0, None),
            point("bp", 0, 10.0, Some(9.0)),
        ];
        let parameters = Node::parse("figure", "of = 'points'\nruns = 'runs'\npanels = [{ panel = 'small' }]").unwrap();
        let spec = Spec::read(&parameters).unwrap();
        assert_eq!(spec.runs(), Some("runs"));
        let frames = (Frame::new("points", PointRow::batch(&points())), Frame::new("runs", RunPointRow::batch(&rows)));
        let figure = spec.describe(&frames.0, Some(&frames.1)).unwrap();
        let PanelKind::Lines(small) = &figure.panels[0].kind else { panic!("{figure:?}") };
        let runs: Vec<_> = small.series.iter().map(|series| (series.label.as_str(), series.runs.clone())).collect();
        let of_oja = vec![vec![(10.0, Some(1.0))], vec![(10.0, None), (20.0, Some(4.0))]];
        assert_eq!(runs, [("bp", vec![vec![(10.0, Some(9.0))]]), ("oja", of_oja)]);
    }

    #[test]
    fn panels_of_one_axis_have_one_range_from_zero_and_a_letter_can_be_given() {
        let parameters = "y_scale = 'linear'\npanels = [{ panel = 'small', letter = 'c', axis = 'a' }, \
                          { panel = 'large', axis = 'a' }, { panel = 'large', axis = 'b' }]\n\
                          series = [{ series = 'oja' }]";
        let (panels, _) = panels(parameters, &points());
        let found: Vec<_> = panels
            .iter()
            .map(|panel| match &panel.kind {
                PanelKind::Lines(lines) => (panel.letter.as_deref().unwrap(), lines.y_range.unwrap()),
                other => panic!("{other:?}"),
            })
            .collect();
        // The values of both reach from 0 to 51, those of the last from 49 to 51.
        assert_eq!(found[0], ("c", (0.0, 60.0)));
        assert_eq!(found[1], ("b", (0.0, 60.0)));
        assert_eq!((found[2].0, found[2].1.0), ("c", 0.0));
    }

    #[test]
    fn without_a_word_about_them_panels_and_curves_are_those_of_the_table_sorted() {
        let (panels, _) = panels("", &points());
        let titles: Vec<_> = panels.iter().map(|panel| panel.title.as_deref().unwrap()).collect();
        assert_eq!(titles, ["large", "small"]);
        let PanelKind::Lines(small) = &panels[1].kind else { panic!("{panels:?}") };
        assert_eq!(small.series.iter().map(|series| series.label.as_str()).collect::<Vec<_>>(), ["bp", "oja"]);
    }

    #[test]
    fn a_cell_in_which_every_run_diverged_is_empty_whatever_its_mean_and_one_in_which_some_did_is_not() {
        let cell = |x, y, mean, n_diverged| PointRow { y: Some(y), n_diverged, ..point("p", "", x, mean) };
        let rows = [cell(1.0, 1.0, 0.9, 20), cell(2.0, 1.0, 0.5, 19), cell(1.0, 2.0, 0.7, 0), cell(2.0, 2.0, 0.6, 0)];
        let (panels, _) = panels("layout = 'heat'", &rows);
        let PanelKind::Heat(surface) = &panels[0].kind else { panic!("{panels:?}") };
        assert_eq!(surface.cells, [[None, Some(0.5)], [Some(0.7), Some(0.6)]]);
        assert_eq!(surface.best, Some((1, 0)));
    }

    table! {
        /// A dot with its interval.
        pub(super) struct DotRow<'a> in "sql" version 1 key() {
            /// panel
            panel: Category,
            /// series
            series: Category,
            /// category
            row: Category,
            /// statistic
            mean: Option<Float64>,
            /// lower end
            ci_low: Option<Float64>,
            /// upper end
            ci_high: Option<Float64>,
            /// runs
            n_runs: Int32,
            /// of which diverged
            n_diverged: Int32,
        }
    }

    #[test]
    fn dots_stand_in_the_rows_that_were_asked_for_and_only_the_first_panel_of_a_line_labels_them() {
        let dot = |panel, series, row, mean| DotRow {
            panel,
            series,
            row,
            mean: Some(mean),
            ci_low: Some(mean - 1.0),
            ci_high: None,
            n_runs: 20,
            n_diverged: 0,
        };
        let rows = [dot("5", "oja", "direct", 2.0), dot("5", "bp", "random", 1.0), dot("10", "oja", "direct", 3.0)];
        let text = "of = 't'\nlayout = 'dots'\npanels = [{ panel = '5' }, { panel = '10' }]\ncaption = 'Over {runs}.'\n\
                    rows = [{ row = 'random', label = 'Random' }, { row = 'direct' }]\nseries = [{ series = 'oja' }]";
        let frame = Frame::new("t", DotRow::batch(&rows));
        let figure =
            Spec::read(&Node::parse("figure", text.to_owned()).unwrap()).unwrap().describe(&frame, None).unwrap();
        assert_eq!((figure.columns, figure.caption.as_deref()), (2, Some("Over 20 runs.")));
        let [PanelKind::Dots(five), PanelKind::Dots(ten)] = [&figure.panels[0].kind, &figure.panels[1].kind] else {
            panic!("{figure:?}")
        };
        assert_eq!((&five.rows, &ten.rows), (&vec!["Random".to_owned(), "direct".to_owned()], &vec![String::new(); 2]));
        // An interval has two ends.
        assert_eq!(five.series[0].values, [None, Some((2.0, None))]);
        assert_eq!(ten.series[0].values, [None, Some((3.0, None))]);
        let bench = Bench::new().published("t", DotRow::schema(), 0, DotRow::batch(&rows));
        let made = bench.run(&FigureKind, text).unwrap();
        assert!(std::str::from_utf8(&made.files["svg"]).unwrap().contains("Random"));
    }

    #[test]
    fn a_figure_is_written_as_svg_and_as_png_of_its_width() {
        let bench = Bench::new().published("points", PointRow::schema(), 0, PointRow::batch(&points()));
        let made = bench.run(&FigureKind, "of = 'points'\ntitle = 'Sizes'\nwidth = 'single'").unwrap();
        let svg = std::str::from_utf8(&made.files["svg"]).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("Sizes"), "{}", &svg[..200]);
        let png = &made.files["png"];
        assert_eq!(png[..8], *b"\x89PNG\r\n\x1a\n");
        // 89 mm at 300 dots an inch.
        let width = u32::from_be_bytes(png[16..20].try_into().unwrap());
        assert!((1050..=1052).contains(&width), "{width}");
        assert!(made.tables.is_empty());
    }

    /// An editor has one list of rows for all layouts; which of them goes with a layout is the planner's affair.
    #[test]
    fn the_schema_has_what_any_layout_can_hold() {
        let mut generator = schemars::SchemaGenerator::default();
        let schema = FigureKind.schema(&mut generator).to_value();
        let definitions = generator.take_definitions(true);
        let held = |list: &str, key: &str| {
            let items = &schema["properties"][list]["items"];
            let all = items["anyOf"].as_array().cloned().unwrap_or_else(|| vec![items.clone()]);
            all.iter().any(|item| {
                let name = item["$ref"].as_str().and_then(|path| path.rsplit('/').next()).expect("a named type");
                definitions[name]["properties"].get(key).is_some()
            })
        };
        for (list, key) in [
            ("rows", "x"),
            ("rows", "row"),
            ("reference", "x"),
            ("reference", "y"),
            ("panels", "x_range"),
            ("series", "colour"),
        ] {
            assert!(held(list, key), "{list} {key}: {}", schema["properties"][list]);
        }
    }

    #[test]
    fn a_table_that_a_layout_cannot_draw_is_refused() {
        let bench = Bench::new().published("points", PointRow::schema(), 0, PointRow::batch(&points()));
        let fault = |parameters: &str| match bench.run(&FigureKind, &format!("of = 'points'\n{parameters}")) {
            Err(Error::Spec(faults)) => faults[0].message.clone(),
            other => panic!("{other:?}"),
        };
        assert!(fault("layout = 'images'").ends_with("`points` has no `pixels`"));
        assert_eq!(fault("columns = 0"), "a figure has at least one column of panels");
        assert_eq!(fault("columns = 1000000000"), "1000000000 panels side by side; a page has room for 100");
    }

    #[test]
    fn a_range_that_no_axis_can_have_is_refused_where_it_is_written() {
        let bench = Bench::new().published("points", PointRow::schema(), 0, PointRow::batch(&points()));
        let fault = |parameters: &str| match bench.run(&FigureKind, &format!("of = 'points'\n{parameters}")) {
            Err(Error::Spec(faults)) => (faults[0].message.clone(), faults[0].span.as_ref().unwrap().text().to_owned()),
            other => panic!("{other:?}"),
        };
        let (message, place) = fault("y_range = [0, 1e-320]");
        assert_eq!(
            message,
            "`y_range` goes from 0e0 to 1e-320: it is narrower than an axis can be: numbers begin at 1e-280"
        );
        assert_eq!(place, "[0, 1e-320]");
        for range in ["[1, 0]", "[0, 0]", "[nan, 1]", "[-1e308, 1e308]", "[0, inf]"] {
            assert_eq!(fault(&format!("y_range = {range}")).1, range);
            assert_eq!(fault(&format!("panels = [{{ panel = 'small', x_range = {range} }}]")).1, range);
            assert_eq!(fault(&format!("layout = 'heat'\nvalue_range = {range}")).1, range);
        }
        assert_eq!(fault("y_scale = 'log'\npanels = [{ panel = 'small', y_range = [0, 1] }]").1, "[0, 1]");
        bench.run(&FigureKind, "of = 'points'\ny_range = [0, 1]\nx_range = [-1e200, 1e200]").unwrap();
    }
}
