//! `[matrix]`: the axes of an experiment, and the combinations of their values that it runs.
//!
//! An axis takes plain values (`rule = ["bp", "bp_oja"]`, `seed = { first = 0, count = 20 }`), each of which sets the
//! parameter of the axis' name, or named bundles of parameters, written as one table a value:
//!
//! ```toml
//! [matrix.network."5 layers"]
//! train.layers = [784, 170, 130, 100, 70, 10]
//! ```
//!
//! `combinations = [{ rule = ["bp"], gradient = […] }, { rule = ["bp_oja"], gradient = […], oja = […] }]` replaces the
//! full product by a union of products; an axis that an entry leaves out is null there. Axes outside of
//! `combinations` multiply every entry.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;

use super::node::{Fault, Key, Node, Span, Table, Value};
use crate::tables::frame::Cell;

/// Values that a generated axis may have at most: more is a slip of the keyboard.
const MAX_GENERATED: u64 = 1_000_000;

/// The axes of an experiment and the combinations of their values that it runs.
#[derive(Debug, Default)]
pub struct Matrix {
    /// All axes, in the order in which they were written.
    pub axes: Vec<Axis>,
    /// Products of values, as they were written; they are never multiplied out, for a product may be any size.
    products: Vec<Product>,
    /// Combinations beside those that were written.
    added: Vec<Coordinates>,
}

/// For each of some axes the index of its value, or none where the axis does not apply.
pub type Coordinates = Vec<Option<usize>>;

/// One axis.
#[derive(Debug)]
pub struct Axis {
    /// Its name: the parameter that it sets, unless its values are bundles.
    pub name: String,
    /// Where it was written.
    pub span: Span,
    /// What makes it as long as it is: its values, or the number of them.
    pub length: Span,
    /// Its values, in the order in which they were written; behind them those that levels add.
    pub values: Vec<AxisValue>,
    /// How many of them were written.
    pub written: usize,
}

/// One product of `combinations`: its axes, each with the indices of the values that it takes of them.
type Product = Vec<(usize, Vec<usize>)>;

/// One value of an axis.
#[derive(Debug)]
pub struct AxisValue {
    /// What stands in the axis' column.
    pub label: Cell,
    /// What it changes.
    pub setting: Setting,
}

/// What a value of an axis changes.
#[derive(Debug)]
pub enum Setting {
    /// The parameter of the axis' name.
    Plain(Node),
    /// Parameters of named stages.
    Bundle(Table),
}

impl Matrix {
    /// The combinations of the values of these axes, in the order of the file; those of several products may be the same.
    /// On other axes nothing is multiplied out. What levels add stands where it would if it had been written, each value behind
    /// those before it on its axis.
    pub fn combinations<'a>(&'a self, axes: &'a [usize]) -> Box<dyn Iterator<Item = Coordinates> + 'a> {
        let written = self.products.iter().flat_map(move |product| multiplied(product, axes));
        if self.added.is_empty() {
            return Box::new(written);
        }
        let concerned = |combination: &&Coordinates| {
            axes.iter().all(|&axis| combination[axis].is_some() || !self.is_everywhere(axis))
        };
        let project = |combination: &Coordinates| axes.iter().map(|&axis| combination[axis]).collect();
        let mut all: Vec<Coordinates> = written.chain(self.added.iter().filter(concerned).map(project)).collect();
        all.sort();
        Box::new(all.into_iter())
    }

    /// Whether every product has this axis: then a combination that a level adds without it is nothing to those who depend on it.
    fn is_everywhere(&self, axis: usize) -> bool {
        self.products.iter().all(|product| product.iter().any(|(other, _)| *other == axis))
    }

    /// How many combinations of values these axes have, at most (entries of `combinations` may repeat each other), without
    /// making them.
    pub fn count(&self, axes: &BTreeSet<usize>) -> u128 {
        let factor = |(axis, values): &(usize, Vec<usize>)| if axes.contains(axis) { values.len() as u128 } else { 1 };
        let of_product = |product: &Product| product.iter().map(factor).fold(1, u128::saturating_mul);
        // With a place for "does not apply" on each axis.
        let all = axes.iter().map(|&axis| self.axes[axis].values.len() as u128 + 1).fold(1, u128::saturating_mul);
        self.products.iter().map(of_product).fold(self.added.len() as u128, u128::saturating_add).min(all)
    }

