//! Which values of a call of `next` belong to which fields, by the tuple of its names.

use std::cell::UnsafeCell;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use smallvec::SmallVec;

use super::buffer::{Ingest, warn_of_extra};

/// At most so many orders of names of one subject are remembered.
const REMEMBERED: usize = 16;

/// A field that a call does not give.
pub(super) const ABSENT: usize = usize::MAX;

/// Which value of a call each field takes. Shared, since a call may run Python code that fills the cache.
pub(super) type Positions = Arc<[usize]>;

/// Names and what they mean.
type Known = (Py<PyTuple>, Positions);

/// The names of calls and what they mean for the fields. Only used with the GIL.
#[derive(Default)]
pub(super) struct Keywords {
    /// No two tuples hold the same names in the same order.
    remembered: UnsafeCell<SmallVec<[Known; 4]>>,
}

#[expect(
    unsafe_code,
    reason = "the cell is only touched by threads that hold the GIL, one at a time"
)]
// SAFETY: see the reason; `lookup` asks for a token of the GIL and calls no Python code while it borrows the cell.
unsafe impl Sync for Keywords {}

impl std::fmt::Debug for Keywords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keywords")
    }
}

/// Whether two tuples hold the same names in the same order.
fn same_names(left: &Bound<'_, PyTuple>, right: &Bound<'_, PyTuple>) -> bool {
    left.len() == right.len()
        && left.iter_borrowed().zip(right.iter_borrowed()).all(|(left, right)| {
            left.is(&*right)
                || match (left.cast::<PyString>(), right.cast::<PyString>()) {
                    (Ok(left), Ok(right)) => {
                        matches!((left.to_str(), right.to_str()), (Ok(left), Ok(right)) if left == right)
                    }
                    _ => false,
                }
        })
}

impl Keywords {
    /// Calls `found` with the position of each field's value among the values of a call.
    #[inline]
    pub(super) fn lookup<R>(
        &self,
        ingest: &Ingest,
        names: &Bound<'_, PyTuple>,
        found: impl FnOnce(&[usize]) -> R,
    ) -> PyResult<R> {
        let py = names.py();
        #[expect(
            unsafe_code,
            reason = "the GIL is held, and no Python code runs while the cell is borrowed"
        )]
        // SAFETY: see the reason. `found` gets a copy, since what it does may release the GIL.
        let remembered = unsafe { &mut *self.remembered.get() };
        let known = remembered
            .iter()
            .find(|(known, _)| known.as_ptr() == names.as_ptr())
            .or_else(|| remembered.iter().find(|(known, _)| same_names(known.bind(py), names)));
        if let Some((_, positions)) = known {
            let positions = positions.clone();
            return Ok(found(&positions));
        }
        let mut positions = vec![ABSENT; ingest.fields.len()];
        let mut extra = None;
        for (position, name) in names.iter().enumerate() {
            let name = name.cast_into::<PyString>()?;
            match name.to_str().ok().and_then(|name| ingest.field_named(name)) {
                Some(field) => positions[field] = position,
                None => extra = Some(name),
            }
        }
        let positions = Positions::from(positions);
        // Nothing above ran user code; now it may. The latest names take the place of those before them.
        let forgotten = if remembered.len() == REMEMBERED {
            remembered.pop()
        } else {
            None
        };
        remembered.push((names.clone().unbind(), positions.clone()));
        drop(forgotten);
        if let Some(extra) = extra {
            warn_of_extra(py, ingest, &extra.to_string_lossy())?;
        }
        Ok(found(&positions))
    }
}
