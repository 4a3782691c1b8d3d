//! The learning rules that a pipeline runs, as equations, each once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Pipeline, Plan};
use crate::tables::frame::Cell;

/// The tasks of a stage that run the same equation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Equations {
    /// The stage that trains by it.
    pub stage: String,
    /// Its kind.
    pub kind: String,
    /// Axes on which these tasks agree, with their values.
    pub condition: Vec<(String, Cell)>,
    /// How many tasks of the stage train by it.
    pub n_tasks: usize,
    /// With its coefficients, one equation a line.
    pub plain: String,
    /// The same in LaTeX, one equation an entry.
    pub latex: Vec<String>,
    /// What a brain would need for it beyond what its terms say.
    pub needs: Vec<String>,
    /// Why it takes longer than others; said while planning, and no part of a record.
    #[serde(skip)]
    pub slow: Option<String>,
}

impl Equations {
    /// `train (train)  rule = bp  × 20 runs`
    pub fn heading(&self) -> String {
        let mut heading = format!("{} ({})", self.stage, self.kind);
        for (axis, value) in &self.condition {
            heading += &format!("  {axis} = {value}");
        }
        match self.n_tasks {
            1 => heading,
            n => format!("{heading}  × {n} runs"),
        }
    }
}

/// The equations of a pipeline, in the order of the file.
pub fn equations(plan: &Plan, pipeline: &Pipeline) -> Vec<Equations> {
    let mut found: Vec<Equations> = Vec::new();
    for stage in &pipeline.stages {
        let mut positions: BTreeMap<String, usize> = BTreeMap::new();
        for (task, coordinates) in stage.grid.iter() {
            let Some(equation) = plan.tasks[task].work.equation() else { continue };
            let here: Vec<(String, Cell)> = stage.grid.axes.iter().cloned().zip(coordinates.iter().cloned()).collect();
            let identity = format!("{}\n{}", equation.plain, equation.needs.join("\n"));
            match positions.get(&identity) {
                Some(&at) => {
                    let same = &mut found[at];
                    same.condition.retain(|pair| here.contains(pair));
                    same.n_tasks += 1;
                }
                None => {
                    positions.insert(identity, found.len());
                    found.push(Equations {
                        stage: stage.name.clone(),
                        kind: stage.kind.to_owned(),
                        // An axis that does not apply to a task is no condition of it.
                        condition: here.into_iter().filter(|(_, value)| *value != Cell::Null).collect(),
                        n_tasks: 1,
                        plain: equation.plain,
                        latex: equation.latex,
                        needs: equation.needs.into_iter().map(str::to_owned).collect(),
                        slow: equation.slow,
                    });
                }
            }
        }
    }
    found
}
