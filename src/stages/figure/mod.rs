//! a summary table → a figure, as SVG and PNG
//!
//! Three layouts: curves (`lines`), tuning surfaces (`heat`), grids of images (`images`). What a layout needs of the table
//! stands at its `COLUMNS`.

mod heat;
mod images;
mod lines;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::figures::{self, Figure};
use crate::spec::node::{Fault, Node, choices};
use crate::tables::TableError;
use crate::tables::frame::{Cell, Frame};
use crate::task::{Axes, Kind, Output, Planned, Planning, Reads, Reference, Surroundings, TableId, Work};

/// `kind = "figure"`
pub struct FigureKind;

/// Dots per inch of the PNG: what journals ask of line art with grey tones.
const DPI: f64 = 300.0;

fn one() -> usize {
    1
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Width {
    /// 89 mm.
    Single,
    /// 180 mm.
    #[default]
    Double,
}

impl Width {
    fn mm(self) -> f64 {
        match self {
            Self::Single => Figure::SINGLE_COLUMN_MM,
            Self::Double => Figure::DOUBLE_COLUMN_MM,
        }
    }
}

/// What is drawn, by the key `layout`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Layout {
    /// Curves with shaded intervals.
    #[default]
    Lines,
    /// Surfaces over two swept parameters, curves over one.
    Heat,
    /// A grid of images.
    Images,
}

/// The parameters of a figure, by layout.
#[derive(Clone, Debug)]
enum Spec {
    Lines(lines::LinesSpec),
    Heat(heat::HeatSpec),
    Images(images::ImagesSpec),
}

impl Spec {
    /// The table that is drawn.
    fn of(&self) -> &str {
        match self {
            Self::Lines(spec) => &spec.of,
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
            Layout::Heat => Self::Heat(rest.read()?),
            Layout::Images => Self::Images(rest.read()?),
        })
    }

    /// Columns that the table must have.
    fn table_columns(&self) -> &'static [&'static str] {
        match self {
            Self::Lines(_) => &lines::COLUMNS,
            Self::Heat(_) => &heat::COLUMNS,
            Self::Images(_) => &images::COLUMNS,
        }
    }

    fn panel_columns(&self) -> Option<usize> {
        match self {
            Self::Lines(spec) => Some(spec.columns),
            Self::Heat(spec) => Some(spec.columns),
            Self::Images(_) => None,
        }
    }
}

impl Kind for FigureKind {
    fn name(&self) -> &'static str {
        "figure"
    }

    fn summary(&self) -> &'static str {
        "Draws a summary table, as SVG and PNG."
    }

    fn version(&self) -> u32 {
        1
    }

    /// The parameters of all layouts side by side: an editor completes them all, the planner knows which go together.
    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let layouts = [
            generator.root_schema_for::<lines::LinesSpec>(),
            generator.root_schema_for::<heat::HeatSpec>(),
            generator.root_schema_for::<images::ImagesSpec>(),
        ];
        // What they refer to is registered with the schema as a whole.
        generator.subschema_for::<lines::LinesSpec>();
        generator.subschema_for::<heat::HeatSpec>();
        generator.subschema_for::<images::ImagesSpec>();
        let layout = generator.subschema_for::<Layout>();
        let mut properties = serde_json::Map::from_iter([("layout".to_owned(), layout.to_value())]);
        for schema in &layouts {
            let own = schema.get("properties").and_then(serde_json::Value::as_object);
            for (name, property) in own.into_iter().flatten() {
                properties.entry(name).or_insert_with(|| property.clone());
            }
        }
        schemars::json_schema!({ "type": "object", "properties": properties })
    }

    fn references(&self, parameters: &Node) -> Result<Vec<Reference>, Fault> {
        Ok(vec![Reference::required(parameters, "of", Reads::Table)?])
    }

    fn plan(&self, planning: &Planning<'_>) -> Result<Planned, Fault> {
        let spec = Spec::read(planning.parameters)?;
        let (id, table) = planning.gathered(spec.of());
        for needed in spec.table_columns() {
            if table.schema.column(needed).is_none() {
                let message = format!(
                    "this figure is drawn from the columns {}; `{}` has no `{needed}`",
                    choices(spec.table_columns()),
                    table.name
                );
                return Err(planning.fault("of", message));
            }
        }
        if spec.panel_columns() == Some(0) {
            return Err(planning.fault("columns", "a figure has at least one column of panels"));
        }
        Ok(Planned::new(FigureTask { spec, table: id }))
    }
}

#[derive(Debug)]
struct FigureTask {
    spec: Spec,
    table: TableId,
}

impl Work for FigureTask {
    fn parameters(&self) -> serde_json::Value {
        let (layout, parameters) = match &self.spec {
            Spec::Lines(spec) => (None, serde_json::to_value(spec)),
            Spec::Heat(spec) => (Some("heat"), serde_json::to_value(spec)),
            Spec::Images(spec) => (Some("images"), serde_json::to_value(spec)),
        };
        let mut parameters = parameters.expect("plain data");
        let table = parameters.as_object_mut().expect("a struct");
        table.extend(layout.map(|layout| ("layout".to_owned(), layout.into())));
        // Which table is drawn stands among the inputs; what a person called it does not change the picture.
        table.remove("of");
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
        let figure = match &self.spec {
            Spec::Lines(spec) => spec.describe(&frame),
            Spec::Heat(spec) => spec.describe(&frame),
            Spec::Images(spec) => spec.describe(&frame),
        };
        let svg = figures::svg(&figure.map_err(|error| context.internal(error))?);
        context.write_file("svg", svg.as_bytes())?;
        let png = figures::png(&svg, DPI).map_err(|error| context.internal(error))?;
        context.write_file("png", &png)
    }

    fn cost(&self) -> f64 {
        0.5
    }
}

/// How many runs stand behind each row.
struct Rows {
    n_runs: Vec<Option<f64>>,
    n_diverged: Vec<Option<f64>>,
}

impl Rows {
    fn read(frame: &Frame) -> Result<Self, TableError> {
        Ok(Self { n_runs: frame.numbers("n_runs")?, n_diverged: frame.numbers("n_diverged")? })
    }

    /// "20 runs", "18 to 20 runs", and how many of them diverged.
    fn in_words(&self) -> String {
        let counts = || self.n_runs.iter().flatten();
        let (least, most) = (counts().copied().fold(f64::INFINITY, f64::min), counts().copied().fold(0.0, f64::max));
        let runs = if least < most { format!("{least} to {most} runs") } else { format!("{most} runs") };
        match self.n_diverged.iter().flatten().copied().fold(0.0, f64::max) {
            0.0 => runs,
            diverged => format!("{runs}, up to {diverged} of them diverged"),
        }
    }
}

fn distinct(cells: &[Cell]) -> Vec<Cell> {
    let mut distinct = cells.to_vec();
    distinct.sort();
    distinct.dedup();
    distinct
}

/// a, b, c …
fn letter(index: usize) -> String {
    char::from(b'a' + (index % 26) as u8).to_string()
}