    /// Adds combinations after those that were written; one that is there already is not added again. Each is given by values
    /// of some axes; the others are null, or, where `every` is said, take each value that was written beside these.
    ///
    /// # Errors
    /// There is no such axis, or a value is new to an axis of bundles.
    pub fn add<'a>(&mut self, additions: impl IntoIterator<Item = (&'a [(String, Cell)], bool)>) -> Result<(), String> {
        let all: Vec<usize> = (0..self.axes.len()).collect();
        let mut known: Option<BTreeSet<Coordinates>> = None;
        for (places, every) in additions {
            let known =
                known.get_or_insert_with(|| self.combinations(&all).chain(self.added.iter().cloned()).collect());
            let named = self.coordinates(places)?;
            let combinations = if every { self.beside(&named) } else { vec![named] };
            for combination in combinations {
                if known.insert(combination.clone()) {
                    self.added.push(combination);
                }
            }
        }
        Ok(())
    }

    /// These coordinates, with every value of the other axes that was written beside them: in products that have all of these
    /// axes, and every value that is not one of a range of numbers, which may go on.
    fn beside(&self, named: &Coordinates) -> Vec<Coordinates> {
        let goes_with = |product: &&Product| {
            named.iter().enumerate().filter_map(|(axis, value)| Some((axis, (*value)?))).all(|(axis, value)| {
                let goes_on = self.axes[axis].values[value].label.as_f64().is_some();
                product.iter().any(|(other, values)| *other == axis && (goes_on || values.contains(&value)))
            })
        };
        let all: Vec<usize> = (0..named.len()).collect();
        let mut combinations = BTreeSet::new();
        for product in self.products.iter().filter(goes_with) {
            let others: Product = product.iter().filter(|(axis, _)| named[*axis].is_none()).cloned().collect();
            combinations.extend(multiplied(&others, &all).map(|mut combination| {
                for (place, value) in combination.iter_mut().zip(named) {
                    *place = place.or(*value);
                }
                combination
            }));
        }
        if combinations.is_empty() { vec![named.clone()] } else { combinations.into_iter().collect() }
    }

    /// Where a combination stands on the axes; values that are new to an axis of plain values are put on it.
    fn coordinates(&mut self, addition: &[(String, Cell)]) -> Result<Coordinates, String> {
        let mut combination = vec![None; self.axes.len()];
        for (name, label) in addition {
            let Some(axis) = self.axes.iter().position(|axis| axis.name == *name) else {
                return Err(format!("a level adds a value of the axis `{name}`, which there is not"));
            };
            let Axis { span, values, .. } = &mut self.axes[axis];
            let known = values.iter().position(|value| value.label == *label);
            combination[axis] = Some(match known {
                Some(index) => index,
                None if values.iter().any(|value| matches!(value.setting, Setting::Bundle(_))) => {
                    return Err(format!("a level adds the value `{label}` to `{name}`, an axis of bundles"));
                }
                None => {
                    let value = match label {
                        Cell::Null => return Err(format!("a level adds nothing as a value of `{name}`")),
                        Cell::Boolean(value) => Value::Boolean(*value),
                        Cell::Integer(value) => Value::Integer(*value),
                        Cell::Float(value) => Value::Float(*value),
                        Cell::Text(value) => Value::String(value.to_string()),
                    };
                    let setting = Setting::Plain(Node { span: span.clone(), value });
                    values.push(AxisValue { label: label.clone(), setting });
                    values.len() - 1
                }
            });
        }
        Ok(combination)
    }
}

