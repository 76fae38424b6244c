//! Which texts of a hit are shown with its words marked: `highlight` of a `_search` body.

use serde_json::{Map, Value, json};
use tantivy::Index;
use tantivy::schema::{Field, FieldType, Type};
use tantivy::tokenizer::TextAnalyzer;

use crate::error::Result;
use crate::filter::field::Target;
use crate::filter::json::{check_keys, kind_of, object, string};
use crate::filter::path::Path;
use crate::filter::source::wildcard_match;

/// How many fields may be named.
const MAX_FIELDS: usize = 100;
/// The longest tag, in bytes: it stands before or after every marked word.
const MAX_TAG: usize = 1_000;
/// How many fragments of a field may be asked for.
const MAX_FRAGMENTS: usize = 100;

/// The parameters, sorted as error messages list them.
const PARAMETERS: &[&str] = &[
    "fragment_size",
    "number_of_fragments",
    "post_tags",
    "pre_tags",
];

/// Texts of a hit in which the words that were searched are marked.
///
/// The shape is that of an entry of `highlight.fields` (page *Highlighting*, `highlighting`), with
/// the parameters `fragment_size`, `number_of_fragments`, `pre_tags` and `post_tags`. What is
/// marked are the terms of the query in the same field, as tantivy's snippets mark them; terms that
/// a pattern stands for are not.
///
/// ```
/// use forewarm::{Clause, HighlightField, SearchRequest};
///
/// let request = SearchRequest::new(Clause::match_text("title", "sea"))
///     .highlight([HighlightField::new("title").number_of_fragments(1).tags("[", "]")]);
/// assert_eq!(request.highlighted().len(), 1);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct HighlightField {
    /// A stored and indexed text field, or a path of texts in a JSON field, or a pattern in which `*`
    /// stands for any characters: then text fields that match.
    pub pattern: String,
    /// How long a fragment may be, in bytes. Default 100.
    pub fragment_size: usize,
    /// How many fragments are shown, the best ones, in the order of the text; 0 is the whole text.
    /// Default 5.
    pub number_of_fragments: usize,
    /// What stands before a word. Default `<em>`.
    pub pre_tag: String,
    /// What stands after a word. Default `</em>`.
    pub post_tag: String,
}

impl HighlightField {
    /// The field of a name, or the fields that match a pattern.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self {
            pattern: pattern.into(),
            fragment_size: 100,
            number_of_fragments: 5,
            pre_tag: "<em>".into(),
            post_tag: "</em>".into(),
        }
    }

    /// Sets how long a fragment may be, in bytes.
    #[must_use]
    pub fn fragment_size(mut self, bytes: usize) -> Self {
        self.fragment_size = bytes;
        self
    }

    /// Sets how many fragments are shown; 0 is the whole text.
    #[must_use]
    pub fn number_of_fragments(mut self, fragments: usize) -> Self {
        self.number_of_fragments = fragments;
        self
    }

    /// Sets what stands before and after a word.
    #[must_use]
    pub fn tags(mut self, before: impl Into<String>, after: impl Into<String>) -> Self {
        self.pre_tag = before.into();
        self.post_tag = after.into();
        self
    }

    /// The same settings for another field, those changed that are given.
    fn with(&self, pattern: &str, map: &Map<String, Value>, path: &Path<'_>) -> Result<Self> {
        let mut field = self.clone();
        field.pattern = pattern.into();
        let count = |key: &str, default: usize| match map.get(key) {
            None => Ok(default),
            Some(value) => {
                let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
                count.ok_or_else(|| {
                    let path = path.key(key);
                    path.error(format_args!("expected a whole number from 0, got {value}"))
                })
            }
        };
        field.fragment_size = count("fragment_size", field.fragment_size)?;
        field.number_of_fragments = count("number_of_fragments", field.number_of_fragments)?;
        if let Some(tags) = map.get("pre_tags") {
            field.pre_tag = tag(tags, &path.key("pre_tags"))?;
        }
        if let Some(tags) = map.get("post_tags") {
            field.post_tag = tag(tags, &path.key("post_tags"))?;
        }
        field.check_sizes(path)?;
        Ok(field)
    }

    fn check_sizes(&self, path: &Path<'_>) -> Result<()> {
        if self.fragment_size == 0 {
            let path = path.key("fragment_size");
            return Err(path.error("expected a whole number from 1, got 0"));
        }
        if self.number_of_fragments > MAX_FRAGMENTS {
            return Err(path.key("number_of_fragments").error(format_args!(
                "{} fragments, more than {MAX_FRAGMENTS}",
                self.number_of_fragments
            )));
        }
        for (key, tag) in [("pre_tags", &self.pre_tag), ("post_tags", &self.post_tag)] {
            if tag.len() > MAX_TAG {
                return Err(path.key(key).error(format_args!(
                    "a tag of {} bytes, more than {MAX_TAG}",
                    tag.len()
                )));
            }
        }
        Ok(())
    }
}

impl From<&str> for HighlightField {
    fn from(pattern: &str) -> Self {
        Self::new(pattern)
    }
}

