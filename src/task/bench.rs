//! Tables in memory as the surroundings of one task: a stage is planned and run without a pipeline, a run or a store.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::RecordBatch;

use super::{
    Available, Axes, Facts, Gathered, InputId, Kind, KnownValues, Output, Planned, Planning, Reads, Reference, Shared,
    Surroundings, TableId,
};
use crate::error::{Error, Result};
use crate::spec::node::Node;
use crate::spec::{Definitions, NamedNode};
use crate::store::Key;
use crate::tables::frame::Frame;
use crate::tables::{Row, Table, TableSchema};

/// What there is for a stage to refer to.
pub(crate) struct Bench {
    available: Vec<(Available, Arc<Table>)>,
    gathered: Vec<(Gathered, RecordBatch)>,
    definitions: Definitions,
    matrix: KnownValues,
    resources: Box<dyn Any + Sync>,
    /// Outputs that nobody reads.
    unwanted: BTreeSet<String>,
    /// How often a task may go on before the user stops it.
    patience: Cell<Option<usize>>,
    /// What a task left, where it may; each time in the place of what it left before.
    left: RefCell<Option<Left>>,
    leaves: Cell<bool>,
}

/// A state of a task, and the rows that it had written by then.
#[derive(Clone, Debug)]
struct Left {
    state: Vec<u8>,
    rows: Vec<(String, RecordBatch)>,
}

impl Bench {
    /// With nothing on it.
    pub(crate) fn new() -> Self {
        Self {
            available: Vec::new(),
            gathered: Vec::new(),
            definitions: Definitions::default(),
            matrix: KnownValues::new(),
            resources: Box::new(()),
            unwanted: BTreeSet::new(),
            patience: Cell::new(None),
            left: RefCell::default(),
            leaves: Cell::new(false),
        }
    }

    /// A table that a task of `stage` has made; `role` is what the stage calls it where it makes several.
    pub(crate) fn made(mut self, stage: &str, role: &'static str, table: Table, facts: impl Into<Facts>) -> Self {
        let output = Output::kept(role, table.schema.clone());
        let available = Available { stage: stage.to_owned(), role: role.to_owned(), output, facts: facts.into() };
        self.available.push((available, Arc::new(table)));
        self
    }

    /// A published table, the first so many of whose columns are axes of the matrix.
    pub(crate) fn published(mut self, name: &str, schema: TableSchema, n_axes: usize, batch: RecordBatch) -> Self {
        schema.check(&batch).expect("a batch of the schema");
        // Where it is named is known when a stage refers to it.
        let span = Node::parse("bench", "").expect("nothing is no error").span;
        let (own_axes, values) = (Vec::new(), BTreeMap::new());
        let gathered = Gathered { name: name.to_owned(), span, schema, n_axes, own_axes, values };
        self.gathered.push((gathered, batch));
        self
    }

    /// What kinds look things up in.
    pub(crate) fn resources(mut self, resources: impl Any + Sync) -> Self {
        self.resources = Box::new(resources);
        self
    }

    /// Nobody reads this output.
    #[allow(dead_code)]
    pub(crate) fn unwanted(mut self, output: &str) -> Self {
        self.unwanted.insert(output.to_owned());
        self
    }

    /// The user stops the task after it has asked so many times whether it should.
    pub(crate) fn interrupted_after(self, times: usize) -> Self {
        self.patience.set(Some(times));
        self
    }

    /// From now on a task leaves its state whenever it can, and goes on from the last one if it was stopped; it is, after it has
    /// asked so many times whether it should.
    pub(crate) fn leaves_states(&self, stopped_after: Option<usize>) {
        self.leaves.set(true);
        self.patience.set(stopped_after);
    }

    /// An axis of the matrix, with the values that were written.
    pub(crate) fn axis(mut self, name: &str, values: impl IntoIterator<Item = crate::tables::frame::Cell>) -> Self {
        self.matrix.insert(name.to_owned(), values.into_iter().collect());
        self
    }

