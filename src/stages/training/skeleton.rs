//! Every training: order → network → learner → stops → advance → score → snapshot → rows. What learns, and how, is a
//! [`Recipe`].

use std::fmt;
use std::mem;
use std::sync::Arc;

use super::parameters::{Course, Data};
use super::tables::{Described, Record, write_run, write_samples, write_state, write_weights};
use crate::error::Result;
use crate::science::InvalidParameter;
use crate::science::learner::{Divergence, Learner, UpdateNorms};
use crate::science::model::Blueprint;
use crate::science::samples::Samples;
use crate::science::seed::{Purpose, stream};
use crate::science::tape::{Foreign, Tape};
use crate::spec::node::Fault;
use crate::stages::dataset::images;
use crate::stages::environment;
use crate::stages::known::at_steps;
use crate::stages::{DataFacts, Known, NetworkFacts};
use crate::task::{Equation, Facts, InputId, KnownValues, Output, Planning, Surroundings, Work};

/// What a kind of training brings to the skeleton.
pub(super) trait Recipe: Clone + PartialEq + Send + Sync + fmt::Debug + 'static {
    /// What learns.
    type Learner: Learner;

    /// All parameters that the result depends on, defaults filled in.
    fn parameters(&self) -> serde_json::Value;

    /// Which samples are seen, and when one looks.
    fn course(&self) -> &Course;

    /// The same, to be changed.
    fn course_mut(&mut self) -> &mut Course;

    /// What the network is, whatever its weights.
    fn blueprint(&self) -> Blueprint;

    /// The tables that it makes.
    fn outputs(&self) -> &'static [Output];

    /// The network at its beginning, with its way of learning.
    fn learner(&self) -> Result<Self::Learner, InvalidParameter>;

    /// What stands in the row of `runs`.
    fn describe(&self) -> Described<'_>;

    /// What else is looked at when training pauses at `step`, over the held-out images from `first` on.
    fn look(
        &self,
        _context: &dyn Surroundings,
        _step: u64,
        _model: &<Self::Learner as Learner>::Model,
        (_held_out, _first): (&Samples, usize),
    ) -> Result<()> {
        Ok(())
    }

    /// What else is written at the end.
    fn conclude(&self, _context: &dyn Surroundings) -> Result<()> {
        Ok(())
    }

    /// The learning rule.
    fn equation(&self) -> Option<Equation> {
        None
    }

    /// A rough cost in seconds.
    fn cost(&self) -> f64;

    /// How many times longer it takes with portable kernels.
    fn slowdown(&self) -> f64;

    /// A rough number of bytes that are remembered of what happens beside the weights.
    fn history(&self) -> u64 {
        0
    }
}

/// A training, checked.
#[derive(Debug)]
pub(super) struct Training<R> {
    common: Arc<Common<R>>,
    seed: u64,
}

/// What trainings that differ in their seeds alone have in common: a plan may have a million of them.
#[derive(Debug)]
struct Common<R> {
    /// With the seed 0.
    recipe: R,
    images: InputId,
    data: Arc<DataFacts>,
    facts: Facts,
    n_synapses: usize,
}

impl<R: Recipe> Training<R> {
    /// # Errors
    /// It takes more memory than there is; `layers` is the parameter that makes the network large.
    pub(super) fn new(planning: &Planning<'_>, layers: &str, mut recipe: R, data: Data) -> Result<Self, Fault> {
        let seed = mem::take(&mut recipe.course_mut().seed);
        let is_it =
            |known: &Common<R>| known.images == data.input && *known.data == *data.facts && known.recipe == recipe;
        let common = match environment::lately(planning, is_it) {
            Some(known) => known,
            None => environment::remember(planning, Arc::new(Common::new(recipe, data))),
        };
        let training = Self { common, seed };
        planning.check_memory(layers, "training this network", training.memory().into())?;
        Ok(training)
    }

    /// All of the recipe.
    fn recipe(&self) -> R {
        let mut recipe = self.common.recipe.clone();
        recipe.course_mut().seed = self.seed;
        recipe
    }

    /// But for its seed.
    fn course(&self) -> &Course {
        self.common.recipe.course()
    }

    /// Bytes of one copy of all weights.
    fn weights(&self) -> u64 {
        4 * self.common.n_synapses as u64
    }
}

impl<R: Recipe> Common<R> {
    fn new(recipe: R, Data { input: images, facts: data }: Data) -> Self {
        let Course { schedule, snapshots, .. } = recipe.course().clone();
        let network = NetworkFacts { blueprint: recipe.blueprint(), schedule, snapshots };
        let n_synapses = network.n_synapses();
        let known = Known { data: Some(data.clone()), network: Some(Arc::new(network)), ..Known::default() };
        Self { recipe, images, data, facts: known.into(), n_synapses }
    }
}

impl<R: Recipe> Work for Training<R> {
    fn parameters(&self) -> serde_json::Value {
        self.recipe().parameters()
    }

    fn outputs(&self) -> &[Output] {
        self.common.recipe.outputs()
    }

