//! Kinds that compute next to nothing, for tests of planning and of scheduling: what they do is written down.
//!
//! `number` makes the table `numbers` with one row, `value`; with `passing = true` it hands `numbers` on in memory as well,
//! as `stream`. `double` reads `numbers` (or `stream`) of the matching task, makes `doubled` and hands it on as `stream`; with `more = n`, `doubled` has
//! n rows more; it is said to take `plus` seconds. `total` gathers a table and sums it. `race` gathers a table and, as long as fewer than `until` parts are there, asks for one more value of the axis
//! `value`.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;

use super::{
    Addition, Axes, Catalogue, InputId, Inputs, Kind, Others, Output, Planned, Planning, Reads, Reference, Sequel,
    Storage, Surroundings, TableId, Work,
};
use crate::error::{Error, Result};
use crate::spec::Definitions;
use crate::spec::node::{Fault, Node};
use crate::tables::frame::Cell;
use crate::tables::{Column, ColumnType, Table, TableSchema};

/// What the tasks of a catalogue did, and how they are to misbehave.
#[derive(Debug, Default)]
pub(crate) struct Diary {
    entries: Mutex<Vec<String>>,
    /// The label of a task that fails.
    pub(crate) fails: Mutex<Option<String>>,
    /// The label of a task that raises the flag it is given, as a user who presses Ctrl-C would.
    pub(crate) interrupts: Mutex<Option<(String, Arc<AtomicBool>)>>,
    /// The label of a number that has no rows.
    pub(crate) silent: Mutex<Option<String>>,
}

impl Diary {
    fn write(&self, surroundings: &dyn Surroundings) -> Result<()> {
        let label = surroundings.label().to_owned();
        let interrupts = self.interrupts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((wanted, flag)) = interrupts
            && wanted == label
        {
            flag.store(true, Ordering::Relaxed);
        }
        surroundings.check_interrupted()?;
        if self.fails.lock().unwrap_or_else(PoisonError::into_inner).as_deref() == Some(&label) {
            return Err(surroundings.numerics("as it was told"));
        }
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).push(label);
        Ok(())
    }

    /// The labels of the tasks that ran, in the order in which they did, since this was last asked.
    pub(crate) fn read(&self) -> Vec<String> {
        std::mem::take(&mut self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The fake kinds, and the diary that they keep.
#[derive(Debug, Default)]
pub(crate) struct Fakes {
    pub(crate) diary: Arc<Diary>,
}

impl Catalogue for Fakes {
    fn kinds(&self) -> &[&'static dyn Kind] {
        &[&Number, &Double, &Total, &Race]
    }

    fn claims(&self) -> &'static dyn Kind {
        &Total
    }

    fn resources(&self) -> &(dyn Any + Sync) {
        &self.diary
    }
}

fn diary(planning: &Planning<'_>) -> Arc<Diary> {
    let resources: &dyn Any = planning.resources;
    resources.downcast_ref::<Arc<Diary>>().expect("fakes keep a diary").clone()
}

fn integer(planning: &Planning<'_>, field: &str) -> Result<i64, Fault> {
    let table = planning.parameters.as_table();
    table.and_then(|table| table.get(field)).map_or(Ok(0), Node::read)
}

fn schema(kind: &'static str, column: &'static str) -> TableSchema {
    TableSchema::new(kind, 1, vec![Column::new(column, ColumnType::Int64, "", "a number")], &[column])
}

fn rows(output: &Output, values: Vec<i64>) -> RecordBatch {
    RecordBatch::try_new(output.schema.to_arrow(), vec![Arc::new(Int64Array::from(values))]).expect("one column")
}

fn sum(batch: &RecordBatch, column: &str) -> i64 {
    let array = batch.column_by_name(column).expect("a fake table has its column");
    array.as_primitive::<Int64Type>().iter().flatten().sum()
}

macro_rules! fake_kind {
    ($kind:ident, $name:literal, $axes:expr, $reference:expr) => {
        struct $kind;

        impl Kind for $kind {
            fn name(&self) -> &'static str {
                $name
            }

            fn summary(&self) -> &'static str {
                "A kind for tests."
            }

            fn version(&self) -> u32 {
                1
            }

            fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                generator.subschema_for::<String>()
            }

            fn axis_parameter(&self, axis: &str, _: &Definitions) -> Option<Vec<String>> {
                $axes.contains(&axis).then(|| vec![axis.to_owned()])
            }

            fn references(&self, parameters: &Node) -> Result<Vec<Reference>, Fault> {
                let reads: Option<Reads> = $reference;
                Ok(reads.map(|reads| Reference::required(parameters, "of", reads)).transpose()?.into_iter().collect())
            }

            fn plan(&self, planning: &Planning<'_>) -> Result<Planned, Fault> {
                $kind::planned(planning)
            }
        }
    };
}

fake_kind!(Number, "number", ["value"], None);
fake_kind!(Double, "double", ["plus"], Some(Reads::Task));
fake_kind!(Total, "total", ["nothing"], Some(Reads::Table));
fake_kind!(Race, "race", ["nothing"], Some(Reads::Table));

#[derive(Debug)]
struct Task {
    diary: Arc<Diary>,
    what: What,
    outputs: Vec<Output>,
}

