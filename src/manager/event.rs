use object_store::path::Path;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::split::SplitAddress;

/// What the embedding service tells its manager, for triggers to act on.
///
/// ```
/// use forewarm::{Event, SplitAddress};
///
/// let merged = Event::SplitPublished {
///     split: SplitAddress::new("logs/abc.split".into()),
///     replaces: vec!["logs/a.split".into(), "logs/b.split".into()],
/// };
/// assert_eq!(merged.name(), "split_published");
/// let custom: Event = serde_json::from_str(r#"{"custom": {"name": "deployed", "data": 7}}"#)?;
/// assert_eq!(custom.name(), "deployed");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// Anything else, by a name of the caller's.
    Custom {
        /// Its name.
        name: String,
        /// Anything.
        #[serde(default)]
        data: Value,
    },
    /// A node has joined the fleet, so that splits may move.
    NodeJoined {
        /// Its name.
        node: String,
    },
    /// A split is there to be searched.
    SplitPublished {
        /// Where it is.
        split: SplitAddress,
        /// Paths of the splits that were merged into it, and are searched until it is announced.
        #[serde(default, with = "paths")]
        replaces: Vec<Path>,
    },
    /// A split is searched no more.
    SplitRetired {
        /// Its path.
        #[serde(with = "path")]
        split: Path,
    },
    /// Somebody has begun to work, and will search.
    TenantActive {
        /// Their name.
        tenant: String,
    },
}

impl Event {
    /// What requests are bound to it by: `node_joined`, `split_published`, `split_retired`,
    /// `tenant_active`, or the name of a custom event.
    pub fn name(&self) -> &str {
        match self {
            Self::Custom { name, .. } => name,
            Self::NodeJoined { .. } => "node_joined",
            Self::SplitPublished { .. } => "split_published",
            Self::SplitRetired { .. } => "split_retired",
            Self::TenantActive { .. } => "tenant_active",
        }
    }
}

/// A path in JSON, which `object_store` does not write itself.
mod path {
    use object_store::path::Path;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(path.as_ref())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Path, D::Error> {
        let text = String::deserialize(from)?;
        Path::parse(text).map_err(D::Error::custom)
    }
}

/// Paths in JSON.
mod paths {
    use object_store::path::Path;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(paths: &[Path], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(paths.iter().map(Path::as_ref))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Path>, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        let paths = texts.into_iter().map(Path::parse);
        paths.collect::<Result<_, _>>().map_err(D::Error::custom)
    }
}