    fn facts(&self) -> Facts {
        self.common.facts.clone()
    }

    fn known_values(&self, table: &str) -> KnownValues {
        let Course { schedule, snapshots, .. } = self.course();
        match table {
            "evaluations" | "updates" | "term_norms" => at_steps(schedule),
            "weights" | "state" => at_steps(snapshots),
            _ => KnownValues::new(),
        }
    }

    fn run(&self, context: &dyn Surroundings) -> Result<()> {
        let recipe = self.recipe();
        let course = recipe.course();
        let data = images(context, self.common.images)?;
        let order = stream(course.seed, Purpose::SampleOrder, 0)
            .without_replacement(course.n_training as u32, course.samples as u32);
        let mut training = UnderWay::begin(&recipe).map_err(|error| context.numerics(error))?;
        let taken_up = context.take_up(&mut |state| {
            training = UnderWay::go_on(&recipe, state, order.len())?;
            Ok(())
        })?;
        let seen = taken_up.then(|| training.learner.steps());
        if let Some(seen) = seen {
            context.notice(&format!("goes on from sample {seen} of {}, where it was stopped", order.len()));
        }
        let mut divergence = None;
        let held_out = data.held_out(course.evaluate_on);
        let remembers = self.outputs().iter().any(|output| output.table() == "state");
        // A state is left on the way to a stop, never at one: what was to be looked at by then has been.
        for step in course.stops().into_iter().filter(|&step| seen.is_none_or(|seen| step > seen)) {
            match training.advance(context, &data.train, &order[..step as usize])? {
                Ok(norms) if course.schedule.contains(&step) => training.record.updates(step, &norms),
                Ok(_) => {}
                Err(diverged) => {
                    divergence = Some(diverged);
                    break;
                }
            }
            let UnderWay { learner, record } = &mut training;
            let model = learner.model();
            if course.schedule.contains(&step) {
                context.check_interrupted()?;
                record.score_and_hand_on(context, step, &*model, held_out)?;
            }
            recipe.look(context, step, &model, held_out)?;
            if course.snapshots.contains(&step) {
                write_weights(context, "weights", step, &*model)?;
                if remembers {
                    write_state(context, step, learner.state())?;
                }
            }
        }
        let seen = divergence.map_or(order.len(), |divergence| divergence.step as usize);
        write_run(context, &recipe.blueprint(), recipe.describe(), course.samples, divergence)?;
        recipe.conclude(context)?;
        training.record.write(context, self.outputs())?;
        write_samples(context, &order[..seen])
    }

    fn equation(&self) -> Option<Equation> {
        self.common.recipe.equation()
    }

    fn cost(&self) -> f64 {
        self.common.recipe.cost()
    }

    fn slowdown(&self) -> f64 {
        self.common.recipe.slowdown()
    }

    fn memory(&self) -> u64 {
        // Weights and what learning keeps beside them; who reads those that are kept or handed on counts them.
        self.weights().saturating_mul(4).saturating_add(self.common.recipe.history())
    }

    fn disk(&self) -> u64 {
        let Course { schedule, snapshots, .. } = self.course();
        self.weights().saturating_mul(snapshots.len() as u64) + 20_000 + 200 * schedule.len() as u64
    }
}

/// Samples between two looks at whether the user wants to stop: at most some tens of milliseconds.
const CHUNK: u64 = 100;

/// What learns, and what it has done so far.
struct UnderWay<L> {
    learner: L,
    record: Record,
}

impl<L: Learner> UnderWay<L> {
    /// Before the first sample.
    fn begin(recipe: &impl Recipe<Learner = L>) -> Result<Self, InvalidParameter> {
        Ok(Self { learner: recipe.learner()?, record: Record::default() })
    }

    /// From the state that a training by the same recipe left.
    ///
    /// # Errors
    /// It is of another, or of none.
    fn go_on(recipe: &impl Recipe<Learner = L>, state: &[u8], n_samples: usize) -> Result<Self, String> {
        let mut training = Self::begin(recipe).map_err(|error| error.to_string())?;
        Tape::read(state, |tape| training.keep(tape)).map_err(|error| error.to_string())?;
        match training.learner.steps() {
            seen if seen <= n_samples as u64 => Ok(training),
            seen => Err(format!("it has seen {seen} samples of {n_samples}")),
        }
    }

    fn keep(&mut self, tape: &mut Tape<'_>) -> Result<(), Foreign> {
        self.learner.keep(tape)?;
        self.record.keep(tape)
    }

