//! Rows of records to Arrow columns.
//!
//! Invariant: every gatherer has as many entries as rows were pushed, and all are emptied together.

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Float64Builder, Int16Builder, Int32Builder, Int64Builder, StringBuilder,
};
use arrow_array::types::{ArrowPrimitiveType, Int8Type, Int32Type, Int64Type};
use arrow_array::{
    ArrayRef, DictionaryArray, Int8Array, ListArray, MapArray, PrimitiveArray, RecordBatch, StringArray,
    StructArray,
};
use arrow_buffer::{ArrowNativeType, NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, Field, SchemaRef};
use loadgen_core::{ChunkKind, RequestRecord};

use crate::schema::access::Access;
use crate::schema::columns::COLUMNS;
use crate::schema::{element_field, label_fields, name_type};

/// Every kind of chunk, in the order of the dictionary.
pub(crate) const KINDS: [ChunkKind; 3] = [ChunkKind::Text, ChunkKind::Reasoning, ChunkKind::Tool];

/// Rows waiting to become a batch.
pub(crate) struct Rows {
    schema: SchemaRef,
    own: Vec<Gatherer>,
    metrics: Vec<Float64Builder>,
    length: usize,
    chunks: usize,
}

impl Rows {
    /// No rows, and room for `capacity`, for a schema that ends in `metrics` metric columns.
    pub(crate) fn new(schema: SchemaRef, metrics: usize, capacity: usize) -> Self {
        Self {
            schema,
            own: COLUMNS.iter().map(|column| Gatherer::new(&column.access, capacity)).collect(),
            metrics: std::iter::repeat_with(|| Float64Builder::with_capacity(capacity))
                .take(metrics)
                .collect(),
            length: 0,
            chunks: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Content chunks in all rows.
    pub(crate) fn chunks(&self) -> usize {
        self.chunks
    }

    /// Adds a row. The values are those of the metric columns, in their order.
    pub(crate) fn push(&mut self, record: &RequestRecord, metrics: impl Iterator<Item = Option<f64>>) {
        for (gatherer, column) in self.own.iter_mut().zip(COLUMNS) {
            gatherer.push(&column.access, record);
        }
        for (builder, value) in self.metrics.iter_mut().zip(metrics) {
            builder.append_option(value);
        }
        self.length += 1;
        self.chunks += record.chunks.len();
    }

    /// Takes all rows as a batch.
    pub(crate) fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        let own = self.own.iter_mut().map(Gatherer::take).collect::<Result<Vec<_>, _>>()?;
        let metrics = self.metrics.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef);
        let columns = own.into_iter().chain(metrics).collect();
        (self.length, self.chunks) = (0, 0);
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
    }
}

/// One column's values.
enum Gatherer {
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Bool(BooleanBuilder),
    Text(StringBuilder),
    Name { keys: Vec<i8>, names: Arc<StringArray> },
    Int32List(Lists<Int32Type>),
    Int64List(Lists<Int64Type>),
    Kinds { keys: Lists<Int8Type>, names: Arc<StringArray> },
    Labels { keys: StringBuilder, values: StringBuilder, offsets: Vec<i32> },
}

impl Gatherer {
    fn new(access: &Access, capacity: usize) -> Self {
        match access {
            Access::Int16 { .. } => Self::Int16(Int16Builder::with_capacity(capacity)),
            Access::Int32 { .. } => Self::Int32(Int32Builder::with_capacity(capacity)),
            Access::Int64 { .. } => Self::Int64(Int64Builder::with_capacity(capacity)),
            Access::Bool { .. } => Self::Bool(BooleanBuilder::with_capacity(capacity)),
            Access::Text { .. } => Self::Text(StringBuilder::with_capacity(capacity, 0)),
            Access::Name { names, .. } => {
                Self::Name { keys: Vec::new(), names: Arc::new(StringArray::from(names())) }
            }
            Access::Int32List { .. } => Self::Int32List(Lists::new()),
            Access::Int64List { .. } => Self::Int64List(Lists::new()),
            Access::Kinds => Self::Kinds {
                keys: Lists::new(),
                names: Arc::new(StringArray::from(KINDS.map(ChunkKind::name).to_vec())),
            },
            Access::Labels => {
                Self::Labels { keys: StringBuilder::new(), values: StringBuilder::new(), offsets: vec![0] }
            }
        }
    }

