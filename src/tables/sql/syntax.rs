//! What a query says: which tables it reads, what its columns are made of, and what it leaves to chance.

use sqlparser::ast::{
    Distinct, Expr, FunctionArguments, OrderBy, OrderByKind, OrderByOptions, Query, Select, SelectItem, SetExpr,
    Statement, TableFactor, Visit, VisitMut, Visitor, VisitorMut,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// One SELECT, and what has to be known of it before it runs.
pub(super) struct Parsed {
    /// The query with an order wherever it picks rows without naming one; otherwise as it was written.
    pub text: String,
    /// Tables that it reads, without those that it defines itself (`WITH`).
    pub tables: Vec<String>,
    /// Whether it names an order of its rows.
    pub ordered: bool,
    /// What stands before `AS` (or instead of it) in each SELECT of a union; without those that take all columns by `*`.
    pub selections: Vec<Vec<String>>,
}

/// # Errors
/// It is not one SELECT, it calls a function where a table has to stand, or one without the arguments that it needs.
pub(super) fn parse(text: &str) -> Result<Parsed, String> {
    let mut statements = Parser::parse_sql(&GenericDialect {}, text).map_err(|error| error.to_string())?;
    let [Statement::Query(query)] = statements.as_slice() else {
        return Err("a query is one SELECT".to_owned());
    };
    let own = query.with.iter().flat_map(|with| &with.cte_tables).map(|cte| cte.alias.name.value.clone()).collect();
    let mut relations = Relations { own, tables: Vec::new() };
    if let ControlFlow::Break(message) = statements.visit(&mut relations) {
        return Err(message);
    }
    let mut selections = Vec::new();
    collect_selections(&query.body, &mut selections);
    let ordered = query.order_by.is_some();
    let mut completion = Completion { changed: false };
    let _ = VisitMut::visit(&mut statements, &mut completion);
    let text = if completion.changed { statements[0].to_string() } else { text.to_owned() };
    Ok(Parsed { text, tables: relations.tables, ordered, selections })
}

struct Relations {
    own: BTreeSet<String>,
    tables: Vec<String>,
}

impl Visitor for Relations {
    type Break = String;

    /// A name means a table, whatever the name: a query may call a table of its own `read_csv`. With parentheses it is a
    /// call, and no call reads a table of a pipeline; what else it may read is nobody's wish here.
    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<String> {
        let call = match factor {
            TableFactor::Table { name, args: Some(_), .. } | TableFactor::Function { name, .. } => name.to_string(),
            TableFactor::TableFunction { expr, .. } => expr.to_string(),
            TableFactor::Table { name, .. } => {
                let name = name.to_string().trim_matches('"').to_owned();
                if !self.own.contains(&name) && !self.tables.contains(&name) {
                    self.tables.push(name);
                }
                return ControlFlow::Continue(());
            }
            _ => return ControlFlow::Continue(()),
        };
        ControlFlow::Break(format!(
            "`{call}` is called as a function, but a query reads nothing but tables, by their names"
        ))
    }

    /// Polars panics at the largest and the smallest of nothing.
    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<String> {
        let Expr::Function(call) = expression else { return ControlFlow::Continue(()) };
        let name = call.name.to_string().to_ascii_uppercase();
        let compares = ["GREATEST", "LEAST"].contains(&name.as_str());
        let has_arguments = matches!(&call.args, FunctionArguments::List(list) if !list.args.is_empty());
        if compares && !has_arguments {
            return ControlFlow::Break(format!("`{expression}`: {name} takes at least one argument"));
        }
        ControlFlow::Continue(())
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

/// Gives an order to whatever picks rows (`LIMIT`, `OFFSET`, `FETCH`, `DISTINCT ON`) without naming one: that of all its
/// columns. An order that is named is completed later, in the plan (`super::plan`), where all columns are known.
struct Completion {
    changed: bool,
}

impl VisitorMut for Completion {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let distinct_on = matches!(&*query.body, SetExpr::Select(select) if picks_one_of_each(select));
        let picks = query.limit_clause.is_some() || query.fetch.is_some() || distinct_on;
        if picks && query.order_by.is_none() {
            let options = OrderByOptions { asc: Some(true), nulls_first: Some(true) };
            query.order_by = Some(OrderBy { kind: OrderByKind::All(options), interpolate: None });
            self.changed = true;
        }
        ControlFlow::Continue(())
    }
}

fn picks_one_of_each(select: &Select) -> bool {
    matches!(select.distinct, Some(Distinct::On(_)))
}
