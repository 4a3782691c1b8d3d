//! tables → a table of the query's columns: selections and joins, in SQL that DuckDB runs too

use schemars::JsonSchema;
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::spec::node::{Fault, Node, Span, suggestion};
use crate::tables::parquet::column_type;
use crate::tables::sql::{self, Query};
use crate::tables::{Column, TableSchema};
use crate::task::{Axes, Kind, Output, Planned, Planning, Reads, Reference, Surroundings, TableId, Work};

/// `kind = "sql"`
pub struct Sql;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SqlSpec {
    /// One SELECT over the tables of this pipeline, by their published names.
    ///
    /// The same tables always give the same rows in the same order. What ORDER BY leaves open falls to all columns of the
    /// result from left to right (those that are lists last): NULL first, numbers upwards with -0.0 before 0.0, NaN last.
    /// LIMIT, OFFSET and DISTINCT ON come after that; without ORDER BY they take the order of all columns. FIRST, LAST,
    /// windows and ordered aggregates leave ties to the order of the rows that they read: a table is sorted by all its
    /// columns, a join keeps the order of its left, then of its right side. Sums are taken in that order, on one thread.
    query: String,
}

impl Kind for Sql {
    fn name(&self) -> &'static str {
        "sql"
    }

    fn summary(&self) -> &'static str {
        "Selects and joins tables of this pipeline."
    }

    fn version(&self) -> u32 {
        2
    }

    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<SqlSpec>()
    }

    fn references(&self, parameters: &Node) -> Result<Vec<Reference>, Fault> {
        let spec: SqlSpec = parameters.read()?;
        let span =
            parameters.as_table().and_then(|table| table.get("query")).map_or(&parameters.span, |node| &node.span);
        let query = Query::parse(&spec.query).map_err(|message| place(span, &spec.query, message))?;
        if query.tables.is_empty() {
            return Err(Fault::at(span, "the query reads no table"));
        }
        let reference =
            |name: String| Reference { span: span.narrowed(&name), name, reads: Reads::Table, beside: None };
        Ok(query.tables.into_iter().map(reference).collect())
    }

    fn plan(&self, planning: &Planning<'_>) -> Result<Planned, Fault> {
        let spec: SqlSpec = planning.parameters.read()?;
        let in_query = |message| place(planning.span("query"), &spec.query, message);
        let query = Query::parse(&spec.query).map_err(in_query)?;
        // Run over the tables' columns without rows: an unknown column or function shows now, and so does the schema.
        let tables: Vec<_> =
            planning.tables.iter().map(|table| (table.name.as_str(), sql::empty(&table.schema))).collect();
        let result = query.run(&tables).map_err(|message| misspelt(in_query(message), planning))?;
        let mut columns = Vec::new();
        for (index, field) in result.schema().fields().iter().enumerate() {
            let Some(kind) = column_type(field.data_type()) else {
                let message =
                    format!("column `{}` has the type {}, which tables do not use", field.name(), field.data_type());
                return Err(planning.fault("query", message));
            };
            // A column that comes from a table unchanged keeps its unit and description; any other says how it is made.
            let expressions = query.expressions(index);
            let origin = match expressions.as_slice() {
                [] => field.name(),
                [only] => only.rsplit('.').next().unwrap_or(only).trim_matches('"'),
                _ => "",
            };
            let known = planning.tables.iter().find_map(|table| table.schema.column(origin));
            let (unit, description) = match known {
                Some(known) => (known.unit.clone(), known.description.clone()),
                None if expressions.is_empty() => ("".into(), "made by the query".into()),
                None => ("".into(), format!("made by the query: {}", expressions.join(" | ")).into()),
            };
            columns.push(Column { name: field.name().clone().into(), kind, unit, description, nullable: true });
        }
        let mut schema = TableSchema::new("sql", 1, columns, &[]);
        schema.tolerance = planning.tables.iter().find_map(|table| table.schema.tolerance.clone());
        Ok(Planned::new(SqlTask {
            tables: planning
                .tables
                .iter()
                .map(|table| (table.name.clone(), planning.gathered(&table.name).0))
                .collect(),
            written: planning.span("query").clone(),
            query,
            outputs: [Output::kept("", schema)],
        }))
    }
}

/// A fault of the query at the word that it is about: the parser gives line and column, Polars names the word.
fn place(written: &Span, query: &str, message: String) -> Fault {
    // What follows the first line is Polars' view of its own plan.
    let line = message.lines().next().unwrap_or_default();
    let line = line.strip_prefix("sql parser error: ").or_else(|| line.strip_prefix("not found: ")).unwrap_or(line);
    let (text, position) = line.split_once(" at Line: ").unwrap_or((line, ""));
    let quoted = ['"', '\'', '`'].into_iter().find_map(|quote| text.split(quote).nth(1));
    let span = offset(query, position)
        .and_then(|offset| written.part_at(query, offset))
        .unwrap_or_else(|| written.narrowed(quoted.unwrap_or_default()));
    Fault::at(&span, format!("the query: {text}"))
}

/// The same fault, with the column that may have been meant instead of the underlined one.
fn misspelt(fault: Fault, planning: &Planning<'_>) -> Fault {
    let columns: Vec<&str> = planning.tables.iter().flat_map(|table| table.schema.column_names()).collect();
    let written = fault.span.as_ref().map(Span::text).unwrap_or_default();
    match suggestion(written, &columns) {
        Some(help) if fault.message.contains("column") && !columns.contains(&written) => fault.help(help),
        _ => fault,
    }
}

