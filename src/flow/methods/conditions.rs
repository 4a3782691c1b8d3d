//! Which tasks of a stage have what: a property that all share is said once, one that differs is said with its conditions.

use std::collections::BTreeSet;

use serde_json::Value;

use super::prose::{cell, list};
use crate::plan::{Pipeline, Plan, Stage};
use crate::tables::frame::Cell;

/// Axes that tell runs of a condition apart, not conditions.
const OF_RUNS: [&str; 2] = ["seed", "cell"];

/// Letters of a list of conditions that is read to its end.
const LONGEST_PLACE: usize = 60;

/// The conditions of a stage: what was recorded of one run of each, with its place on the axes.
#[derive(Debug)]
pub(super) struct Conditions<T> {
    axes: Vec<String>,
    /// Places and what stands there; each place once.
    pub rows: Vec<(Vec<Cell>, T)>,
}

impl<T> Conditions<T> {
    /// The first of those that share a place.
    pub(super) fn new(axes: &[String], tasks: impl IntoIterator<Item = (Vec<Cell>, T)>) -> Self {
        let kept: Vec<usize> = (0..axes.len()).filter(|&axis| !OF_RUNS.contains(&axes[axis].as_str())).collect();
        let mut seen = BTreeSet::new();
        let mut rows = Vec::new();
        for (place, what) in tasks {
            let place: Vec<Cell> = kept.iter().map(|&axis| place[axis].clone()).collect();
            if seen.insert(place.clone()) {
                rows.push((place, what));
            }
        }
        Self { axes: kept.iter().map(|&axis| axes[axis].clone()).collect(), rows }
    }

    /// The axes with their values, in the order of the rows.
    pub(super) fn axes(&self) -> Vec<(&str, Vec<&Cell>)> {
        let values = |axis: usize| {
            let mut values: Vec<&Cell> = Vec::new();
            for (place, _) in &self.rows {
                if place[axis] != Cell::Null && !values.contains(&&place[axis]) {
                    values.push(&place[axis]);
                }
            }
            values
        };
        self.axes.iter().enumerate().map(|(axis, name)| (name.as_str(), values(axis))).collect()
    }

    /// What `property` says of each row, each answer once with where it holds; nowhere in particular if everywhere.
    pub(super) fn spread<P: PartialEq>(&self, property: impl Fn(&T) -> P) -> Vec<(P, Option<String>)> {
        let mut found: Vec<(P, Vec<usize>)> = Vec::new();
        for (index, (_, row)) in self.rows.iter().enumerate() {
            let value = property(row);
            match found.iter_mut().find(|(known, _)| *known == value) {
                Some((_, members)) => members.push(index),
                None => found.push((value, vec![index])),
            }
        }
        let everywhere = found.len() == 1;
        found.into_iter().map(|(value, members)| (value, (!everywhere).then(|| self.place(&members)))).collect()
    }

    /// A property in words: `softplus`, or `softplus (5 layers) and tanh (10 layers)`.
    pub(super) fn said(&self, property: impl Fn(&T) -> String) -> String {
        let mut spread = self.spread(property);
        let places = |spread: &[(String, Option<String>)], at: usize| spread[at].1.as_ref().map_or(0, String::len);
        // The longest of several lists is what the others leave.
        if let Some(longest) = (0..spread.len()).max_by_key(|&at| places(&spread, at))
            && spread.len() > 1
            && places(&spread, longest) > LONGEST_PLACE
        {
            let (value, _) = spread.remove(longest);
            spread.push((value, Some("all others".to_owned())));
        }
        let said = spread.into_iter().map(|(value, place)| match place {
            // An axis that sets the property says the same again.
            Some(place) if place.ends_with(&format!(" = {value}")) => value,
            Some(place) => format!("{value} ({place})"),
            None => value,
        });
        list(&said.collect::<Vec<_>>())
    }

