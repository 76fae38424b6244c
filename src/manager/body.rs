use std::sync::Arc;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::filter::SearchRequest;

/// A request in settings: the body of a `_search`, read when the settings are. Its `now` is the
/// moment it is warmed at.
///
/// ```
/// use forewarm::{Clause, RequestBody, SearchRequest};
///
/// let body: RequestBody = serde_json::from_str(r#"{"query": {"match": {"body": "sea"}}}"#)?;
/// assert_eq!(body, SearchRequest::new(Clause::match_text("body", "sea")).into());
/// let wrong = serde_json::from_str::<RequestBody>(r#"{"sise": 3}"#).unwrap_err();
/// assert!(wrong.to_string().contains("sise"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RequestBody(pub(super) Arc<SearchRequest>);

impl RequestBody {
    /// The request.
    pub fn request(&self) -> &Arc<SearchRequest> {
        &self.0
    }
}

impl From<SearchRequest> for RequestBody {
    fn from(request: SearchRequest) -> Self {
        Self(Arc::new(request))
    }
}

impl PartialEq for RequestBody {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || self
                .0
                .to_value()
                .is_ok_and(|value| Some(value) == other.0.to_value().ok())
    }
}

impl Serialize for RequestBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = self.0.to_value();
        let value = value.map_err(|error| S::Error::custom(error.chain()))?;
        value.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RequestBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let request = SearchRequest::from_value(&value);
        let request = request.map_err(|error| D::Error::custom(error.chain()))?;
        Ok(request.into())
    }
}
