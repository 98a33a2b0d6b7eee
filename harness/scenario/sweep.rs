//! Values with their place in the file, and sweeps: one value, a list, or a
//! range.

use super::value::{Offset, Value};
use serde::{Serialize, Serializer};
use std::ops::Range;

/// A value, and where the file gives it.
#[derive(Clone, Debug)]
pub(super) struct Given<T> {
    pub(super) value: T,
    /// Place in bytes from the start of the file; `None` for a default.
    pub(super) span: Option<Range<usize>>,
}

/// The values of one axis. It is empty only if the file's value was refused;
/// then checks of other values go on without it.
#[derive(Clone, Debug)]
pub(super) struct Sweep<T>(pub(super) Vec<Given<T>>);

/// A plain list, which is no axis.
#[derive(Clone, Debug)]
pub(super) struct List<T> {
    pub(super) items: Vec<Given<T>>,
    /// Place of the whole list, as in [`Given`].
    pub(super) span: Option<Range<usize>>,
}

/// Where in the I/O a fault strikes.
#[derive(Clone, Debug)]
pub(super) enum At {
    /// At every sector in turn (`every`); with its place in the file.
    Every(Range<usize>),
    /// At the first fault's sector (`same`); with its place in the file.
    Same(Range<usize>),
    /// At these offsets from the start of the I/O.
    Offsets(Sweep<Offset>),
}

impl<T> From<T> for Given<T> {
    fn from(value: T) -> Self {
        Given { value, span: None }
    }
}

impl<T> Sweep<T> {
    /// A sweep of one value that is not in the file.
    pub(super) fn of(value: T) -> Self {
        Sweep(vec![value.into()])
    }

    /// The values without their places.
    pub(super) fn values(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.0.iter().map(|given| &given.value)
    }

    /// The value with the smallest `key`.
    pub(super) fn least<K: Ord>(&self, key: impl Fn(&T) -> K) -> Option<&Given<T>> {
        self.0.iter().min_by_key(|given| key(&given.value))
    }

    /// The values that are `bad`, one for each place in the file: a range is
    /// reported once, with its first bad value.
    pub(super) fn offenders(&self, bad: impl Fn(&T) -> bool) -> Vec<&Given<T>> {
        let mut found: Vec<&Given<T>> = self.0.iter().filter(|given| bad(&given.value)).collect();
        found.dedup_by(|a, b| a.span == b.span);
        found
    }

    /// The first value that `wanted` accepts.
    pub(super) fn find(&self, wanted: impl Fn(&T) -> bool) -> Option<&Given<T>> {
        self.0.iter().find(|given| wanted(&given.value))
    }
}

impl<T> List<T> {
    /// A list that is not in the file.
    pub(super) fn of(items: impl IntoIterator<Item = T>) -> Self {
        List {
            items: items.into_iter().map(Given::from).collect(),
            span: None,
        }
    }
}

impl<T: Copy> List<T> {
    /// The list for that many legs. A single value stands for all of them.
    pub(super) fn each(&self, legs: u8) -> Vec<T> {
        match self.items.as_slice() {
            [all] => vec![all.value; usize::from(legs)],
            many => many.iter().map(|given| given.value).collect(),
        }
    }
}

impl<T: Value> Serialize for Given<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.to_toml().serialize(serializer)
    }
}

impl<T: Value> Serialize for Sweep<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(serializer),
            many => serializer.collect_seq(many),
        }
    }
}

impl<T: Value> Serialize for List<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.items)
    }
}

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            At::Every(_) => serializer.serialize_str("every"),
            At::Same(_) => serializer.serialize_str("same"),
            At::Offsets(offsets) => offsets.serialize(serializer),
        }
    }
}
