//! Takes one value of each key, and names what is swept.

use super::sweep::Sweep;
use super::value::Value;
use std::ops::Range;

/// One axis of the expansion. A key that is not swept is an axis of length 1.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// The axis as it is named in a case's id: the key, with a number from the
    /// second fault on.
    pub(super) name: String,
    /// Number of values on the axis.
    pub(super) len: usize,
    /// Bytes of the longest value as it appears in an id.
    pub(super) width: usize,
    /// Where the file gives the first value, in bytes from its start.
    pub(super) span: Option<Range<usize>>,
}

/// Takes one value of each axis, and names the swept ones in the id.
pub(super) struct Picker<'a> {
    pub(super) choose: &'a mut dyn FnMut(&dyn Fn() -> Axis) -> usize,
    pub(super) id: String,
    pub(super) mark: char,
}

impl Picker<'_> {
    /// Takes one value of a key that may be left out.
    pub(super) fn pick_any<T: Value>(&mut self, name: &str, sweep: &Option<Sweep<T>>) -> Option<T> {
        sweep.as_ref().map(|sweep| self.pick(name, sweep))
    }

    pub(super) fn pick_or<T: Value>(
        &mut self,
        name: &str,
        sweep: &Option<Sweep<T>>,
        default: T,
    ) -> T {
        self.pick_any(name, sweep).unwrap_or(default)
    }

    pub(super) fn pick<T: Value>(&mut self, name: &str, sweep: &Sweep<T>) -> T {
        let axis = || Axis {
            name: name.to_owned(),
            len: sweep.0.len(),
            width: sweep
                .values()
                .map(|value| value.word().len())
                .max()
                .unwrap_or(0),
            span: sweep.0.first().and_then(|given| given.span.clone()),
        };
        let value = &sweep.0[(self.choose)(&axis)].value;
        if sweep.0.len() > 1 {
            self.id.push(self.mark);
            self.mark = ',';
            self.id.push_str(name);
            self.id.push('=');
            self.id.push_str(&value.word());
        }
        value.clone()
    }
}