/// Axes in the order of the file, the last one fastest, so that tasks are listed as a person reads the matrix.
fn multiplied<'a>(product: &'a Product, axes: &'a [usize]) -> impl Iterator<Item = Coordinates> + 'a {
    let factors: Vec<(usize, &[usize])> = product
        .iter()
        .filter_map(|(axis, values)| Some((axes.iter().position(|other| other == axis)?, values.as_slice())))
        .collect();
    let count = factors.iter().map(|(_, values)| values.len() as u64).fold(1, u64::saturating_mul);
    (0..count).map(move |mut index| {
        let mut combination = vec![None; axes.len()];
        for (place, values) in factors.iter().rev() {
            combination[*place] = Some(values[(index % values.len() as u64) as usize]);
            index /= values.len() as u64;
        }
        combination
    })
}

impl Axis {
    /// The values that say which parameters the axis sets: of plain values one speaks for all, for a range may have a million.
    pub fn telling(&self) -> &[AxisValue] {
        if self.is_bundle() { &self.values } else { &self.values[..1] }
    }

    /// What stands in the axis' column, value by value.
    pub fn labels(&self) -> Arc<[Cell]> {
        self.values.iter().map(|value| value.label.clone()).collect()
    }

    /// The same, of the values that were written.
    pub fn written(&self) -> Arc<[Cell]> {
        self.values[..self.written].iter().map(|value| value.label.clone()).collect()
    }

    /// Whether its values are named bundles of parameters.
    pub fn is_bundle(&self) -> bool {
        self.values.iter().any(|value| matches!(value.setting, Setting::Bundle(_)))
    }
}

pub(super) fn read(node: Option<&Node>, faults: &mut Vec<Fault>) -> Matrix {
    let mut matrix = Matrix { axes: Vec::new(), products: vec![Vec::new()], added: Vec::new() };
    let Some(node) = node else { return matrix };
    let table = match node.expect_table("`[matrix]`") {
        Ok(table) => table,
        Err(fault) => {
            faults.push(fault);
            return matrix;
        }
    };
    // The union of products, each as (axis, its value indices).
    let mut entries: Vec<Product> = vec![Vec::new()];
    if let Some(node) = table.get("combinations") {
        match read_combinations(node, &mut matrix.axes) {
            Ok(read) => entries = read,
            Err(fault) => faults.push(fault),
        }
    }
    let mut common = Vec::new();
    for (key, node) in table.entries.iter().filter(|(key, _)| key.name != "combinations") {
        if matrix.axes.iter().any(|axis| axis.name == key.name) {
            let message = format!("`{}` is an axis of `combinations` already; write it in one place", key.name);
            faults.push(Fault::at(&key.span, message));
            continue;
        }
        match read_values(node) {
            Ok(values) => {
                common.push((matrix.axes.len(), (0..values.len()).collect::<Vec<_>>()));
                let count = node.as_table().and_then(|table| table.get("count"));
                let length = count.unwrap_or(node).span.clone();
                matrix.axes.push(Axis { name: key.name.clone(), span: key.span.clone(), length, values, written: 0 });
            }
            Err(fault) => faults.push(fault),
        }
    }
    matrix.products = entries.into_iter().map(|entry| entry.into_iter().chain(common.clone()).collect()).collect();
    matrix.axes.iter_mut().for_each(|axis| axis.written = axis.values.len());
    matrix
}

fn read_combinations(node: &Node, axes: &mut Vec<Axis>) -> Result<Vec<Product>, Fault> {
    let Value::Array(items) = &node.value else {
        return Err(Fault::at(&node.span, "`combinations` is a list of tables, one product each"));
    };
    let mut entries = Vec::new();
    for item in items {
        let mut entry = Vec::new();
        for (key, node) in &item.expect_table("a product of `combinations`")?.entries {
            let values = read_values(node)?;
            if let Some(bundle) = values.iter().find(|value| matches!(value.setting, Setting::Bundle(_))) {
                let message = format!("the bundle `{}` stands inside `combinations`", bundle.label);
                return Err(Fault::at(&key.span, message).help("Write bundles as axes of their own."));
            }
            let axis = match axes.iter().position(|axis| axis.name == key.name) {
                Some(axis) => axis,
                None => {
                    let length = node.span.clone();
                    axes.push(Axis {
                        name: key.name.clone(),
                        span: key.span.clone(),
                        length,
                        values: Vec::new(),
                        written: 0,
                    });
                    axes.len() - 1
                }
            };
            let known = &mut axes[axis].values;
            let mut places: BTreeMap<Cell, usize> =
                known.iter().enumerate().map(|(index, value)| (value.label.clone(), index)).collect();
            let mut indices = Vec::new();
            for value in values {
                let index = *places.entry(value.label.clone()).or_insert(known.len());
                if index == known.len() {
                    known.push(value);
                }
                indices.push(index);
            }
            entry.push((axis, indices));
        }
        entries.push(entry);
    }
    if entries.is_empty() {
        return Err(Fault::at(&node.span, "`combinations` is empty: nothing would run"));
    }
    Ok(entries)
}