    fn push(&mut self, access: &Access, record: &RequestRecord) {
        match (self, access) {
            (Self::Int16(builder), Access::Int16 { get, .. }) => builder.append_option(get(record)),
            (Self::Int32(builder), Access::Int32 { get, .. }) => builder.append_option(get(record)),
            (Self::Int64(builder), Access::Int64 { get, .. }) => builder.append_option(get(record)),
            (Self::Bool(builder), Access::Bool { get, .. }) => builder.append_option(get(record)),
            (Self::Text(builder), Access::Text { get, .. }) => builder.append_option(get(record)),
            (Self::Name { keys, .. }, Access::Name { get, .. }) => keys.push(get(record)),
            (Self::Int32List(lists), Access::Int32List { get, .. }) => {
                lists.push(get(record).map(|list| list.iter().copied()));
            }
            (Self::Int64List(lists), Access::Int64List { get, .. }) => {
                lists.push(get(record).map(|list| list.iter().copied()));
            }
            (Self::Kinds { keys, .. }, Access::Kinds) => {
                keys.push((!record.degraded).then(|| record.chunks.kind.iter().map(|kind| key(*kind))));
            }
            (Self::Labels { keys, values, offsets }, Access::Labels) => {
                for (key, value) in &record.identity.labels {
                    keys.append_value(key);
                    values.append_value(value);
                }
                offsets.push(i32::usize_as(arrow_array::builder::ArrayBuilder::len(keys)));
            }
            _ => unreachable!("a gatherer is made for its column's access"),
        }
    }

    fn take(&mut self) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Int16(builder) => Arc::new(builder.finish()),
            Self::Int32(builder) => Arc::new(builder.finish()),
            Self::Int64(builder) => Arc::new(builder.finish()),
            Self::Bool(builder) => Arc::new(builder.finish()),
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Name { keys, names } => dictionary(std::mem::take(keys), names)?,
            Self::Int32List(lists) => lists.take(DataType::Int32, primitive::<Int32Type>)?,
            Self::Int64List(lists) => lists.take(DataType::Int64, primitive::<Int64Type>)?,
            Self::Kinds { keys, names } => lists_of_names(keys, names)?,
            Self::Labels { keys, values, offsets } => {
                let columns: Vec<ArrayRef> = vec![Arc::new(keys.finish()), Arc::new(values.finish())];
                let entries = StructArray::try_new(label_fields(), columns, None)?;
                let offsets = OffsetBuffer::new(std::mem::replace(offsets, vec![0]).into());
                let field = Field::new("key_value", DataType::Struct(label_fields()), false);
                Arc::new(MapArray::try_new(Arc::new(field), offsets, entries, None, false)?)
            }
        })
    }
}

fn lists_of_names(lists: &mut Lists<Int8Type>, names: &Arc<StringArray>) -> Result<ArrayRef, ArrowError> {
    lists.take(name_type(), |keys| dictionary(keys, names))
}

fn dictionary(keys: Vec<i8>, names: &Arc<StringArray>) -> Result<ArrayRef, ArrowError> {
    let names: ArrayRef = Arc::<StringArray>::clone(names);
    Ok(Arc::new(DictionaryArray::<Int8Type>::try_new(Int8Array::from(keys), names)?))
}

#[expect(clippy::unnecessary_wraps, reason = "stands where building a dictionary may fail")]
fn primitive<T: ArrowPrimitiveType>(values: Vec<T::Native>) -> Result<ArrayRef, ArrowError> {
    Ok(Arc::new(PrimitiveArray::<T>::new(values.into(), None)))
}

fn key(kind: ChunkKind) -> i8 {
    match kind {
        ChunkKind::Text => 0,
        ChunkKind::Reasoning => 1,
        ChunkKind::Tool => 2,
    }
}

/// Lists of one column, end to end.
struct Lists<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    offsets: Vec<i32>,
    is_valid: Vec<bool>,
}

impl<T: ArrowPrimitiveType> Lists<T> {
    fn new() -> Self {
        Self { values: Vec::new(), offsets: vec![0], is_valid: Vec::new() }
    }

    fn push(&mut self, list: Option<impl Iterator<Item = T::Native>>) {
        self.is_valid.push(list.is_some());
        self.values.extend(list.into_iter().flatten());
        self.offsets.push(i32::usize_as(self.values.len()));
    }

    fn take(
        &mut self,
        element: DataType,
        to_array: impl FnOnce(Vec<T::Native>) -> Result<ArrayRef, ArrowError>,
    ) -> Result<ArrayRef, ArrowError> {
        let Self { values, offsets, is_valid } = std::mem::replace(self, Self::new());
        let nulls = NullBuffer::from(is_valid);
        let nulls = (nulls.null_count() > 0).then_some(nulls);
        let values = to_array(values)?;
        let offsets = OffsetBuffer::new(offsets.into());
        Ok(Arc::new(ListArray::try_new(element_field(element), offsets, values, nulls)?))
    }
}
