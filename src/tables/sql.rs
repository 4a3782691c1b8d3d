//! SQL over tables: Polars runs it, and what it cannot do is refused when the pipeline is planned.
//!
//! Columns cross between arrow and Polars through the Arrow C data interface, without copies.

#![allow(unsafe_code, reason = "columns cross between two implementations of Arrow through their C interface")]

use arrow::array::{Array, ArrayRef, RecordBatch, make_array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi, to_ffi};
use polars::prelude::{Column as PolarsColumn, CompatLevel, DataFrame, IntoLazy, PlSmallStr, Series};
use polars::sql::SQLContext;
use polars_arrow::ffi as polars_ffi;
use sqlparser::ast::{SelectItem, SetExpr, Statement, visit_relations};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::{ColumnType, TableSchema};

/// A query that has been read but not run.
#[derive(Clone, Debug)]
pub struct Query {
    text: String,
    /// Tables that it reads, without those that it defines itself (`WITH`).
    pub tables: Vec<String>,
    /// Whether it puts its rows in an order of its own.
    pub ordered: bool,
    /// What stands before `AS` (or instead of it) in each SELECT of a union; without those that take all columns by `*`.
    selections: Vec<Vec<String>>,
}

impl Query {
    /// # Errors
    /// It is not one SELECT.
    pub fn parse(text: &str) -> Result<Self, String> {
        let statements = Parser::parse_sql(&GenericDialect {}, text).map_err(|error| error.to_string())?;
        let [Statement::Query(query)] = statements.as_slice() else {
            return Err("a query is one SELECT".to_owned());
        };
        let own: BTreeSet<String> =
            query.with.iter().flat_map(|with| &with.cte_tables).map(|cte| cte.alias.name.value.clone()).collect();
        let mut tables: Vec<String> = Vec::new();
        let _ = visit_relations(&statements, |relation| {
            let name = relation.to_string().trim_matches('"').to_owned();
            if !own.contains(&name) && !tables.contains(&name) {
                tables.push(name);
            }
            ControlFlow::<()>::Continue(())
        });
        let mut selections = Vec::new();
        collect_selections(&query.body, &mut selections);
        Ok(Self { text: text.to_owned(), tables, ordered: query.order_by.is_some(), selections })
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
    /// Rows come in the order that the query asks for, or else sorted by all columns from left to right, so that the same
    /// tables always give the same rows in the same order.
    ///
    /// # Errors
    /// Polars refuses it; its message names the column or function.
    pub fn run(&self, tables: &[(&str, RecordBatch)]) -> Result<RecordBatch, String> {
        let mut context = SQLContext::new();
        for (name, batch) in tables {
            context.register(name, to_polars(batch)?.lazy());
        }
        let message = |error: polars::error::PolarsError| error.to_string();
        let mut frame = context.execute(&self.text).map_err(message)?.collect().map_err(message)?;
        if !self.ordered && frame.height() > 1 {
            let names: Vec<PlSmallStr> = frame.get_column_names().into_iter().cloned().collect();
            frame = frame
                .sort(names, polars::prelude::SortMultipleOptions::default().with_maintain_order(true))
                .map_err(message)?;
        }
        from_polars(&frame)
    }
}

fn collect_selections(body: &SetExpr, found: &mut Vec<Vec<String>>) {
    match body {
        SetExpr::Select(select) => {
            let expressions = select.projection.iter().map(|item| match item {
                SelectItem::UnnamedExpr(expression) => Some(expression.to_string()),
                SelectItem::ExprWithAlias { expr, .. } => Some(expr.to_string()),
                _ => None,
            });
            found.extend(expressions.collect::<Option<Vec<_>>>());
        }
        SetExpr::SetOperation { left, right, .. } => {
            collect_selections(left, found);
            collect_selections(right, found);
        }
        SetExpr::Query(query) => collect_selections(&query.body, found),
        _ => {}
    }
}

/// A table without rows, for trying a query before there are any.
pub fn empty(schema: &TableSchema) -> RecordBatch {
    RecordBatch::new_empty(schema.to_arrow())
}

fn to_polars(batch: &RecordBatch) -> Result<DataFrame, String> {
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        // Categories are plain strings in SQL: the dictionary is a matter of storage.
        let array = match array.data_type() {
            DataType::Dictionary(_, _) => cast(array, &DataType::Utf8).map_err(|error| error.to_string())?,
            _ => array.clone(),
        };
        let series = import(field.name(), &array)?;
        columns.push(PolarsColumn::from(series));
    }
    DataFrame::new(batch.num_rows(), columns).map_err(|error| error.to_string())
}

fn import(name: &str, array: &ArrayRef) -> Result<Series, String> {
    let (ffi_array, ffi_schema) = to_ffi(&array.to_data()).map_err(|error| error.to_string())?;
    // SAFETY: both crates lay these structs out as the Arrow C data interface prescribes (repr(C)); ownership moves with
    // the value, and the importing side calls the release callback that the exporting side put into it.
    let (ffi_array, ffi_schema) = unsafe {
        (
            std::mem::transmute::<FFI_ArrowArray, polars_ffi::ArrowArray>(ffi_array),
            std::mem::transmute::<FFI_ArrowSchema, polars_ffi::ArrowSchema>(ffi_schema),
        )
    };
    // SAFETY: the schema was just exported by arrow and describes exactly this array.
    let array = unsafe {
        let field = polars_ffi::import_field_from_c(&ffi_schema).map_err(|error| error.to_string())?;
        polars_ffi::import_array_from_c(ffi_array, field.dtype).map_err(|error| error.to_string())?
    };
    Series::from_arrow(PlSmallStr::from_str(name), array).map_err(|error| error.to_string())
}

