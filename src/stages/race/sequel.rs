//! The trainings that races want next. One that is several networks, with an axis that its score is the mean over, takes them
//! all.

use super::rows::{CONDITION, CellRow};
use super::{RaceTask, SEED};
use crate::error::{Error, Result};
use crate::science::racing::Race;
use crate::tables::Table;
use crate::tables::frame::{Cell, Frame};
use crate::task::{Addition, Others, Sequel};

impl Sequel for RaceTask {
    fn more(&self, read: &dyn Fn(&str) -> Result<Table>) -> Result<Vec<Addition>> {
        let damaged = |error: &dyn std::fmt::Display| Error::Store(error.to_string());
        let batch = read("cells")?.to_batch().map_err(|error| damaged(&error))?;
        let frame = Frame::new("cells", batch);
        let rows: Vec<CellRow<'_>> = frame.rows().map_err(|error| damaged(&error))?;
        let coefficients = self.coefficients.iter().map(|name| frame.numbers(name)).collect::<Result<Vec<_>, _>>();
        let coefficients = coefficients.map_err(|error| damaged(&error))?;
        let mut additions = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            let condition = CONDITION.iter().zip([row.dataset, row.setting, row.rule]);
            let mut place: Vec<(String, Cell)> =
                condition.map(|(axis, word)| ((*axis).to_owned(), Cell::Text(word.into()))).collect();
            let values = self.coefficients.iter().zip(&coefficients);
            place.extend(values.filter_map(|(name, values)| Some((name.clone(), Cell::Float(values[index]?)))));
            let first = self.first_seed + i64::from(row.n);
            additions.extend((first..first + i64::from(row.wanted)).map(|seed| {
                let mut places = place.clone();
                places.push((SEED.to_owned(), Cell::Integer(seed)));
                Addition { places, others: Others::Every }
            }));
        }
        Ok(additions)
    }

    fn at_most(&self) -> usize {
        self.n_conditions * self.most_trainings() * self.n_networks
    }

    fn levels(&self) -> usize {
        Race::ROUNDS
    }
}
