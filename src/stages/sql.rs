//! tables → a table of the query's columns: selections and joins, in SQL that DuckDB runs too

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Kind, Output, Planning, Reads, Reference, Work};
use crate::error::Result;
use crate::run::Context;
use crate::spec::node::{Fault, Node};
use crate::tables::parquet::column_type;
use crate::tables::sql::{self, Query};
use crate::tables::{Column, TableSchema};

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
        let query = Query::parse(&spec.query).map_err(|message| Fault::at(span, message))?;
        if query.tables.is_empty() {
            return Err(Fault::at(span, "the query reads no table"));
        }
        Ok(query.tables.into_iter().map(|name| Reference { name, span: span.clone(), reads: Reads::Table }).collect())
    }

    fn plan(&self, planning: &Planning<'_>) -> Result<Box<dyn Work>, Fault> {
        let spec: SqlSpec = planning.parameters.read()?;
        let query = Query::parse(&spec.query).map_err(|message| planning.fault("query", message))?;
        // Run over the tables' columns without rows: an unknown column or function shows now, and so does the schema.
        let tables: Vec<_> =
            planning.tables.iter().map(|table| (table.name.as_str(), sql::empty(&table.schema))).collect();
        let result = query.run(&tables).map_err(|message| planning.fault("query", message))?;
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
        Ok(Box::new(SqlTask {
            tables: planning.tables.iter().map(|table| table.name.clone()).collect(),
            query,
            outputs: [Output::kept("", schema)],
        }))
    }
}

#[derive(Debug)]
struct SqlTask {
    query: Query,
    tables: Vec<String>,
    outputs: [Output; 1],
}

impl Work for SqlTask {
    fn parameters(&self) -> serde_json::Value {
        serde_json::json!({ "query": self.query.text() })
    }

    fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    fn run(&self, context: &Context<'_>) -> Result<()> {
        let tables =
            self.tables.iter().map(|name| Ok((name.as_str(), context.gathered(name)?))).collect::<Result<Vec<_>>>()?;
        let result = self.query.run(&tables).map_err(|message| context.internal(message))?;
        context.write("sql", result.columns().to_vec())
    }
}
