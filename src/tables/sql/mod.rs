//! SQL over tables: Polars runs it, and what it cannot do is refused when the pipeline is planned.
//!
//! The same tables always give the same rows in the same order, and every number to its last bit: tables come in sorted
//! (`order`), each step of the plan keeps an order or completes one (`plan`), and one thread runs it (`thread`).

mod columns;
mod order;
mod plan;
mod syntax;
mod thread;

use arrow::array::RecordBatch;
use polars::prelude::{IntoLazy, LazyFrame};
use polars::sql::SQLContext;

use super::TableSchema;
use columns::{from_polars, to_polars};

/// A query that has been read but not run.
#[derive(Clone, Debug)]
pub struct Query {
    text: String,
    /// With an order wherever the query picks rows without naming one.
    completed: String,
    /// Tables that it reads, without those that it defines itself (`WITH`).
    pub tables: Vec<String>,
    /// Whether it puts its rows in an order of its own.
    pub ordered: bool,
    selections: Vec<Vec<String>>,
}

impl Query {
    /// # Errors
    /// It is not one SELECT, it calls a function where a table has to stand, or one without the arguments that it needs.
    pub fn parse(text: &str) -> Result<Self, String> {
        let syntax::Parsed { text: completed, tables, ordered, selections } = syntax::parse(text)?;
        Ok(Self { text: text.to_owned(), completed, tables, ordered, selections })
    }

    /// The expressions behind the result's column at `index`, each once: one, or several where a union's parts differ.
    pub fn expressions(&self, index: usize) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        for expression in self.selections.iter().filter_map(|selection| selection.get(index)) {
            if !found.contains(&expression.as_str()) {
                found.push(expression);
            }
        }
        found
    }

    /// The query as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Runs the query over named tables.
    ///
    /// Rows come in the order that the query asks for, and where that leaves ties, or where it asks for none, sorted by all
    /// columns from left to right (those that are lists last): NULL first, numbers upwards, -0.0 before 0.0, NaN last. The
    /// rows of a table stand in that order too, whatever the order in which they are given here; a join, a union and a
    /// group keep it. So the same rows give the same result, bit by bit.
    ///
    /// # Errors
    /// Polars refuses it; its message names the column or function.
    pub fn run(&self, tables: &[(&str, RecordBatch)]) -> Result<RecordBatch, String> {
        let (text, ordered) = (self.completed.clone(), self.ordered);
        let tables: Vec<_> = tables.iter().map(|(name, batch)| ((*name).to_owned(), batch.clone())).collect();
        thread::on_one_thread(move || run(&text, ordered, &tables))
    }
}

fn run(text: &str, ordered: bool, tables: &[(String, RecordBatch)]) -> Result<RecordBatch, String> {
    let message = |error: polars::error::PolarsError| error.to_string();
    let mut context = SQLContext::new();
    for (name, batch) in tables {
        context.register(name, order::sorted(to_polars(batch)?)?.lazy());
    }
    let plan = plan::in_one_order(&context.execute(text).map_err(message)?.logical_plan)?;
    let frame = LazyFrame::from_logical_plan(plan, plan::optimizations()).collect().map_err(message)?;
    from_polars(&if ordered { frame } else { order::sorted(frame)? })
}

/// A table without rows, for trying a query before there are any.
pub fn empty(schema: &TableSchema) -> RecordBatch {
    RecordBatch::new_empty(schema.to_arrow())
}

#[cfg(test)]
mod tests;