fn read_values(node: &Node) -> Result<Vec<AxisValue>, Fault> {
    let values = match &node.value {
        Value::Array(items) => items.iter().map(plain).collect::<Result<Vec<_>, _>>()?,
        Value::Table(table) if table.entries.iter().any(|(_, node)| node.as_table().is_some()) => {
            table.entries.iter().map(bundle).collect::<Result<Vec<_>, _>>()?
        }
        Value::Table(_) => generate(node)?,
        other => {
            let message = format!("an axis is a list of values, a range or a table of bundles, not {}", other.kind());
            return Err(Fault::at(&node.span, message));
        }
    };
    if values.is_empty() {
        return Err(Fault::at(&node.span, "this axis has no values: nothing would run"));
    }
    for (index, value) in values.iter().enumerate() {
        if values[..index].iter().any(|earlier| earlier.label == value.label) {
            return Err(Fault::at(&node.span, format!("the value `{}` stands twice in this axis", value.label)));
        }
        // Thousands of generated values are distinct by construction.
        if values.len() > 1000 {
            break;
        }
    }
    Ok(values)
}

fn plain(node: &Node) -> Result<AxisValue, Fault> {
    let label = match &node.value {
        Value::Boolean(value) => Cell::Boolean(*value),
        Value::Integer(value) => Cell::Integer(*value),
        Value::Float(value) => Cell::Float(*value),
        Value::String(value) => Cell::Text(value.as_str().into()),
        other => {
            let message = format!("a plain value of an axis is a word or a number, not {}", other.kind());
            return Err(Fault::at(&node.span, message)
                .help("Give it a name: `[matrix.<axis>.\"<name>\"]` with `<stage>.<parameter> = …` below."));
        }
    };
    Ok(AxisValue { label, setting: Setting::Plain(node.clone()) })
}

fn bundle((key, node): &(Key, Node)) -> Result<AxisValue, Fault> {
    let table = node.expect_table("a bundle")?;
    for (stage, parameters) in &table.entries {
        parameters.expect_table(&format!("`{}`, which names a stage in this bundle,", stage.name))?;
    }
    Ok(AxisValue { label: Cell::Text(key.name.as_str().into()), setting: Setting::Bundle(table.clone()) })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    first: Option<i64>,
    from: Option<f64>,
    to: Option<f64>,
    count: u64,
    #[serde(default)]
    spacing: Spacing,
}

#[derive(Default, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Spacing {
    #[default]
    Linear,
    Log,
}

/// `{ first = 0, count = 20 }`: integers. `{ from = 1e-4, to = 1e-1, count = 25, spacing = "log" }`: floats.
fn generate(node: &Node) -> Result<Vec<AxisValue>, Fault> {
    let range: Range = node.read()?;
    if range.count == 0 || range.count > MAX_GENERATED {
        return Err(Fault::at(&node.span, format!("`count` is between 1 and {MAX_GENERATED}")));
    }
    let value = |label: Cell, value: Value| AxisValue {
        label,
        setting: Setting::Plain(Node { span: node.span.clone(), value }),
    };
    match (range.first, range.from, range.to) {
        (Some(first), None, None) => (0..range.count as i64)
            .map(|index| {
                let number = first.checked_add(index).ok_or_else(|| Fault::at(&node.span, "this range overflows"))?;
                Ok(value(Cell::Integer(number), Value::Integer(number)))
            })
            .collect(),
        (None, Some(from), Some(to)) => {
            let log = range.spacing == Spacing::Log;
            if !(from.is_finite() && to.is_finite()) || log && (from <= 0.0 || to <= 0.0) {
                return Err(Fault::at(
                    &node.span,
                    "the ends of this range must be finite, and positive for `spacing = \"log\"`",
                ));
            }
            Ok((0..range.count)
                .map(|index| {
                    let number = spaced(from, to, index, range.count, log);
                    value(Cell::Float(number), Value::Float(number))
                })
                .collect())
        }
        _ => Err(Fault::at(&node.span, "a range is `{ first, count }` or `{ from, to, count, spacing }`")),
    }
}

