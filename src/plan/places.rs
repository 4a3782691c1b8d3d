//! Where the tasks of a stage are on the axes that it depends on.

use crate::spec::matrix::{Coordinates, Matrix};

/// An axis that does not apply.
const NOWHERE: u32 = u32::MAX;

/// The distinct places that the combinations of a matrix have on some of its axes, in the order of the matrix; a number for
/// each axis and one more are all that a place takes.
pub(super) struct Places {
    /// Of the matrix, ascending.
    pub(super) axes: Vec<usize>,
    /// The value's index on each axis, place after place.
    values: Vec<u32>,
    /// The places in ascending order of their values, for looking one up.
    sorted: Vec<u32>,
}

impl Places {
    /// A stage that depends on no axis has one place.
    pub(super) fn new(matrix: &Matrix, axes: Vec<usize>) -> Self {
        if axes.is_empty() {
            return Self { axes, values: Vec::new(), sorted: vec![0] };
        }
        let n_axes = axes.len();
        let mut all: Vec<u32> = Vec::new();
        for values in matrix.combinations(&axes) {
            all.extend(values.into_iter().map(number));
        }
        let at = |place: u32| &all[place as usize * n_axes..][..n_axes];
        let mut sorted: Vec<u32> = (0..(all.len() / n_axes) as u32).collect();
        sorted.sort_unstable_by_key(|&place| (at(place), place));
        // Of combinations that differ on other axes alone the first stands for all.
        sorted.dedup_by(|later, first| at(*later) == at(*first));
        let mut kept = sorted.clone();
        kept.sort_unstable();
        let values = kept.iter().flat_map(|&place| at(place)).copied().collect();
        sorted.iter_mut().for_each(|place| *place = kept.binary_search(place).expect("one of them") as u32);
        Self { axes, values, sorted }
    }

    pub(super) fn len(&self) -> usize {
        self.sorted.len()
    }

    fn at(&self, place: usize) -> &[u32] {
        &self.values[place * self.axes.len()..][..self.axes.len()]
    }

    /// The index of the value on each of the axes.
    pub(super) fn values(&self, place: usize) -> impl Iterator<Item = Option<usize>> {
        self.at(place).iter().map(|&value| (value != NOWHERE).then_some(value as usize))
    }

    /// A combination of a matrix of so many axes that is at this place; what it is on other axes is left open.
    pub(super) fn combination(&self, place: usize, n_axes: usize) -> Coordinates {
        let mut combination = vec![None; n_axes];
        self.axes.iter().zip(self.values(place)).for_each(|(&axis, value)| combination[axis] = value);
        combination
    }

    /// The place of a combination.
    pub(super) fn find(&self, combination: &[Option<usize>]) -> Option<usize> {
        let wanted = || self.axes.iter().map(|&axis| number(combination[axis]));
        let found = self.sorted.binary_search_by(|&place| self.at(place as usize).iter().copied().cmp(wanted()));
        found.ok().map(|index| self.sorted[index] as usize)
    }
}

fn number(value: Option<usize>) -> u32 {
    value.map_or(NOWHERE, |value| u32::try_from(value).expect("an axis has at most a million values"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Spec;

    #[test]
    fn places_are_distinct_in_the_order_of_the_matrix_and_are_found_again() {
        let text = "[pipeline]\nname = 'p'\ntitle = 't'\n[matrix]\nseed = [7, 8]\n\
                    combinations = [{ rule = ['bp'] }, { rule = ['oja', 'bp'], oja = [1, 2] }]\n";
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("p.toml");
        std::fs::write(&file, text).unwrap();
        let matrix = Spec::load(&file, &[]).unwrap().matrix;
        let name = |axis: &str| matrix.axes.iter().position(|other| other.name == axis).unwrap();
        let (rule, oja, seed) = (name("rule"), name("oja"), name("seed"));
        let of = |axes: &[usize]| {
            let places = Places::new(&matrix, axes.to_vec());
            let all: Vec<Vec<Option<usize>>> = (0..places.len()).map(|place| places.values(place).collect()).collect();
            for combination in matrix.combinations(&[0, 1, 2]) {
                let place = places.find(&combination).expect("every combination is somewhere");
                let here: Vec<Option<usize>> = axes.iter().map(|&axis| combination[axis]).collect();
                assert_eq!(all[place], here);
            }
            (all, places)
        };
        assert_eq!(of(&[rule]).0, [[Some(0)], [Some(1)]]);
        assert_eq!(of(&[oja]).0, [[None], [Some(0)], [Some(1)]]);
        assert_eq!(of(&[]).0, [[]]);
        let (all, places) = of(&[rule, oja, seed]);
        assert_eq!(all.len(), 2 + 8);
        assert_eq!(all[1], [Some(0), None, Some(1)]);
        assert_eq!(places.find(&places.combination(5, 3)), Some(5));
        let mut nowhere = vec![None; 3];
        nowhere[seed] = Some(0);
        assert_eq!(places.find(&nowhere), None);
    }
}
