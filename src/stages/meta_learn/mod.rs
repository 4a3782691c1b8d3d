//! datasets → runs, episodes, angles: the coefficients of a rule are learned over many tasks (section 2.5, Figure 8).

mod parameters;
mod rule;
mod task;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use self::parameters::{DrawFrom, ImagesSpec, MetaLearnSpec};
use self::rule::{OuterRate, initial_rule, learned, learning_rate};
use self::task::{Canonical, MetaLearnTask, outputs};
use super::DataFacts;
use super::parameters::{Every, Steps, activation_name, axes_of, init_name};
use super::pool;
use super::training::check_width;
use super::training::rules::read_rule;
use super::training::terms::{is_written, number_axis};
use crate::error::Result;
use crate::science::activation::Activation;
use crate::science::meta::{MetaSettings, Sampling, TaskSize};
use crate::science::network::Architecture;
use crate::science::plasticity::Rule;
use crate::spec::Definitions;
use crate::spec::node::{Fault, Node};
use crate::task::{InputId, Inputs, Kind, Output, Planned, Planning, Reference};

/// Bytes of what is kept of an episode, and of its row.
const EPISODE_BYTES: u64 = 300;

/// The parameter whose number cannot be, or the rule, whose coefficients then cannot.
fn wrong_number(spec: &MetaLearnSpec) -> &'static str {
    let wrong = |number: f64| !(number > 0.0 && number.is_finite());
    [
        ("l1", spec.l1 != 0.0 && wrong(spec.l1)),
        ("clip", spec.clip.is_some_and(wrong)),
        ("skip_above", spec.skip_above.is_some_and(wrong)),
        ("learning_rate", spec.learning_rate.is_some_and(wrong)),
    ]
    .into_iter()
    .find_map(|(field, is_wrong)| is_wrong.then_some(field))
    .unwrap_or("rule")
}

/// The data sets of the pool, which have images beside their tuning split.
fn read_pool(planning: &Planning<'_>, inputs: &mut Inputs<'_, '_>) -> Result<Vec<(InputId, Arc<DataFacts>)>, Fault> {
    let mut found = Vec::new();
    for (reference, data) in pool::chosen(planning)? {
        if data.n_train <= data.n_tuning() {
            let message = format!(
                "`{}` has {} training images; the last {} are the tuning split, so more are needed",
                data.name,
                data.n_train,
                data.n_tuning()
            );
            return Err(Fault::at(&reference.span, message));
        }
        found.push((inputs.read_of(&reference, "dataset")?.0, data));
    }
    Ok(found)
}

/// `kind = "meta_learn"`
pub struct MetaLearn;

