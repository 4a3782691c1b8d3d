//! A plan of Polars in which nothing is left to chance.
//!
//! Every step hands its rows on in an order that follows from the order in which it got them, and every sort is completed:
//! ties of an ORDER BY fall to the total order of the columns that are selected, ties within a window or an aggregate to
//! the order of the rows before it. Tables come in sorted (`super::order`), so what comes out is a function of their rows.

use polars::prelude::{
    AggExpr, DataType, DistinctOptionsDSL, DslPlan, Expr, FunctionExpr, IdxCa, IntoColumn, JoinType, LazyFrame,
    MaintainOrderJoin, OptFlags, PlSmallStr, PolarsError, Schema, Selector, UniqueKeepStrategy, as_struct, col, lit,
};
use std::sync::Arc;

use super::order;

/// Place of a row in the total order of the columns that are selected: the last key of every ORDER BY.
const PLACE: &str = "place in the total order";
/// Place of a row before the step at hand: the last key of every window and of every ordered aggregate.
const ROW: &str = "row before this step";

/// What Polars may do to a plan. Not: forget the order of rows where it thinks that nobody looks (a sum does look), turn a
/// sorted slice into the search for the largest, drop a sort before another, or take two of our steps for the same.
pub(super) fn optimizations() -> OptFlags {
    OptFlags::default()
        & !(OptFlags::CHECK_ORDER_OBSERVE
            | OptFlags::SLICE_PUSHDOWN
            | OptFlags::SORT_COLLAPSE
            | OptFlags::COMM_SUBPLAN_ELIM
            | OptFlags::ROW_ESTIMATE)
}

/// The same plan in one order.
///
/// # Errors
/// It has a step of which it is not known whether it keeps an order.
pub(super) fn in_one_order(plan: &DslPlan) -> Result<DslPlan, String> {
    ordered(plan, None)
}

/// `selected`: the columns that the step above takes, where it takes nothing else.
fn ordered(plan: &DslPlan, selected: Option<&[PlSmallStr]>) -> Result<DslPlan, String> {
    let input = |input: &Arc<DslPlan>| ordered(input, None);
    Ok(match plan {
        DslPlan::IR { dsl, .. } => ordered(dsl, selected)?,
        DslPlan::DataFrameScan { .. } => plan.clone(),
        DslPlan::Sort { input: rows, by_column, sort_options, slice: None } => {
            let mut options = sort_options.clone().with_maintain_order(true);
            let mut by = by_column.clone();
            complete(&mut by, &mut options.descending, &mut options.nulls_last, col(PLACE));
            with_places(input(rows)?, selected).sort_by_exprs(by, options).drop(by_name(PLACE)).logical_plan
        }
        DslPlan::Select { expr, input: rows, options } => {
            let names: Option<Vec<PlSmallStr>> = expr.iter().map(plain_column).collect();
            let rows = ordered(rows, names.as_deref())?;
            let (rows, expr, _) = with_rows(rows, expr);
            DslPlan::Select { expr, input: Arc::new(rows), options: *options }
        }
        DslPlan::HStack { input: rows, exprs, options } => {
            let (rows, exprs, numbered) = with_rows(input(rows)?, exprs);
            without_rows(DslPlan::HStack { input: Arc::new(rows), exprs, options: *options }, numbered)
        }
        DslPlan::Filter { input: rows, predicate } => {
            let (rows, mut predicates, numbered) = with_rows(input(rows)?, std::slice::from_ref(predicate));
            let predicate = predicates.remove(0);
            without_rows(DslPlan::Filter { input: Arc::new(rows), predicate }, numbered)
        }
        DslPlan::GroupBy { input: rows, keys, predicates, aggs, options, apply: None, .. } => {
            let all = [keys.as_slice(), predicates, aggs].concat();
            let (rows, mut all, _) = with_rows(input(rows)?, &all);
            let aggs = all.split_off(keys.len() + predicates.len());
            let predicates = all.split_off(keys.len());
            DslPlan::GroupBy {
                input: Arc::new(rows),
                keys: all,
                predicates,
                aggs,
                maintain_order: true,
                options: options.clone(),
                apply: None,
            }
        }
        DslPlan::Join { input_left, input_right, left_on, right_on, predicates, options } => {
            let mut options = options.as_ref().clone();
            options.args.maintain_order = match options.args.how {
                JoinType::Inner | JoinType::Left | JoinType::Full if predicates.is_empty() => {
                    MaintainOrderJoin::LeftRight
                }
                JoinType::Right => MaintainOrderJoin::RightLeft,
                // The others keep the order of the left by themselves.
                _ => MaintainOrderJoin::None,
            };
            DslPlan::Join {
                input_left: Arc::new(input(input_left)?),
                input_right: Arc::new(input(input_right)?),
                left_on: left_on.clone(),
                right_on: right_on.clone(),
                predicates: predicates.clone(),
                options: Arc::new(options),
            }
        }
        DslPlan::Distinct { input: rows, options } => DslPlan::Distinct {
            input: Arc::new(input(rows)?),
            options: DistinctOptionsDSL {
                subset: options.subset.clone(),
                maintain_order: true,
                keep_strategy: match options.keep_strategy {
                    UniqueKeepStrategy::Any => UniqueKeepStrategy::First,
                    other => other,
                },
            },
        },
        DslPlan::Union { inputs, args } => {
            let mut args = *args;
            args.maintain_order = true;
            let inputs = inputs.iter().map(|plan| ordered(plan, None)).collect::<Result<_, _>>()?;
            DslPlan::Union { inputs, args }
        }
        DslPlan::HConcat { inputs, options } => {
            let inputs = inputs.iter().map(|plan| ordered(plan, None)).collect::<Result<_, _>>()?;
            DslPlan::HConcat { inputs, options: *options }
        }
        DslPlan::Slice { input: rows, offset, len } => {
            DslPlan::Slice { input: Arc::new(input(rows)?), offset: *offset, len: *len }
        }
        DslPlan::MapFunction { input: rows, function } => {
            DslPlan::MapFunction { input: Arc::new(input(rows)?), function: function.clone() }
        }
        DslPlan::Cache { input: rows, .. } => input(rows)?,
        other => {
            let name: &'static str = other.into();
            return Err(format!("a step `{name}` in it has no order of rows that could be relied on"));
        }
    })
}

