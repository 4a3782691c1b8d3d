//! tables → a table of the query's columns: selections and joins, in SQL that DuckDB runs too

use schemars::JsonSchema;
use serde::Deserialize;

use crate::error::Result;
use crate::spec::node::{Fault, Node, Span};
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
        let reference = |name: String| Reference { span: span.narrowed(&name), name, reads: Reads::Table };
        Ok(query.tables.into_iter().map(reference).collect())
    }

    fn plan(&self, planning: &Planning<'_>) -> Result<Planned, Fault> {
        let spec: SqlSpec = planning.parameters.read()?;
        let in_query = |message| place(planning.span("query"), &spec.query, message);
        let query = Query::parse(&spec.query).map_err(in_query)?;
        // Run over the tables' columns without rows: an unknown column or function shows now, and so does the schema.
        let tables: Vec<_> =
            planning.tables.iter().map(|table| (table.name.as_str(), sql::empty(&table.schema))).collect();
        let result = query.run(&tables).map_err(in_query)?;
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
        let result = self.query.run(&tables).map_err(|message| context.internal(message))?;
        context.write("sql", result)
    }
}