impl Kind for MetaLearn {
    fn name(&self) -> &'static str {
        "meta_learn"
    }

    fn summary(&self) -> &'static str {
        "Learns the coefficients of a plasticity rule over many small tasks, by the exact gradient of what the rule achieves."
    }

    fn version(&self) -> u32 {
        4
    }

    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<MetaLearnSpec>()
    }

    fn tables(&self) -> Vec<Output> {
        outputs(&Rule::with_terms(Vec::new()).expect("no term is in the way of another"))
    }

    fn axis_parameter(&self, axis: &str, definitions: &Definitions) -> Option<Vec<String>> {
        static AXES: LazyLock<BTreeSet<String>> = LazyLock::new(|| axes_of::<MetaLearnSpec>(&["data", "otherwise"]));
        // A pipeline's own term is no axis here, nor what would be read as a number of another.
        match AXES.contains(axis) {
            true => Some(vec![axis.to_owned()]),
            false => number_axis(definitions, axis).filter(|_| !is_written(definitions, axis)),
        }
    }

    fn references(&self, parameters: &Node) -> Result<Vec<Reference>, Fault> {
        pool::references(parameters)
    }

    fn plan(&self, planning: &Planning<'_>) -> Result<Planned, Fault> {
        let spec: MetaLearnSpec = planning.parameters.read()?;
        let in_field = |field: &'static str| move |message: String| planning.fault(field, message);
        let mut inputs = Inputs::new(planning);
        let (images, data): (Vec<_>, Vec<_>) = read_pool(planning, &mut inputs)?.into_iter().unzip();
        let pool = pool::name_of(data.iter().map(Arc::as_ref));
        let n_classes = data.iter().map(|data| data.n_classes).sum();
        let n_outputs = spec.outputs.unwrap_or(n_classes);
        if n_outputs < n_classes {
            let message = format!("{n_outputs} outputs; the pool {pool} has {n_classes} classes");
            return Err(planning.fault("outputs", message));
        }
        let activation = spec.activation.check().map_err(in_field("activation"))?;
        let init = spec.init.check().map_err(in_field("init"))?;
        if let Some(layer) = spec.hidden.iter().position(|&width| width == 0) {
            return Err(planning.fault("hidden", format!("hidden layer {} has no units", layer + 1)));
        }
        let layers = [&[data[0].n_pixels], &spec.hidden[..], &[n_outputs]].concat();
        check_width(planning, "hidden", &layers)?;
        let records = u64::from(spec.episodes) * EPISODE_BYTES;
        planning.check_memory("episodes", &format!("the records of {} episodes", spec.episodes), records.into())?;
        let units = layers.iter().map(|&width| width as u128).sum::<u128>();
        let samples = (spec.training_samples as u128 + spec.query_samples as u128).saturating_mul(spec.classes as u128);
        // What the reverse sweep needs of every sample: activations, errors and their adjoints, in double precision.
        let sweep = u64::try_from(samples.saturating_mul(units).saturating_mul(4 * 8)).unwrap_or(u64::MAX);
        planning.check_memory("training_samples", &format!("an episode of {samples} samples"), sweep.into())?;
        let architecture = Architecture::new(layers.clone(), activation)
            .map_err(|error| planning.fault("hidden", error.to_string()))?;
        let written = read_rule(planning, &spec.rule, &[])?;
        let learned = learned(&written, spec.learned.as_deref()).map_err(in_field("learned"))?;
        let (feedback, pathway) = spec.feedback.check().map_err(in_field("feedback"))?;
        if feedback.settles() {
            let message = format!(
                "meta-learning does not differentiate through `{}`, whose activations settle step by step",
                feedback.name()
            );
            return Err(planning.fault("feedback", message));
        }
        let (rule, terms) = initial_rule(planning, &spec, &written, &learned, feedback)?;
        let OuterRate { rate: learning_rate, is_untuned, source } = learning_rate(planning, &spec, &written, &pool)?;
        let task = TaskSize { n_classes: spec.classes, n_training: spec.training_samples, n_query: spec.query_samples };
        let sampling =
            Sampling { with_replacement: spec.with_replacement, fixed_samples: spec.images == ImagesSpec::Fixed };
        if task.n_classes > n_classes && !sampling.with_replacement {
            let message = format!("{} classes a task; the pool {pool} has {n_classes}", task.n_classes);
            return Err(planning.fault("classes", message));
        }
        for (field, count) in [("training_samples", spec.training_samples), ("query_samples", spec.query_samples)] {
            if count == 0 {
                return Err(planning.fault(field, "a task needs at least 1 of them a class"));
            }
        }
        let times = sampling.most_draws_of_a_class(task.n_classes);
        let of_a_class = spec.training_samples.saturating_add(spec.query_samples).saturating_mul(times);
        let there = data.iter().map(|data| match spec.draw_from {
            DrawFrom::Training => data.n_train - data.n_tuning(),
            DrawFrom::Tuning => data.n_tuning(),
        });
        if let Some(most) = there.max().filter(|&most| of_a_class > most) {
            let message =
                format!("{of_a_class} images of a class, for training and for queries; the pool has {most} in all");
            return Err(planning.fault("training_samples", message));
        }
        if spec.episodes == 0 {
            return Err(planning.fault("episodes", "no episode: nothing would be learned"));
        }
        let settings = MetaSettings {
            architecture,
            initialization: init,
            feedback,
            task,
            sampling,
            rule,
            learned,
            learning_rate,
            l1: spec.l1,
            clip: spec.clip,
            skip_above: spec.skip_above,
            step_back: spec.step_back,
        };
        settings.check_numbers().map_err(|error| planning.fault(wrong_number(&spec), error.to_string()))?;
        let episode = if settings.suits_kernels() { sweep } else { settings.memory_of_matrices() };
        planning.check_memory("training_samples", &format!("an episode of {samples} samples"), episode.into())?;
        let every_tenth = Steps::Every(Every { every: 10.min(u64::from(spec.episodes)) });
        let angles = spec.angles.as_ref().unwrap_or(&every_tenth);
        let mut angles = angles.expand(u64::from(spec.episodes)).map_err(in_field("angles"))?;
        // Episodes are counted from 1.
        angles.retain(|&episode| episode > 0);
        let named = |wanted: bool| {
            let terms =
                settings.rule.terms().iter().map(|(term, coefficient)| (term.name.to_string(), coefficient.at(1)));
            terms.filter(|(name, _)| settings.learned.contains(name) == wanted).collect::<BTreeMap<_, _>>()
        };
        Ok(Planned::new(MetaLearnTask {
            canonical: Canonical {
                draw_from: spec.draw_from,
                layers,
                activation: activation_name(activation),
                beta: match activation {
                    Activation::Softplus { beta } => Some(beta),
                    _ => None,
                },
                init: init_name(init),
                std: init.std(),
                feedback: feedback.name(),
                pathway,
                learned: named(true),
                fixed: named(false),
                terms,
                learning_rate,
                seed: spec.seed,
                episodes: spec.episodes,
                classes: task.n_classes,
                training_samples: task.n_training,
                query_samples: task.n_query,
                with_replacement: sampling.with_replacement,
                images: spec.images,
                l1: spec.l1,
                clip: spec.clip,
                skip_above: spec.skip_above,
                step_back: spec.step_back,
                angles,
            },
            outputs: outputs(&settings.rule),
            rule: settings.completed_rule(),
            settings,
            is_untuned,
            memory: episode.saturating_add(records),
            images,
            n_classes,
            pool,
        })
        .reading(inputs)
        .looked_up_in(source))
    }
}