    /// `[rules.…]`
    #[allow(dead_code)]
    pub(crate) fn rule(mut self, name: &str, text: &str) -> Self {
        let node = Node::parse("bench", text).expect("a definition in TOML");
        self.definitions.rules.push(NamedNode { name: name.to_owned(), name_span: node.span.clone(), node });
        self
    }

    /// Plans a stage with these parameters and runs it.
    ///
    /// # Errors
    /// A fault of the parameters, as [`Error::Spec`], or an error of the run.
    pub(crate) fn run(&self, kind: &dyn Kind, parameters: &str) -> Result<Made> {
        let node = Node::parse("bench", parameters).map_err(Error::Spec)?;
        self.run_node(kind, &node)
    }

    /// As [`Bench::run`], without running it.
    ///
    /// # Errors
    /// A fault of the parameters, as [`Error::Spec`].
    pub(crate) fn plan(&self, kind: &dyn Kind, parameters: &str) -> Result<Planned> {
        let node = Node::parse("bench", parameters).map_err(Error::Spec)?;
        Ok(self.plan_node(kind, &node)?.planned)
    }

    fn plan_node(&self, kind: &dyn Kind, parameters: &Node) -> Result<OnIt> {
        let spec = |fault| Error::Spec(vec![fault]);
        let references = kind.references(parameters).map_err(spec)?;
        let refers =
            |name: &str, reads: Reads| references.iter().any(|one: &Reference| one.name == name && one.reads == reads);
        let is_read = |available: &Available| refers(&available.stage, Reads::Task);
        let (available, inputs): (Vec<Available>, Vec<Arc<Table>>) =
            self.available.iter().filter(|(available, _)| is_read(available)).cloned().unzip();
        let (mut tables, mut batches): (Vec<Gathered>, Vec<RecordBatch>) = Default::default();
        for reference in references.iter().filter(|reference| reference.reads == Reads::Table) {
            let found = self.gathered.iter().find(|(gathered, _)| gathered.name == reference.name);
            let (gathered, batch) = found.unwrap_or_else(|| panic!("no table `{}` on the bench", reference.name));
            if tables.iter().all(|table| table.name != reference.name) {
                tables.push(Gathered { span: reference.span.clone(), ..gathered.clone() });
                batches.push(batch.clone());
            }
        }
        let planning = Planning {
            stage: "stage",
            parameters,
            resources: &*self.resources,
            definitions: &self.definitions,
            matrix: &self.matrix,
            available: &available,
            tables: &tables,
            memory: 8_000_000_000,
        };
        Ok(OnIt { planned: kind.plan(&planning).map_err(spec)?, inputs, batches })
    }

    /// As [`Bench::run`], of parameters that are no table of their own.
    ///
    /// # Errors
    /// As [`Bench::run`].
    pub(crate) fn run_node(&self, kind: &dyn Kind, parameters: &Node) -> Result<Made> {
        let OnIt { planned, inputs, batches } = self.plan_node(kind, parameters)?;
        let surroundings = OnBench {
            bench: self,
            key: Key::parse(&"f".repeat(64)).expect("64 hexadecimal digits"),
            inputs: planned.inputs.iter().map(|&index| inputs[index].clone()).collect(),
            gathered: batches,
            outputs: planned.work.outputs(),
            made: RefCell::default(),
        };
        planned.work.run(&surroundings)?;
        self.left.take();
        let mut made = surroundings.made.into_inner();
        for output in planned.work.outputs() {
            // A table without rows is a table all the same.
            let empty = || Table::new(output.schema.as_ref().clone(), Vec::new());
            made.tables.entry(output.table().to_owned()).or_insert_with(empty);
        }
        Ok(made)
    }
}

/// A task on a bench, and what there is for it to read.
struct OnIt {
    planned: Planned,
    inputs: Vec<Arc<Table>>,
    batches: Vec<RecordBatch>,
}

/// What a task made on a bench.
#[derive(Debug, Default)]
pub(crate) struct Made {
    pub(crate) tables: BTreeMap<String, Table>,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) notices: Vec<String>,
    pub(crate) shared: BTreeMap<String, Shared>,
}

