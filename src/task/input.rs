//! The inputs that a task declares while it is planned, and by which it asks for them when it runs.

use super::{Available, Gathered, InputId, Planning, Reference, TableId};
use crate::spec::node::{Fault, choices};

/// The inputs of a task in the making. Their order is part of the task's key.
#[derive(Debug)]
pub struct Inputs<'p, 'a> {
    planning: &'p Planning<'a>,
    /// Positions among what is available.
    declared: Vec<usize>,
}

impl<'p, 'a> Inputs<'p, 'a> {
    /// None yet.
    pub fn new(planning: &'p Planning<'a>) -> Self {
        Self { planning, declared: Vec::new() }
    }

    /// The task reads the table in this role; declared twice, it is one input.
    ///
    /// # Errors
    /// No stage referred to makes such a table.
    pub fn read(&mut self, role: &str) -> Result<(InputId, &'a Available), Fault> {
        let planning = self.planning;
        let Some(index) = planning.available.iter().position(|available| available.role == role) else {
            let roles: Vec<&str> = planning.available.iter().map(|available| available.role.as_str()).collect();
            let message =
                format!("stage `{}` reads `{role}`; what it refers to makes: {}", planning.stage, choices(roles));
            return Err(planning.fault("of", message));
        };
        Ok(self.declare(index))
    }

    /// As [`Inputs::read`], of one of several stages that make such a table.
    ///
    /// # Errors
    /// The stage makes no such table.
    pub fn read_of(&mut self, reference: &Reference, role: &str) -> Result<(InputId, &'a Available), Fault> {
        let is_it = |available: &Available| available.stage == reference.name && available.role == role;
        match self.planning.available.iter().position(is_it) {
            Some(index) => Ok(self.declare(index)),
            None => {
                let message =
                    format!("stage `{}` reads `{role}`; `{}` makes none", self.planning.stage, reference.name);
                Err(Fault::at(&reference.span, message))
            }
        }
    }

    fn declare(&mut self, index: usize) -> (InputId, &'a Available) {
        let place = self.declared.iter().position(|&declared| declared == index).unwrap_or_else(|| {
            self.declared.push(index);
            self.declared.len() - 1
        });
        (InputId(place), &self.planning.available[index])
    }

    /// Positions among [`Planning::available`], in the order of declaration.
    pub(super) fn into_positions(self) -> Vec<usize> {
        self.declared
    }
}

impl<'a> Planning<'a> {
    /// A gathered table by the name that the parameters give it.
    ///
    /// # Panics
    /// If no reference of the stage has this name.
    pub fn gathered(&self, name: &str) -> (TableId, &'a Gathered) {
        let place = self.tables.iter().position(|table| table.name == name);
        let place = place.expect("every table that the parameters refer to is gathered");
        (TableId(place), &self.tables[place])
    }
}
