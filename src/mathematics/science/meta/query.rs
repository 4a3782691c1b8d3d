//! What a trained network is asked.

/// How the trained network answers the query samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Query {
    /// Mean loss: cross-entropy in nats, where the network's output is not judged otherwise.
    pub loss: f64,
    /// Share of samples whose largest output is that of their label; of equal ones the first counts.
    pub accuracy: f64,
}

/// Whether the largest output is the label's; of equal ones the first counts.
pub(super) fn is_largest<T: PartialOrd>(outputs: &[T], label: usize) -> bool {
    largest(outputs) == label
}

/// The first of the largest outputs.
pub(super) fn largest<T: PartialOrd>(outputs: &[T]) -> usize {
    (1..outputs.len()).fold(0, |best, k| if outputs[k] > outputs[best] { k } else { best })
}