impl Made {
    /// The rows of an output.
    pub(crate) fn rows<'a, R: Row<'a>>(&'a self, output: &str) -> Vec<R> {
        self.tables[output].rows().expect("rows of the declared table")
    }

    /// An output with columns that only the parameters know.
    pub(crate) fn frame(&self, output: &str) -> Frame {
        Frame::new(output, self.tables[output].to_batch().expect("batches of one schema"))
    }
}

struct OnBench<'a> {
    bench: &'a Bench,
    key: Key,
    inputs: Vec<Arc<Table>>,
    gathered: Vec<RecordBatch>,
    outputs: &'a [Output],
    made: RefCell<Made>,
}

impl Surroundings for OnBench<'_> {
    fn key(&self) -> &Key {
        &self.key
    }

    fn label(&self) -> &str {
        "stage on a bench"
    }

    fn table(&self, InputId(index): InputId) -> Result<Arc<Table>> {
        Ok(self.inputs[index].clone())
    }

    fn shared(&self, input: InputId, decode: &dyn Fn(&Table) -> Result<Shared>) -> Result<Shared> {
        decode(&*self.table(input)?)
    }

    fn is_shared(&self, _: &str) -> bool {
        true
    }

    fn share(&self, output: &str, decoded: Shared) {
        assert!(self.outputs.iter().any(|known| known.table() == output), "`{output}` is no output of the stage");
        self.made.borrow_mut().shared.insert(output.to_owned(), decoded);
    }

    fn gathered(&self, TableId(index): TableId, _: Axes) -> Result<RecordBatch> {
        Ok(self.gathered[index].clone())
    }

    fn wants(&self, output: &str) -> bool {
        !self.bench.unwanted.contains(output)
    }

    fn schema(&self, output: &str) -> Result<&TableSchema> {
        let found = self.outputs.iter().find(|known| known.table() == output);
        Ok(found.unwrap_or_else(|| panic!("`{output}` is no output of the stage")).schema.as_ref())
    }

    fn write(&self, output: &str, rows: RecordBatch) -> Result<()> {
        let schema = self.schema(output)?;
        schema.check(&rows).expect("rows of the schema");
        let mut made = self.made.borrow_mut();
        let empty = || Table::new(schema.clone(), Vec::new());
        made.tables.entry(output.to_owned()).or_insert_with(empty).batches.push(rows);
        Ok(())
    }

    fn write_file(&self, name: &str, content: &[u8]) -> Result<()> {
        self.made.borrow_mut().files.insert(name.to_owned(), content.to_owned());
        Ok(())
    }

    fn notice(&self, text: &str) {
        self.made.borrow_mut().notices.push(text.to_owned());
    }

    fn measured(&self, _: &'static str, _: u64, _: f64) {}
    fn take_up(&self, take: &mut dyn FnMut(&[u8]) -> Result<(), String>) -> Result<bool> {
        let Some(left) = self.bench.left.borrow().clone() else { return Ok(false) };
        assert!(self.made.borrow().tables.is_empty(), "it asks before it writes anything");
        take(&left.state).expect("what a task left is its own");
        for (output, rows) in left.rows {
            self.write(&output, rows)?;
        }
        Ok(true)
    }

    fn is_time_to_leave(&self) -> bool {
        self.bench.leaves.get()
    }

    fn leave(&self, state: &[u8]) {
        let made = self.made.borrow();
        let rows =
            made.tables.iter().flat_map(|(name, table)| table.batches.iter().map(|rows| (name.clone(), rows.clone())));
        *self.bench.left.borrow_mut() = Some(Left { state: state.to_vec(), rows: rows.collect() });
    }

    fn check_interrupted(&self) -> Result<()> {
        match self.bench.patience.get() {
            Some(0) => Err(Error::Interrupted),
            patience => {
                self.bench.patience.set(patience.map(|times| times - 1));
                Ok(())
            }
        }
    }
}
