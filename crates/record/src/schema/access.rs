//! How a column's values get out of a record, and back into one.

use std::borrow::Cow;

use loadgen_core::RequestRecord;

/// A value out of a record; `None` is a null.
pub(crate) type Get<T> = fn(&RequestRecord) -> Option<T>;
/// A text out of a record.
pub(crate) type GetText = for<'a> fn(&'a RequestRecord) -> Option<Cow<'a, str>>;
/// A value back into a record.
pub(crate) type Set<T> = fn(&mut RequestRecord, T);
/// A text back into a record; `false` when it is none of the texts that the column may hold.
pub(crate) type SetText = fn(&mut RequestRecord, &str) -> bool;

/// The type of a column, with the way to its values.
pub(crate) enum Access {
    Int16 {
        get: Get<i16>,
        set: Set<i16>,
    },
    Int32 {
        get: Get<i32>,
        set: Set<i32>,
    },
    Int64 {
        get: Get<i64>,
        set: Set<i64>,
    },
    Bool {
        get: Get<bool>,
        set: Set<bool>,
    },
    Text {
        get: GetText,
        set: SetText,
    },
    /// One of a short, fixed list of names: the index of this row's name.
    Name {
        names: fn() -> Vec<&'static str>,
        get: fn(&RequestRecord) -> i8,
        set: SetText,
    },
    Int32List {
        get: for<'a> fn(&'a RequestRecord) -> Option<&'a [i32]>,
        set: Set<Vec<i32>>,
    },
    Int64List {
        get: for<'a> fn(&'a RequestRecord) -> Option<&'a [i64]>,
        set: Set<Vec<i64>>,
    },
    /// The chunks' kinds.
    Kinds,
    /// The labels, a map.
    Labels,
}