#[derive(Debug)]
enum What {
    Number { value: i64 },
    Double { input: InputId, plus: i64, more: i64 },
    Total { table: TableId, column: String },
    Race { table: TableId, until: i64 },
}

impl Number {
    fn planned(planning: &Planning<'_>) -> Result<Planned, Fault> {
        let value = integer(planning, "value")?;
        if value < 0 {
            return Err(planning.fault("value", format!("{value} is less than nothing")));
        }
        let outputs = vec![
            Output::kept("numbers", schema("numbers", "number")).register(),
            Output::passing("stream", schema("numbers", "number")),
        ];
        Ok(Planned::new(Task { diary: diary(planning), what: What::Number { value }, outputs }))
    }
}

impl Double {
    fn planned(planning: &Planning<'_>) -> Result<Planned, Fault> {
        let passing: bool =
            planning.parameters.as_table().and_then(|table| table.get("passing")).map_or(Ok(false), Node::read)?;
        let mut inputs = Inputs::new(planning);
        let (input, _) = inputs.read(if passing { "stream" } else { "numbers" })?;
        let what = What::Double { input, plus: integer(planning, "plus")?, more: integer(planning, "more")? };
        let outputs = vec![
            Output::kept("", schema("doubled", "doubled").in_folder()),
            Output::passing("stream", schema("numbers", "number")),
        ];
        Ok(Planned::new(Task { diary: diary(planning), what, outputs }).reading(inputs))
    }
}

impl Total {
    fn planned(planning: &Planning<'_>) -> Result<Planned, Fault> {
        let [gathered] = planning.tables else { unreachable!("one reference") };
        let column = gathered.schema.columns.last().expect("a column").name.to_string();
        let what = What::Total { table: planning.gathered(&gathered.name).0, column };
        let outputs = vec![Output::kept("", schema("total", "total"))];
        Ok(Planned::new(Task { diary: diary(planning), what, outputs }))
    }
}

impl Race {
    fn planned(planning: &Planning<'_>) -> Result<Planned, Fault> {
        let [gathered] = planning.tables else { unreachable!("one reference") };
        let what = What::Race { table: planning.gathered(&gathered.name).0, until: integer(planning, "until")? };
        let outputs = vec![Output::kept("", schema("race", "parts"))];
        Ok(Planned::new(Task { diary: diary(planning), what, outputs }))
    }
}

impl Work for Task {
    fn parameters(&self) -> serde_json::Value {
        match &self.what {
            What::Number { value } => serde_json::json!({ "value": value }),
            What::Double { plus, more, .. } => serde_json::json!({ "plus": plus, "more": more }),
            What::Total { .. } => serde_json::json!({}),
            What::Race { until, .. } => serde_json::json!({ "until": until }),
        }
    }

    fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    fn cost(&self) -> f64 {
        match self.what {
            What::Double { plus, .. } => 0.05 + plus as f64,
            _ => 0.05,
        }
    }

    fn sequel(&self) -> Option<&dyn Sequel> {
        matches!(self.what, What::Race { .. }).then_some(self)
    }

    fn run(&self, surroundings: &dyn Surroundings) -> Result<()> {
        self.diary.write(surroundings)?;
        match &self.what {
            What::Number { value } => {
                let silent = self.diary.silent.lock().unwrap_or_else(PoisonError::into_inner);
                if silent.as_deref() == Some(surroundings.label()) {
                    return Ok(());
                }
                for output in self.outputs.iter().filter(|output| surroundings.wants(output.table())) {
                    surroundings.write(output.table(), rows(output, vec![*value]))?;
                }
                Ok(())
            }
            What::Double { input, plus, more } => {
                let value = 2 * sum(&surroundings.batch(*input)?, "number") + plus;
                for output in self.outputs.iter().filter(|output| surroundings.wants(output.table())) {
                    let more = if output.storage == Storage::Passing { 0 } else { *more };
                    // Ascending, and far enough apart to take room.
                    let values = (0..=more).map(|n| value + n * 1_000_003 + (n * n) % 65_537).collect();
                    surroundings.write(output.table(), rows(output, values))?;
                }
                Ok(())
            }
            What::Total { table, column } => {
                let total = sum(&surroundings.gathered(*table, Axes::Own)?, column);
                surroundings.write("total", rows(&self.outputs[0], vec![total]))
            }
            What::Race { table, .. } => {
                let parts = surroundings.gathered(*table, Axes::Own)?.num_rows();
                surroundings.write("race", rows(&self.outputs[0], vec![parts as i64]))
            }
        }
    }
}

impl Sequel for Task {
    fn more(&self, read: &dyn Fn(&str) -> Result<Table>) -> Result<Vec<Addition>> {
        let What::Race { until, .. } = self.what else { return Ok(Vec::new()) };
        let batch = read("race")?.to_batch().map_err(|error| Error::Store(error.to_string()))?;
        let parts = sum(&batch, "parts");
        let addition =
            || Addition { places: vec![("value".to_owned(), Cell::Integer(100 + parts))], others: Others::Null };
        Ok(if parts < until { vec![addition()] } else { Vec::new() })
    }

    fn at_most(&self) -> usize {
        match self.what {
            What::Race { until, .. } => usize::try_from(until).unwrap_or(0),
            _ => 0,
        }
    }

    fn levels(&self) -> usize {
        self.at_most()
    }
}