    /// The rows in as few words as tell them from all others: by one axis if that does, else by two, else by what they
    /// have in common.
    fn place(&self, members: &[usize]) -> String {
        let n_axes = self.axes.len();
        let alone = (0..n_axes).map(|axis| vec![axis]);
        let pairs = (0..n_axes).flat_map(|first| (first + 1..n_axes).map(move |second| vec![first, second]));
        let all = [(0..n_axes).collect::<Vec<_>>()];
        for axes in alone.chain(pairs).chain(all) {
            let at = |index: usize| -> Vec<&Cell> { axes.iter().map(|&axis| &self.rows[index].0[axis]).collect() };
            let inside: BTreeSet<Vec<&Cell>> = members.iter().map(|&index| at(index)).collect();
            let outside = (0..self.rows.len()).filter(|index| !members.contains(index)).map(at);
            if outside.into_iter().any(|place| inside.contains(&place)) {
                continue;
            }
            let mut places: Vec<Vec<&Cell>> = Vec::new();
            for &index in members {
                if !places.contains(&at(index)) {
                    places.push(at(index));
                }
            }
            return self.in_words(&axes, &places);
        }
        String::new()
    }

    /// `bp: 5 layers, 10 layers; bp_oja: 5 layers`
    fn in_words(&self, axes: &[usize], places: &[Vec<&Cell>]) -> String {
        let label = |axis: usize, value: &Cell| match value {
            // A number or a switch says nothing without its name.
            Cell::Text(_) => cell(value),
            other => format!("{} = {}", self.axes[axis], cell(other)),
        };
        let mut groups: Vec<(String, Vec<String>)> = Vec::new();
        for place in places {
            let (first, rest) = place.split_first().expect("there is an axis");
            let first = label(axes[0], first);
            let rest = axes[1..].iter().zip(rest).filter(|(_, value)| ***value != Cell::Null);
            let rest = rest.map(|(&axis, value)| label(axis, value)).collect::<Vec<_>>().join(" with ");
            match groups.iter_mut().find(|(known, _)| *known == first) {
                Some((_, others)) => others.push(rest),
                None => groups.push((first, vec![rest])),
            }
        }
        let said = groups.into_iter().map(|(first, rest)| match rest.join(", ") {
            rest if rest.is_empty() => first,
            rest => format!("{first}: {rest}"),
        });
        let between = if axes.len() == 1 { ", " } else { "; " };
        said.collect::<Vec<_>>().join(between)
    }
}

/// One run of each condition of a stage.
pub(super) fn conditions(plan: &Plan, stage: &Stage) -> Conditions<(usize, Value)> {
    let rows = stage.grid.iter().map(|(task, place)| (place.to_vec(), (task, plan.tasks[task].work.parameters())));
    Conditions::new(&stage.grid.axes, rows)
}

/// Whether coefficients that tuning left beside those that it picked are trained for the verdicts.
pub(super) fn has_cells(pipeline: &Pipeline) -> bool {
    let axes = pipeline.stages.iter().flat_map(|stage| &stage.grid.axes);
    axes.into_iter().any(|axis| axis == "cell") && pipeline.stages.iter().any(|stage| stage.kind == "claims")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions() -> Conditions<(&'static str, u32)> {
        let axes = ["rule", "network", "seed"].map(str::to_owned);
        let text = |word: &str| Cell::Text(word.into());
        let row = |rule, network, seed, what| (vec![text(rule), text(network), Cell::Integer(seed)], what);
        let rows = [
            row("bp", "5", 0, ("a", 1)),
            row("bp", "5", 1, ("never seen", 9)),
            row("bp", "10", 0, ("a", 2)),
            row("oja", "5", 0, ("b", 2)),
            row("oja", "10", 0, ("b", 2)),
        ];
        Conditions::new(&axes, rows)
    }

    #[test]
    fn what_all_share_is_said_once() {
        assert_eq!(conditions().said(|_| "softplus".to_owned()), "softplus");
        assert_eq!(conditions().rows.len(), 4, "seeds are no conditions");
    }

    #[test]
    fn what_differs_is_said_with_the_fewest_words_that_tell_it_apart() {
        assert_eq!(conditions().said(|(word, _)| (*word).to_owned()), "a (bp) and b (oja)");
        assert_eq!(conditions().said(|(_, n)| n.to_string()), "1 (bp: 5) and 2 (bp: 10; oja: 5, 10)");
    }
}