    /// Trains until all of `order` has been seen, and measures the last update on the way.
    fn advance(
        &mut self,
        context: &dyn Surroundings,
        samples: &Samples,
        order: &[u32],
    ) -> Result<std::result::Result<Vec<UpdateNorms>, Divergence>> {
        let mut norms = Vec::new();
        while self.learner.steps() < order.len() as u64 {
            if context.is_time_to_leave() {
                context.leave(&Tape::written(|tape| self.keep(tape)));
            }
            context.check_interrupted()?;
            let seen = self.learner.steps();
            let next = (order.len() as u64).min(seen + CHUNK);
            let chunk = &order[seen as usize..next as usize];
            let advanced = if next == order.len() as u64 {
                self.learner.advance_recording(samples, chunk).map(|found| norms = found)
            } else {
                self.learner.advance(samples, chunk)
            };
            if let Err(divergence) = advanced {
                return Ok(Err(divergence));
            }
        }
        Ok(Ok(norms))
    }
}

#[cfg(test)]
mod tests {
    use crate::error::Error;
    use crate::stages::examples::trained;
    use crate::stages::rows::{EvaluationRow, RunRow, SampleRow};
    use crate::stages::training::{Train, TrainBatch, TrainRecurrent};
    use crate::task::Kind;

    /// Stopped at every look at whether it should stop, and once more after that: rows, models in passing, evaluations, norms,
    /// what neurons remember and norms of hidden states come out as if nothing had been.
    #[test]
    fn whatever_learns_goes_on_from_where_it_was_stopped() {
        let lit: Vec<[u8; 4]> = (0..20_u8).map(|n| [n * 12, 255 - n, 40 * (n % 3), 0]).collect();
        let images: Vec<(&[u8], i32)> = lit.iter().zip(0..).map(|(pixels, n)| (&pixels[..], n % 2)).collect();
        let bench = trained(&[4, 2], &[], &images[..3], &images);
        let common = "data = 'train'\nsamples = 12\nschedule = [0, 3, 4, 8, 12]\nsnapshots = [2, 4, 11]\n";
        let kinds: [(&dyn Kind, String); 3] = [
            (&Train, format!("{common}layers = [4, 3, 2]\ncoefficients = {{ gradient = 0.1, oja = 0.01 }}")),
            (
                &TrainBatch,
                format!("{common}layers = [4, 3, 2]\noptimizer = 'adam'\nrate = 0.01\nbatch_size = 4\noja = 0.01"),
            ),
            (
                &TrainRecurrent,
                format!(
                    "{common}hidden = 3\ntime_steps = 4\nimage_steps = 2\nhidden_norms = [1, 4, 12]\n\
                     coefficients = {{ gradient = 0.1, oja = 0.01, clip = 0.5 }}"
                ),
            ),
        ];
        for (kind, parameters) in kinds {
            bench.leaves_states(None);
            let expected = bench.run(kind, &parameters).unwrap();
            for asked in 0.. {
                bench.leaves_states(Some(asked));
                let first = bench.run(kind, &parameters);
                if first.is_ok() {
                    assert!(
                        asked > 10,
                        "{}: it is asked on the way to every stop, and at those of the schedule",
                        kind.name()
                    );
                    break;
                }
                assert!(matches!(first, Err(Error::Interrupted)));
                bench.leaves_states(Some(2));
                let second = bench.run(kind, &parameters);
                bench.leaves_states(None);
                let last = second.or_else(|_| bench.run(kind, &parameters)).unwrap();
                let batches = |made: &crate::task::bench::Made| {
                    made.tables.iter().map(|(name, table)| (name.clone(), table.batches.clone())).collect::<Vec<_>>()
                };
                assert!(batches(&last) == batches(&expected), "{}, stopped after {asked}", kind.name());
                let told = last.notices.iter().filter(|notice| notice.contains("goes on from sample")).count();
                assert_eq!(told, 1, "{:?}", last.notices);
            }
        }
    }

    #[test]
    fn a_training_that_diverges_says_when_and_has_rows_until_then() {
        let image: (&[u8], i32) = (&[255, 255], 0);
        // The last fifth of the training set is the tuning split.
        let bench = trained(&[2, 2], &[], &[image], &[image; 5]);
        let train = "data = 'train'\nlayers = [2, 2]\nsamples = 4\nschedule = { every = 1 }\n";
        let made = bench.run(&Train, &format!("{train}coefficients = {{ decay = 1e35 }}")).unwrap();
        let [run]: [RunRow<'_>; 1] = made.rows("runs").try_into().unwrap();
        assert_eq!((run.status, run.diverged_at_step), ("diverged", Some(2)), "W = 1e35, then 1e70");
        let samples: Vec<SampleRow<'_>> = made.rows("samples");
        assert_eq!(samples.iter().map(|row| row.step).collect::<Vec<_>>(), [1, 2]);
        let evaluations: Vec<EvaluationRow<'_>> = made.rows("evaluations");
        assert_eq!(evaluations.iter().map(|row| row.step).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(made.notices.len(), 1, "the user is told");
        let made = bench.run(&Train, &format!("{train}coefficients = {{ decay = 1e-3 }}")).unwrap();
        let [run]: [RunRow<'_>; 1] = made.rows("runs").try_into().unwrap();
        assert_eq!((run.status, run.diverged_at_step), ("completed", None));
        assert_eq!(made.rows::<SampleRow<'_>>("samples").len(), 4);
    }
}
