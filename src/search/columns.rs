//! Values of columns, as hits bring them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tantivy::columnar::DynamicColumn;
use tantivy::schema::{Facet, FieldType, OwnedValue};
use tantivy::time::OffsetDateTime;
use tantivy::{DateTime, DocId, SegmentReader, TantivyError};

use crate::filter::{DateStyle, FetchField, column_names};

/// The columns of one segment that hits bring.
pub(super) struct SegmentColumns {
    columns: Vec<NamedColumn>,
}

struct NamedColumn {
    name: String,
    style: DateStyle,
    is_facet: bool,
    column: DynamicColumn,
}

impl SegmentColumns {
    /// Opens all columns; what is missing of all of them is found out at once.
    pub(super) fn open(reader: &SegmentReader, fields: &[FetchField]) -> tantivy::Result<Self> {
        let mut columns = Vec::new();
        let mut failure: Option<TantivyError> = None;
        for (name, style) in names(reader, fields)? {
            let is_facet = reader.schema().get_field(&name).is_ok_and(|field| {
                let entry = reader.schema().get_field_entry(field);
                matches!(entry.field_type(), FieldType::Facet(_))
            });
            for handle in reader.fast_fields().dynamic_column_handles(&name)? {
                match handle.open() {
                    Ok(column) => columns.push(NamedColumn {
                        name: name.clone(),
                        style,
                        is_facet,
                        column,
                    }),
                    Err(error) => failure = Some(error.into()),
                }
            }
        }
        match failure {
            None => Ok(Self { columns }),
            Some(error) => Err(error),
        }
    }

    /// The values of a document by name, as lists; names without a value left out.
    pub(super) fn values(&self, doc: DocId) -> tantivy::Result<serde_json::Map<String, Value>> {
        let mut found: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for column in &self.columns {
            let values = column.values(doc)?;
            if !values.is_empty() {
                found.entry(&column.name).or_default().extend(values);
            }
        }
        let found = found.into_iter();
        Ok(found
            .map(|(name, values)| (name.to_owned(), values.into()))
            .collect())
    }
}

/// The names that are asked for, each once; of two styles for one the first counts.
fn names(
    reader: &SegmentReader,
    fields: &[FetchField],
) -> tantivy::Result<BTreeMap<String, DateStyle>> {
    let mut names = BTreeMap::new();
    for field in fields {
        let style = field.style.unwrap_or_default();
        let matching = if field.is_pattern() {
            column_names(&field.pattern, reader)?
        } else if is_fast(&field.pattern, reader) {
            vec![field.pattern.clone()]
        } else {
            Vec::new()
        };
        for name in matching {
            names.entry(name).or_insert(style);
        }
    }
    Ok(names)
}

fn is_fast(name: &str, reader: &SegmentReader) -> bool {
    let schema = reader.schema();
    let field = schema.find_field(name);
    field.is_some_and(|(field, _)| schema.get_field_entry(field).is_fast())
}

impl NamedColumn {
    fn values(&self, doc: DocId) -> tantivy::Result<Vec<Value>> {
        Ok(match &self.column {
            DynamicColumn::Bool(column) => column.values_for_doc(doc).map(Value::from).collect(),
            DynamicColumn::Bytes(column) => {
                let ords = column.term_ords(doc);
                ords.map(|ord| {
                    let mut bytes = Vec::new();
                    column.ord_to_bytes(ord, &mut bytes)?;
                    // tantivy writes bytes in base64.
                    Ok(serde_json::to_value(OwnedValue::Bytes(bytes))?)
                })
                .collect::<tantivy::Result<_>>()?
            }
            DynamicColumn::DateTime(column) => column
                .values_for_doc(doc)
                .map(|date| write_date(date, self.style))
                .collect(),
            DynamicColumn::F64(column) => column.values_for_doc(doc).map(Value::from).collect(),
            DynamicColumn::I64(column) => column.values_for_doc(doc).map(Value::from).collect(),
            DynamicColumn::IpAddr(column) => column
                .values_for_doc(doc)
                .map(|address| match address.to_ipv4_mapped() {
                    Some(v4) => json!(v4.to_string()),
                    None => json!(address.to_string()),
                })
                .collect(),
            DynamicColumn::Str(column) => {
                let ords = column.term_ords(doc);
                ords.map(|ord| {
                    let mut text = String::new();
                    column.ord_to_str(ord, &mut text)?;
                    Ok(json!(self.text(text)))
                })
                .collect::<tantivy::Result<_>>()?
            }
            DynamicColumn::U64(column) => column.values_for_doc(doc).map(Value::from).collect(),
        })
    }

    /// Facets are kept as their encoding.
    fn text(&self, text: String) -> String {
        match self.is_facet {
            true => Facet::from_encoded(text.clone().into_bytes())
                .map_or(text, |facet| facet.to_path_string()),
            false => text,
        }
    }
}

/// Writes a date.
pub(super) fn write_date(date: DateTime, style: DateStyle) -> Value {
    match style {
        DateStyle::EpochMillis => json!(date.into_timestamp_millis().to_string()),
        DateStyle::OptionalTime => json!(with_millis(date.into_utc())),
    }
}

/// As Elasticsearch writes `strict_date_optional_time`.
fn with_millis(date: OffsetDateTime) -> String {
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        date.hour(),
        date.minute(),
        date.second(),
        date.millisecond()
    )
}
