//! Checks that need the whole document: ids, targets, and whether targets can be entered together.

mod ids;
mod legal;
mod targets;

use crate::reader::Reader;

/// Reports everything that is wrong with ids and targets.
pub(crate) fn check(reader: &mut Reader<'_>) {
    let ids = ids::check(reader);
    targets::check(reader, &ids);
}
