//! Tasks: a few classes of a pool, and samples of each.

use std::ops::Range;

use crate::science::InvalidParameter;
use crate::science::samples::Samples;
use crate::science::seed::{Purpose, Stream, stream};

/// The classes of one or several data sets, numbered through in their order.
///
/// A class keeps the label of its data set, shifted by the classes of the sets before it: with MNIST and Fashion-MNIST
/// 0 … 9 are digits and 10 … 19 garments.
#[derive(Clone, Debug)]
pub struct ClassPool<'a> {
    sets: Vec<&'a Samples>,
    /// For each class its data set and the indices of its samples there.
    classes: Vec<(usize, Vec<u32>)>,
}

/// How large a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskSize {
    /// Classes, 5 in the paper.
    pub n_classes: usize,
    /// Samples of each class to learn from, 50 in the paper.
    pub n_training: usize,
    /// Samples of each class to be asked about afterwards, none of them among the former; 10 in the paper.
    pub n_query: usize,
}

/// What tasks have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sampling {
    /// Whether a class may come up twice in a task, as in the authors' code. It then brings twice as many samples.
    pub with_replacement: bool,
    /// Whether a class shows the same samples in every task of a seed, as in the authors' code; otherwise each task draws its
    /// own.
    pub fixed_samples: bool,
}

impl Sampling {
    /// How often a task of so many classes may ask a class for samples that it has not shown yet.
    pub fn most_draws_of_a_class(self, n_classes: usize) -> usize {
        if self.with_replacement && !self.fixed_samples { n_classes } else { 1 }
    }
}

/// The task of one episode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The seed of the episode's initial weights.
    pub seed: u64,
    /// Training samples in the order in which they are learned: class, index within its data set.
    pub training: Vec<(usize, u32)>,
    /// Query samples, likewise.
    pub query: Vec<(usize, u32)>,
}

impl<'a> ClassPool<'a> {
    /// The pool of all classes of `sets`.
    ///
    /// # Errors
    /// If there is no data set, or if their images differ in size.
    pub fn new(sets: Vec<&'a Samples>) -> Result<Self, InvalidParameter> {
        Self::within(sets.into_iter().map(|set| (set, 0..set.len())).collect())
    }

    /// As [`ClassPool::new`], of the samples in a range of each data set: what is kept for choosing between learners stays
    /// apart from what they are compared on.
    ///
    /// # Errors
    /// As [`ClassPool::new`], and if a range exceeds its data set.
    pub fn within(parts: Vec<(&'a Samples, Range<usize>)>) -> Result<Self, InvalidParameter> {
        if let Some((set, range)) = parts.iter().find(|(set, range)| range.end > set.len()) {
            return Err(InvalidParameter::new(format!(
                "samples {} to {} of a data set of {}",
                range.start,
                range.end,
                set.len()
            )));
        }
        let (sets, ranges): (Vec<&Samples>, Vec<Range<usize>>) = parts.into_iter().unzip();
        let Some(first) = sets.first() else {
            return Err(InvalidParameter::new("a pool of classes needs at least one data set"));
        };
        if let Some(other) = sets.iter().find(|set| set.n_pixels() != first.n_pixels()) {
            return Err(InvalidParameter::new(format!(
                "the data sets of a pool must have images of one size, found {} and {} pixels",
                first.n_pixels(),
                other.n_pixels()
            )));
        }
        let mut classes = Vec::new();
        for (number, (set, range)) in sets.iter().zip(ranges).enumerate() {
            let first = classes.len();
            classes.resize_with(first + set.n_classes(), || (number, Vec::new()));
            for index in range {
                classes[first + set.label(index)].1.push(index as u32);
            }
        }
        Ok(Self { sets, classes })
    }

    /// Number of classes, which is the number of outputs that a network needs.
    pub fn n_classes(&self) -> usize {
        self.classes.len()
    }

    /// Pixels an image.
    pub fn n_pixels(&self) -> usize {
        self.sets[0].n_pixels()
    }

    /// Image `index` of the data set of `class`.
    pub fn pixels(&self, class: usize, index: u32) -> &'a [u8] {
        self.sets[self.classes[class].0].pixels(index as usize)
    }