/// The rows, each with its place in the total order of `selected`, or of all columns.
fn with_places(rows: DslPlan, selected: Option<&[PlSmallStr]>) -> LazyFrame {
    let selected = selected.map(<[PlSmallStr]>::to_vec);
    let schema = |schema: &Schema| {
        let mut schema = schema.clone();
        schema.with_column(PlSmallStr::from_static(PLACE), DataType::IDX_DTYPE);
        Ok(Arc::new(schema))
    };
    LazyFrame::from(rows).map(
        move |mut frame| {
            let places = match &selected {
                Some(names) => order::places(&frame.select_to_vec(names.iter().cloned())?, frame.height()),
                None => order::places(frame.columns(), frame.height()),
            };
            let places = places.map_err(|message| PolarsError::ComputeError(message.into()))?;
            frame.with_column(IdxCa::from_vec(PlSmallStr::from_static(PLACE), places).into_column())?;
            Ok(frame)
        },
        OptFlags::empty(),
        Some(Arc::new(schema)),
        Some("total order"),
    )
}

fn plain_column(expression: &Expr) -> Option<PlSmallStr> {
    match expression {
        Expr::Column(name) => Some(name.clone()),
        _ => None,
    }
}

fn by_name(name: &'static str) -> Selector {
    Selector::ByName { names: Arc::from([PlSmallStr::from_static(name)]), strict: true }
}

/// A last key. One value of direction or of nulls may stand for all keys before it.
fn complete(by: &mut Vec<Expr>, descending: &mut Vec<bool>, nulls_last: &mut Vec<bool>, last: Expr) {
    for flags in [descending, nulls_last] {
        let first = flags.first().copied().unwrap_or_default();
        flags.resize(by.len(), first);
        flags.push(false);
    }
    by.push(last);
}

/// Expressions whose sorts are completed by the number of the row, and the rows with that number where one asks for it.
fn with_rows(rows: DslPlan, expressions: &[Expr]) -> (DslPlan, Vec<Expr>, bool) {
    let mut numbered = false;
    let expressions = expressions.iter().map(|expression| {
        expression.clone().map_expr(|part| {
            let (part, asks) = one_order_within(part);
            numbered |= asks;
            part
        })
    });
    let expressions = expressions.collect();
    let rows = if numbered {
        LazyFrame::from(rows).with_row_index(PlSmallStr::from_static(ROW), None).logical_plan
    } else {
        rows
    };
    (rows, expressions, numbered)
}

fn without_rows(plan: DslPlan, numbered: bool) -> DslPlan {
    if numbered { LazyFrame::from(plan).drop(by_name(ROW)).logical_plan } else { plan }
}

/// One part of an expression, and whether it asks for the number of the row.
fn one_order_within(part: Expr) -> (Expr, bool) {
    match part {
        Expr::Over { function, partition_by, order_by: Some((by, options)), mapping } => {
            // A window knows one direction for all its keys.
            let row = col(ROW).cast(DataType::Int64);
            let row = if options.descending { lit(0_i64) - row } else { row };
            let by = as_struct(vec![by.as_ref().clone().alias("by"), row.alias("row")]);
            (Expr::Over { function, partition_by, order_by: Some((Arc::new(by), options)), mapping }, true)
        }
        Expr::SortBy { expr, mut by, mut sort_options } => {
            // `FILTER (WHERE …)` filters each key, so it filters this one.
            let row = match by.first() {
                Some(Expr::Filter { by: condition, .. }) => col(ROW).filter(condition.as_ref().clone()),
                _ => col(ROW),
            };
            sort_options.maintain_order = true;
            complete(&mut by, &mut sort_options.descending, &mut sort_options.nulls_last, row);
            (Expr::SortBy { expr, by, sort_options }, true)
        }
        Expr::Sort { expr, mut options } => {
            options.maintain_order = true;
            (Expr::Sort { expr, options }, false)
        }
        Expr::Function { input, function: FunctionExpr::Unique(_) } => {
            (Expr::Function { input, function: FunctionExpr::Unique(true) }, false)
        }
        Expr::Agg(AggExpr::Implode { input, .. }) => {
            (Expr::Agg(AggExpr::Implode { input, maintain_order: true }), false)
        }
        other => (other, false),
    }
}