/// The byte at `2, Column: 6`, as the parser counts them.
fn offset(query: &str, position: &str) -> Option<usize> {
    let (line, column) = position.split_once(", Column: ")?;
    let (line, column): (usize, usize) = (line.parse().ok()?, column.parse().ok()?);
    let start: usize = query.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let (in_line, _) = query[start..].char_indices().nth(column.checked_sub(1)?)?;
    Some(start + in_line)
}

#[derive(Debug)]
struct SqlTask {
    query: Query,
    /// Where, for what shows on rows only.
    written: Span,
    tables: Vec<(String, TableId)>,
    outputs: [Output; 1],
}

impl Work for SqlTask {
    fn parameters(&self) -> serde_json::Value {
        serde_json::json!({ "query": self.query.text() })
    }

    fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    fn run(&self, context: &dyn Surroundings) -> Result<()> {
        let tables = self.tables.iter().map(|(name, id)| Ok((name.as_str(), context.gathered(*id, Axes::Own)?)));
        let tables = tables.collect::<Result<Vec<_>>>()?;
        // What a column is, planning has seen; what stands in it (a text that is to be a number) shows now.
        let result = self.query.run(&tables).map_err(|message| {
            let fault = place(&self.written, self.query.text(), message);
            Error::Spec(vec![fault.help(format!("It can be planned, but fails on the rows of `{}`.", context.label()))])
        })?;
        context.write("sql", result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::tables::frame::Cell;
    use crate::tables::{ColumnType, Row, table};
    use crate::task::bench::Bench;

    table! {
        /// Something measured.
        struct AccuracyRow<'a> in "evaluations" version 1 key(rule, step) tolerance(1e-6) {
            /// learning rule
            rule: Category,
            /// samples seen
            step: Int64 in "samples",
            /// share that is right
            accuracy: Option<Float64>,
        }
    }

    table! {
        /// What a rule is called in print.
        struct NameRow<'a> in "names" version 1 key(rule) {
            /// learning rule
            rule: Category,
            /// its name
            title: Text,
        }
    }

    fn bench() -> Bench {
        let row = |rule, step, accuracy| AccuracyRow { rule, step, accuracy };
        let rows = [row("oja", 2, Some(0.5)), row("bp", 1, Some(0.25)), row("oja", 1, None), row("none", 1, Some(1.0))];
        let names = [NameRow { rule: "bp", title: "Backpropagation" }, NameRow { rule: "oja", title: "With Oja" }];
        Bench::new().published("measured", AccuracyRow::schema(), 1, AccuracyRow::batch(&rows)).published(
            "names",
            NameRow::schema(),
            0,
            NameRow::batch(&names),
        )
    }

    #[test]
    fn a_join_is_computed_and_its_columns_say_where_they_come_from() {
        let query = "SELECT title AS series, step, 100 * accuracy AS percent FROM measured JOIN names USING (rule)";
        let made = bench().run(&Sql, &format!("query = \"{query}\"")).unwrap();
        let frame = made.frame("sql");
        let text = |values: &[&str]| values.iter().map(|&text| Cell::Text(text.into())).collect::<Vec<_>>();
        // Without an order of its own, sorted by all columns.
        assert_eq!(frame.cells("series").unwrap(), text(&["Backpropagation", "With Oja", "With Oja"]));
        assert_eq!(frame.numbers("step").unwrap(), [Some(1.0), Some(1.0), Some(2.0)]);
        assert_eq!(frame.numbers("percent").unwrap(), [Some(25.0), None, Some(50.0)]);
        let schema = &made.tables["sql"].schema;
        let described: Vec<_> = schema
            .columns
            .iter()
            .map(|column| (&*column.name, column.kind, &*column.unit, &*column.description, column.nullable))
            .collect();
        assert_eq!(
            described,
            [
                ("series", ColumnType::Category, "", "its name", true),
                ("step", ColumnType::Int64, "samples", "samples seen", true),
                ("percent", ColumnType::Float64, "", "made by the query: 100 * accuracy", true),
            ]
        );
        assert_eq!(schema.tolerance(), Some(1e-6), "what is computed from it differs as much");
        assert!(schema.key.is_empty());
    }

    #[test]
    fn an_order_of_the_query_is_kept() {
        let made =
            bench().run(&Sql, "query = 'SELECT step, rule FROM measured ORDER BY step DESC, rule DESC'").unwrap();
        let rules = made.frame("sql").cells("rule").unwrap();
        assert_eq!(rules.iter().map(ToString::to_string).collect::<Vec<_>>(), ["oja", "oja", "none", "bp"]);
    }

    #[test]
    fn what_is_wrong_with_a_query_is_a_fault_before_it_runs() {
        let fault = |query: &str| match bench().run(&Sql, &format!("query = '{query}'")) {
            Err(Error::Spec(faults)) => faults[0].message.clone(),
            other => panic!("{other:?}"),
        };
        assert!(fault("SELECT wrong FROM measured").contains("wrong"));
        assert_eq!(fault("SELECT 1 AS one"), "the query reads no table");
        assert_eq!(fault("DROP TABLE measured"), "the query: a query is one SELECT");
    }
}