/// One tag: Elasticsearch uses further ones only to tell words apart by weight.
fn tag(value: &Value, path: &Path<'_>) -> Result<String> {
    match value {
        Value::Array(tags) if tags.len() == 1 => {
            string(&tags[0], &path.index(0)).map(str::to_owned)
        }
        Value::Array(tags) => Err(path.error(format_args!("expected one tag, got {}", tags.len()))),
        value => string(value, path).map(str::to_owned),
    }
}

/// Reads the value of `highlight`.
pub(crate) fn from_value(value: &Value, path: &Path<'_>) -> Result<Vec<HighlightField>> {
    let map = object(value, path)?;
    let known: Vec<&str> = ["fields"].iter().chain(PARAMETERS).copied().collect();
    check_keys(map, &known, "parameter", path)?;
    let usual = HighlightField::new("").with("", map, path)?;
    let fields = match map.get("fields") {
        None => return Err(path.error("the parameter \"fields\" is missing")),
        Some(fields) => fields,
    };
    let path = &path.key("fields");
    let mut read = Vec::new();
    let mut one = |map: &Map<String, Value>, path: &Path<'_>| -> Result<()> {
        for (name, body) in map {
            let path = &path.key(name);
            let parameters = object(body, path)?;
            check_keys(parameters, PARAMETERS, "parameter", path)?;
            read.push(usual.with(name, parameters, path)?);
        }
        Ok(())
    };
    match fields {
        Value::Object(map) => one(map, path)?,
        Value::Array(entries) => {
            for (index, entry) in entries.iter().enumerate() {
                let path = &path.index(index);
                one(object(entry, path)?, path)?;
            }
        }
        other => {
            let kind = kind_of(other);
            return Err(path.error(format_args!("expected an object or an array, got {kind}")));
        }
    }
    if read.is_empty() || read.len() > MAX_FIELDS {
        let count = read.len();
        return Err(path.error(format_args!(
            "expected 1 to {MAX_FIELDS} fields, got {count}"
        )));
    }
    Ok(read)
}

/// Writes the value of `highlight`.
pub(crate) fn to_value(fields: &[HighlightField]) -> Value {
    let written = fields.iter().map(|field| {
        json!({ field.pattern.as_str(): {
            "fragment_size": field.fragment_size,
            "number_of_fragments": field.number_of_fragments,
            "pre_tags": [field.pre_tag],
            "post_tags": [field.post_tag],
        }})
    });
    json!({"fields": written.collect::<Value>()})
}

/// A field of an index whose texts are shown.
pub(crate) struct BoundHighlight {
    /// As the request spells it.
    pub(crate) name: String,
    /// The name of the field in the schema.
    pub(crate) root: String,
    pub(crate) field: Field,
    /// Empty for the field itself.
    pub(crate) json_path: String,
    /// What the terms of its texts begin with, before the text.
    pub(crate) prefix: Vec<u8>,
    pub(crate) tokenizer: TextAnalyzer,
    pub(crate) settings: HighlightField,
}

/// Finds the fields in an index; of two entries for one field the first counts.
///
/// # Errors
///
/// A field is unknown, no text, not indexed or not stored, or its tokenizer is not registered.
pub(crate) fn bind(fields: &[HighlightField], index: &Index) -> Result<Vec<BoundHighlight>> {
    let schema = index.schema();
    let root = Path::root("highlight");
    let root = root.key("fields");
    let mut bound: Vec<BoundHighlight> = Vec::new();
    let mut add = |target: &Target<'_>, settings: &HighlightField, tokenizer| {
        if bound.iter().any(|known| known.name == target.name) {
            return;
        }
        let mut prefix = Vec::new();
        if target.entry.field_type().is_json() {
            prefix.extend(target.json_term().serialized_value_bytes());
            prefix.push(Type::Str.to_code());
        }
        bound.push(BoundHighlight {
            name: target.name.to_owned(),
            root: target.entry.name().to_owned(),
            field: target.field,
            json_path: target.json_path.to_owned(),
            prefix,
            tokenizer,
            settings: settings.clone(),
        });
    };
    for settings in fields {
        let path = &root.key(&settings.pattern);
        settings.check_sizes(path)?;
        if settings.pattern.contains('*') {
            for (field, entry) in schema.fields() {
                if wildcard_match(&settings.pattern, entry.name())
                    && matches!(entry.field_type(), FieldType::Str(_))
                    && entry.is_indexed()
                    && entry.is_stored()
                    && let Ok(tokenizer) = index.tokenizer_for_field(field)
                {
                    let target = Target::resolve(&schema, entry.name(), path)?;
                    add(&target, settings, tokenizer);
                }
            }
            continue;
        }
        let target = Target::resolve_value(&schema, &settings.pattern, path)?;
        let typ = target.entry.field_type();
        if !matches!(typ, FieldType::JsonObject(_) | FieldType::Str(_)) {
            let name = target.type_name();
            return Err(path.error(format_args!("expected a text field, got {name}")));
        }
        for (has, what) in [
            (target.is_indexed(), "indexed, so no word of it is searched"),
            (
                target.entry.is_stored(),
                "stored, so there is no text to show",
            ),
        ] {
            if !has {
                let name = target.entry.name();
                return Err(path.error(format_args!("{name:?} is not {what}")));
            }
        }
        let tokenizer = index.tokenizer_for_field(target.field);
        let tokenizer = tokenizer.map_err(|error| path.error(error))?;
        add(&target, settings, tokenizer);
    }
    Ok(bound)
}