    /// The task of an episode. It depends on seed and episode alone, so learners that share a seed share their tasks.
    ///
    /// From the stream (seed, task, episode): 53 bits for the episode's seed, the classes, and for each of them, in the order
    /// in which they first came up, its samples, training samples first; a class that came up twice brings twice as many,
    /// all different. Fixed samples come from the stream (seed, task samples, class) instead, and a class that came up
    /// twice brings the same ones twice. The order of learning comes from the stream (episode's seed, sample order, 0), over
    /// the training samples class by class.
    ///
    /// # Panics
    /// If the pool is too small for the task, which [`ClassPool::check`] tells.
    pub fn draw(&self, size: TaskSize, sampling: Sampling, seed: u64, episode: u32) -> Task {
        const TWO_TO_53: f64 = (1_u64 << 53) as f64;
        let TaskSize { n_classes, n_training, n_query } = size;
        let mut stream_of_task = stream(seed, Purpose::Task, episode);
        let episode_seed = (stream_of_task.uniform_f64() * TWO_TO_53) as u64;
        let (there, n_classes) = (self.n_classes() as u32, n_classes as u32);
        let classes: Vec<u32> = match sampling.with_replacement {
            false => stream_of_task.without_replacement(there, n_classes),
            true => (0..n_classes).map(|_| stream_of_task.below(there)).collect(),
        };
        let (mut by_class, mut query) = (Vec::new(), Vec::new());
        for (at, &class) in classes.iter().enumerate().filter(|(at, class)| !classes[..*at].contains(class)) {
            let times = classes[at..].iter().filter(|other| **other == class).count();
            let members = &self.classes[class as usize].1;
            let mut draw = |from: &mut Stream, times: usize| {
                let drawn = from.without_replacement(members.len() as u32, (times * (n_training + n_query)) as u32);
                let mut samples = drawn.into_iter().map(|at| (class as usize, members[at as usize]));
                by_class.extend(samples.by_ref().take(times * n_training));
                query.extend(samples);
            };
            match sampling.fixed_samples {
                false => draw(&mut stream_of_task, times),
                true => (0..times).for_each(|_| draw(&mut stream(seed, Purpose::TaskSamples, class), 1)),
            }
        }
        let n = by_class.len() as u32;
        let order = stream(episode_seed, Purpose::SampleOrder, 0).without_replacement(n, n);
        Task { seed: episode_seed, training: order.into_iter().map(|at| by_class[at as usize]).collect(), query }
    }

    /// Whether tasks of this size can be drawn.
    ///
    /// # Errors
    /// If a number is 0, if there are fewer classes, or if a class has too few samples.
    pub fn check(&self, size: TaskSize, sampling: Sampling) -> Result<(), InvalidParameter> {
        let TaskSize { n_classes, n_training, n_query } = size;
        if n_classes == 0 || n_training == 0 || n_query == 0 {
            return Err(InvalidParameter::new(
                "a task needs at least one class, one training sample and one query sample a class",
            ));
        }
        if self.n_classes() == 0 || (n_classes > self.n_classes() && !sampling.with_replacement) {
            return Err(InvalidParameter::new(format!(
                "a task of {n_classes} classes cannot be drawn from a pool of {}",
                self.n_classes()
            )));
        }
        let times = sampling.most_draws_of_a_class(n_classes);
        let needed = n_training.saturating_add(n_query).saturating_mul(times);
        match self.classes.iter().position(|(_, members)| members.len() < needed) {
            None => Ok(()),
            Some(class) => Err(InvalidParameter::new(format!(
                "a task needs {needed} samples per class; class {class} of the pool has {}",
                self.classes[class].1.len()
            ))),
        }
    }
}
