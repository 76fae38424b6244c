//! What tells a request from all that are not the very same.

use super::SearchRequest;
use crate::filter::fingerprint::Fingerprint;

/// What no split has a say in, and what changes neither which documents match nor whether the
/// request fits a schema.
const INDIFFERENT: &[&str] = &["_source", "from", "size", "track_total_hits"];

impl SearchRequest {
    /// SHA-256 of the request as it is written: requests of one fingerprint and one wording match
    /// the same documents, and fit the same schemas. Fingerprints alone leave out what is not read,
    /// though a schema may refuse it.
    ///
    /// Nothing when there is a query in it that cannot be written, which may match anything.
    pub(crate) fn wording(&self) -> Option<Fingerprint> {
        let clause = self.filter.clause()?;
        if clause.is_too_deep() || self.aggregations.is_opaque() {
            return None;
        }
        let mut written = self.to_value().ok()?;
        let body = written.as_object_mut()?;
        body.retain(|key, _| !INDIFFERENT.contains(&key.as_str()));
        Some(Fingerprint::of(&written))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tantivy::query::AllQuery;

    use crate::filter::{Filter, Fingerprint, SearchRequest};

    fn wording(body: Value) -> Option<Fingerprint> {
        SearchRequest::from_value(&body).unwrap().wording()
    }

    #[test]
    fn what_a_schema_may_refuse_is_told_apart_and_what_it_may_not_is_not() {
        let filter = json!({"term": {"a": 1}});
        let bare = || json!({"query": {"bool": {"filter": filter}}});
        let with = |key: &str, value: Value| {
            let mut body = bare();
            body[key] = value;
            wording(body)
        };
        let plain = wording(bare());
        assert!(plain.is_some());
        for (key, value) in [
            ("size", json!(0)),
            ("from", json!(5)),
            ("track_total_hits", json!(false)),
            ("_source", json!(false)),
        ] {
            assert_eq!(with(key, value), plain, "{key}");
        }
        for (key, value) in [
            ("sort", json!(["b"])),
            ("fields", json!(["b"])),
            ("highlight", json!({"fields": {"b": {}}})),
            ("aggs", json!({"most": {"max": {"field": "b"}}})),
        ] {
            assert_ne!(with(key, value), plain, "{key}");
        }
        // It reads the same, and yet `b` may be a field that is not there.
        let optional = json!({"query": {"bool": {"filter": {"bool": {
            "filter": filter, "should": {"term": {"b": 1}},
        }}}}});
        let fingerprint = |body| SearchRequest::from_value(body).unwrap().fingerprint();
        assert_eq!(fingerprint(&optional), fingerprint(&bare()));
        assert_ne!(wording(optional), plain);
    }

    #[test]
    fn what_cannot_be_written_has_no_wording() {
        let keyed = Filter::query_with_key(Box::new(AllQuery), "all");
        assert_eq!(SearchRequest::new(keyed).wording(), None);
    }
}
