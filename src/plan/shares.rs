//! A plan in shares: which tasks go together, and which of them a worker takes. Keys are known before anything runs, so workers
//! on many machines need not talk to each other: a share is a function of the plan alone.
//!
//! What goes together is a training and what looks at it: tasks that hand tables on in memory, and tasks that read a result
//! that nobody else of their stage reads. What many read (a data set) belongs to nobody: whoever needs it finds or makes it.
//! What lies behind the first gathered table is in no share; it is left until all shares are there.

use std::collections::BTreeMap;
use std::fmt;

use super::{Plan, Task};
use crate::store::Key;

/// One share of so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    number: u32,
    of: u32,
}

impl Share {
    /// Share `number`, from 1, of `of`; none if there is no such share.
    pub fn new(number: u32, of: u32) -> Option<Self> {
        (1..=of).contains(&number).then_some(Self { number, of })
    }

    /// Whether the share has what hangs on the task with this key. Keys are digests, so shares are about equal, and what a
    /// sweep adds changes nothing for what was in it.
    fn has(self, root: &Key) -> bool {
        root.beginning() % u64::from(self.of) == u64::from(self.number) - 1
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.number, self.of)
    }
}

/// The tasks of a plan that can be shared out, by what they hang on.
#[derive(Debug)]
pub struct Components {
    /// By task, the number of its component; none behind the first gathered table.
    of: Vec<Option<usize>>,
    /// By component, the task that gives it its name, and its seconds by the plan's estimate.
    heads: Vec<Head>,
    /// By task, whether another component reads its result.
    is_read_across: Vec<bool>,
}

#[derive(Clone, Copy, Debug)]
struct Head {
    root: usize,
    seconds: f64,
}

impl Components {
    /// Of a plan.
    pub fn new(plan: &Plan) -> Self {
        let is_behind = behind_gathered(&plan.tasks);
        let mut sets = Sets::new(plan.tasks.len());
        let readers = Readers::new(&plan.tasks, &is_behind);
        for (index, task) in plan.tasks.iter().enumerate().filter(|(index, _)| !is_behind[*index]) {
            for input in &task.inputs {
                if input.passing || readers.are_one(input.task, &task.stage) {
                    sets.join(input.task, index);
                }
            }
        }
        let mut heads: Vec<Head> = Vec::new();
        let mut known: BTreeMap<usize, usize> = BTreeMap::new();
        let mut of = vec![None; plan.tasks.len()];
        for index in (0..plan.tasks.len()).filter(|index| !is_behind[*index]) {
            let number = *known.entry(sets.find(index)).or_insert_with(|| {
                // Inputs come first in a plan, so this is the one that the others hang on.
                heads.push(Head { root: index, seconds: 0.0 });
                heads.len() - 1
            });
            of[index] = Some(number);
            let (head, seconds) = (&mut heads[number], plan.seconds(index));
            head.seconds += seconds;
            // A data set that one training alone reads is not what that training is known by.
            let is_source = plan.tasks[head.root].inputs.is_empty();
            if is_source && index != head.root && seconds > plan.seconds(head.root) {
                head.root = index;
            }
        }
        let mut is_read_across = vec![false; plan.tasks.len()];
        for (index, task) in plan.tasks.iter().enumerate().filter(|(index, _)| !is_behind[*index]) {
            for input in task.inputs.iter().filter(|input| of[input.task] != of[index]) {
                is_read_across[input.task] = true;
            }
        }
        Self { of, heads, is_read_across }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// Whether there is nothing to share out.
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// The task by which the component of a task is known; none behind the first gathered table.
    pub fn root(&self, task: usize) -> Option<usize> {
        Some(self.heads[self.of[task]?].root)
    }

    /// Seconds that everything that can be shared out takes on one core, by the plan's estimate.
    pub fn seconds(&self) -> f64 {
        self.heads.iter().map(|head| head.seconds).sum()
    }

    /// The tasks of a share.
    pub fn share(&self, plan: &Plan, share: Share) -> Vec<usize> {
        let ours: Vec<bool> = self.heads.iter().map(|head| share.has(&plan.tasks[head.root].key)).collect();
        self.tasks().filter(|(_, component)| ours[*component]).map(|(task, _)| task).collect()
    }

    /// By task, whether a worker leaves it to another one that is at it: nothing else of what can be shared out waits for it.
    pub fn left_to_others(&self) -> Vec<bool> {
        self.of.iter().zip(&self.is_read_across).map(|(of, across)| of.is_some() && !across).collect()
    }

    /// The tasks of all shares, each with its component.
    pub fn tasks(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.of.iter().enumerate().filter_map(|(task, component)| Some((task, (*component)?)))
    }
}

impl Plan {
    /// The digest of all its keys: equal where program, pipeline and data give the same plan.
    pub fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        let mut keys: Vec<&Key> = self.tasks.iter().map(|task| &task.key).collect();
        keys.sort_unstable();
        keys.into_iter().for_each(|key| {
            hasher.update(key.as_str().as_bytes());
        });
        hasher.finalize().to_hex()[..16].to_owned()
    }
}

/// By task, whether it reads a table that is gathered from many, or something that does.
fn behind_gathered(tasks: &[Task]) -> Vec<bool> {
    let mut is_behind = vec![false; tasks.len()];
    for (index, task) in tasks.iter().enumerate() {
        is_behind[index] = !task.gathered.is_empty() || task.inputs.iter().any(|input| is_behind[input.task]);
    }
    is_behind
}

/// Who reads whose results: a task and the number of a stage, once for each task of the stage.
struct Readers<'a> {
    stages: BTreeMap<&'a str, usize>,
    reads: Vec<(usize, usize)>,
}

impl<'a> Readers<'a> {
    fn new(tasks: &'a [Task], is_behind: &[bool]) -> Self {
        let mut stages: BTreeMap<&str, usize> = BTreeMap::new();
        let mut reads = Vec::new();
        for (_, task) in tasks.iter().enumerate().filter(|(index, _)| !is_behind[*index]) {
            let n_stages = stages.len();
            let stage = *stages.entry(&task.stage).or_insert(n_stages);
            let mut inputs: Vec<usize> = task.inputs.iter().map(|input| input.task).collect();
            inputs.sort_unstable();
            inputs.dedup();
            reads.extend(inputs.into_iter().map(|input| (input, stage)));
        }
        reads.sort_unstable();
        Self { stages, reads }
    }

    /// Whether one task of the stage, and no more, reads a result.
    fn are_one(&self, task: usize, stage: &str) -> bool {
        let Some(&stage) = self.stages.get(stage) else { return false };
        let first = self.reads.partition_point(|read| *read < (task, stage));
        self.reads[first..].iter().take(2).filter(|read| **read == (task, stage)).count() == 1
    }
}

/// Disjoint sets of tasks.
struct Sets {
    parent: Vec<usize>,
}

impl Sets {
    fn new(n: usize) -> Self {
        Self { parent: (0..n).collect() }
    }

    fn find(&mut self, mut one: usize) -> usize {
        while self.parent[one] != one {
            self.parent[one] = self.parent[self.parent[one]];
            one = self.parent[one];
        }
        one
    }

    /// The set is known by the smaller of the two.
    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        self.parent[a.max(b)] = a.min(b);
    }
}