/// Point `index` of `count` between two ends, rounded to six significant digits: these numbers are read, typed and
/// published, and must not depend on how a platform computes powers.
fn spaced(from: f64, to: f64, index: u64, count: u64, log: bool) -> f64 {
    if count == 1 || index == 0 {
        return from;
    }
    if index == count - 1 {
        return to;
    }
    let t = index as f64 / (count - 1) as f64;
    let exact = if log {
        libm::pow(10.0, (1.0 - t) * libm::log10(from) + t * libm::log10(to))
    } else {
        (1.0 - t) * from + t * to
    };
    format!("{exact:.5e}").parse().expect("a formatted float parses")
}

/// The labels of a combination, for messages and columns.
pub fn labels<'a>(matrix: &'a Matrix, combination: &'a [Option<usize>]) -> impl Iterator<Item = (&'a str, Cell)> {
    matrix
        .axes
        .iter()
        .zip(combination)
        .map(|(axis, value)| (axis.name.as_str(), value.map_or(Cell::Null, |index| axis.values[index].label.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(text: &str) -> (Matrix, Vec<Fault>) {
        let document = Node::parse("m", text).unwrap();
        let mut faults = Vec::new();
        let matrix = read(Some(&document), &mut faults);
        (matrix, faults)
    }

    fn every(matrix: &Matrix) -> Vec<Coordinates> {
        matrix.combinations(&Vec::from_iter(0..matrix.axes.len())).collect()
    }

    #[test]
    fn what_a_level_adds_concerns_those_who_depend_on_the_axes_that_it_names() {
        let (mut matrix, _) =
            matrix("combinations = [{ rule = ['bp'] }, { rule = ['oja'], oja = [0.1] }]\nnetwork = ['a', 'b']");
        let named = |names: &[(&str, &str)]| {
            names.iter().map(|(name, value)| ((*name).to_owned(), Cell::Text((*value).into()))).collect::<Vec<_>>()
        };
        let place = |name: &str| matrix.axes.iter().position(|axis| axis.name == name).unwrap();
        let (rule, oja, network) = (place("rule"), place("oja"), place("network"));
        let before = [matrix.combinations(&[rule]).count(), matrix.combinations(&[rule, network]).count()];
        matrix.add([(named(&[("rule", "hebb")]).as_slice(), false)]).unwrap();
        let after = [matrix.combinations(&[rule]).count(), matrix.combinations(&[rule, network]).count()];
        assert_eq!((after[0], after[1]), (before[0] + 1, before[1]), "every rule that was written has a network");
        assert!(matrix.combinations(&[rule, oja]).any(|found| found == [Some(2), None]), "but not Oja's coefficient");
    }

    #[test]
    fn what_a_level_adds_whole_takes_every_value_that_was_written_beside_it() {
        let (mut matrix, _) = matrix(
            "combinations = [{ rule = ['bp'], rate = [1, 2] }, { rule = ['oja'], rate = [1, 2], oja = [0, 1], init = ['x'] }]\nnetwork = ['a', 'b']\nseed = [0, 1]",
        );
        let place = |name: &str| matrix.axes.iter().position(|axis| axis.name == name).unwrap();
        let axes = ["rule", "rate", "oja", "init", "network", "seed"].map(place);
        let before = every(&matrix).len();
        let rule = |name: &str| ("rule".to_owned(), Cell::Text(name.into()));
        let number = |name: &str, value: i64| (name.to_owned(), Cell::Integer(value));
        let bp = [rule("bp"), number("rate", 3), number("seed", 7)];
        let oja = [rule("oja"), number("rate", 2), number("oja", 1), number("seed", 7)];
        let known = [rule("bp"), number("rate", 1), number("seed", 0)];
        matrix.add([&bp[..], &oja, &known, &bp].map(|places| (places, true))).unwrap();
        assert_eq!(every(&matrix).len(), before + 4, "two networks each, and nothing twice");
        let all: Vec<Coordinates> = matrix.combinations(&axes).collect();
        for network in [Some(0), Some(1)] {
            // Plain BP has no initialisation of its own.
            assert!(all.contains(&vec![Some(0), Some(2), None, None, network, Some(2)]), "{all:?}");
            assert!(all.contains(&vec![Some(1), Some(1), Some(1), Some(0), network, Some(2)]), "{all:?}");
        }
    }

    #[test]
    fn axes_multiply_in_the_order_of_the_file() {
        let (matrix, faults) = matrix("rule = ['bp', 'bp_oja']\nseed = { first = 5, count = 3 }");
        assert!(faults.is_empty());
        assert_eq!(every(&matrix).len(), 6);
        let second = every(&matrix).swap_remove(1);
        let second: Vec<_> = labels(&matrix, &second).collect();
        assert_eq!(second, [("rule", Cell::Text("bp".into())), ("seed", Cell::Integer(6))]);
    }

    #[test]
    fn combinations_are_a_union_of_products() {
        let text = "seed = [0, 1]\ncombinations = [{ rule = ['bp'], gradient = [0.1, 0.2] }, { rule = ['bp_oja'], gradient = [0.1], oja = [1, 2, 3] }]";
        let (matrix, faults) = matrix(text);
        assert!(faults.is_empty());
        assert_eq!(every(&matrix).len(), 2 * (2 + 3));
        let first = every(&matrix).swap_remove(0);
        let first: Vec<_> = labels(&matrix, &first).collect();
        assert_eq!(first[2], ("oja", Cell::Null), "plain BP has no value on the axis `oja`");
    }

    #[test]
    fn combinations_are_counted_without_being_made() {
        let (matrix, faults) =
            matrix("[a]\nfirst = 0\ncount = 1000000\n[b]\nfirst = 0\ncount = 1000000\n[c]\nfirst = 0\ncount = 7");
        assert!(faults.is_empty());
        assert_eq!(matrix.count(&[0, 1, 2].into()), 7_000_000_000_000);
        assert_eq!((matrix.count(&[2].into()), matrix.count(&BTreeSet::new())), (7, 1));
        // A stage that depends on one of the axes does not have to wait for the others.
        assert_eq!(matrix.combinations(&[2]).count(), 7);
    }

    #[test]
    fn a_count_is_that_of_the_combinations() {
        for text in [
            "rule = ['bp', 'bp_oja']\nseed = { first = 5, count = 3 }",
            "seed = [0, 1]\ncombinations = [{ rule = ['bp'], gradient = [0.1, 0.2] }, { rule = ['bp_oja'], gradient = [0.1], oja = [1, 2, 3] }]",
        ] {
            let (matrix, _) = matrix(text);
            let all: BTreeSet<usize> = (0..matrix.axes.len()).collect();
            assert_eq!(matrix.count(&all), every(&matrix).len() as u128);
        }
    }

    #[test]
    fn a_logarithmic_range_hits_both_ends_and_round_numbers() {
        let (matrix, _) = matrix("gradient = { from = 1e-4, to = 1e-1, count = 4, spacing = 'log' }");
        let values: Vec<_> = matrix.axes[0].values.iter().map(|value| value.label.as_f64().unwrap()).collect();
        assert_eq!(values, [1e-4, 1e-3, 1e-2, 1e-1]);
    }

    #[test]
    fn a_bundle_is_a_table_of_stages() {
        let (matrix, faults) =
            matrix("[network.'5 layers']\ntrain.layers = [784, 10]\n[network.deep]\ntrain.layers = [784, 100, 10]");
        assert!(faults.is_empty());
        assert!(matrix.axes[0].is_bundle());
        assert_eq!(every(&matrix).len(), 2);
    }
}