fn from_polars(frame: &DataFrame) -> Result<RecordBatch, String> {
    let mut columns: Vec<(String, ArrayRef, bool)> = Vec::with_capacity(frame.width());
    for column in frame.columns() {
        let series = column.as_materialized_series().rechunk();
        let array = export(&series)?;
        let target = match array.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => ColumnType::Category.to_arrow(),
            DataType::UInt32
            | DataType::UInt64
            | DataType::Int8
            | DataType::Int16
            | DataType::UInt8
            | DataType::UInt16 => DataType::Int64,
            DataType::Float32 => DataType::Float64,
            DataType::LargeList(item) => {
                DataType::List(Arc::new(item.as_ref().clone().with_name("item").with_nullable(false)))
            }
            other => other.clone(),
        };
        // arrow casts views to dictionaries by way of plain strings.
        let array = match (array.data_type(), &target) {
            (DataType::Utf8View | DataType::LargeUtf8, DataType::Dictionary(_, _)) => {
                cast(&array, &DataType::Utf8).map_err(|error| error.to_string())?
            }
            _ => array,
        };
        let array = cast(&array, &target).map_err(|error| error.to_string())?;
        columns.push((column.name().to_string(), array, true));
    }
    RecordBatch::try_from_iter_with_nullable(columns).map_err(|error| error.to_string())
}

fn export(series: &Series) -> Result<ArrayRef, String> {
    let array = series.to_arrow(0, CompatLevel::newest());
    let field = polars_arrow::datatypes::Field::new(series.name().clone(), array.dtype().clone(), true);
    let (ffi_array, ffi_schema) = (polars_ffi::export_array_to_c(array), polars_ffi::export_field_to_c(&field));
    // SAFETY: as in `import`, in the other direction.
    let data = unsafe {
        let array = std::mem::transmute::<polars_ffi::ArrowArray, FFI_ArrowArray>(ffi_array);
        let schema = std::mem::transmute::<polars_ffi::ArrowSchema, FFI_ArrowSchema>(ffi_schema);
        from_ffi(array, &schema).map_err(|error| error.to_string())?
    };
    Ok(make_array(data))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::cells::{Category, Cells};
    use arrow::array::{Float64Array, Int64Array};

    fn table() -> RecordBatch {
        let rules = <Option<Category> as Cells>::collect([Some("bp"), Some("bp_oja"), None].into_iter());
        RecordBatch::try_from_iter_with_nullable([
            ("rule", rules, true),
            ("step", Arc::new(Int64Array::from(vec![3, 1, 2])) as ArrayRef, true),
            ("accuracy", Arc::new(Float64Array::from(vec![Some(0.5), None, Some(0.25)])) as ArrayRef, true),
        ])
        .unwrap()
    }

    #[test]
    fn all_types_and_nulls_survive_the_way_to_polars_and_back() {
        let query = Query::parse("SELECT rule, step, accuracy FROM t ORDER BY step DESC").unwrap();
        let back = query.run(&[("t", table())]).unwrap();
        let frame = crate::tables::frame::Frame::new("t", back);
        assert_eq!(frame.numbers("step").unwrap(), [Some(3.0), Some(2.0), Some(1.0)]);
        assert_eq!(frame.numbers("accuracy").unwrap(), [Some(0.5), Some(0.25), None]);
        assert_eq!(frame.values::<Option<Category>>("rule").unwrap(), [Some("bp"), None, Some("bp_oja")]);
    }

    #[test]
    fn rows_without_an_order_are_sorted() {
        let query = Query::parse("SELECT step FROM t").unwrap();
        let back = query.run(&[("t", table())]).unwrap();
        let steps = crate::tables::frame::Frame::new("t", back).numbers("step").unwrap();
        assert_eq!(steps, [Some(1.0), Some(2.0), Some(3.0)]);
    }

    #[test]
    fn the_tables_that_a_query_reads_are_known_without_running_it() {
        let text = "WITH best AS (SELECT * FROM a) SELECT * FROM best JOIN b USING (x) WHERE y IN (SELECT y FROM c)";
        assert_eq!(Query::parse(text).unwrap().tables, ["a", "b", "c"]);
        assert!(Query::parse("DROP TABLE a").is_err());
    }

    #[test]
    fn a_column_knows_the_expressions_behind_it() {
        let text = "SELECT 'a' AS panel, step AS x FROM t UNION ALL SELECT CONCAT('y', layer), step FROM u";
        let query = Query::parse(text).unwrap();
        assert_eq!(query.expressions(0), ["'a'", "CONCAT('y', layer)"]);
        assert_eq!(query.expressions(1), ["step"]);
        assert!(Query::parse("SELECT * FROM t").unwrap().expressions(0).is_empty());
    }

    #[test]
    fn an_unknown_column_is_named() {
        let error = Query::parse("SELECT wrong FROM t").unwrap().run(&[("t", table())]).unwrap_err();
        assert!(error.contains("wrong"), "{error}");
    }
}
