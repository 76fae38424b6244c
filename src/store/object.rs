use std::fmt;
use std::sync::Arc;

use object_store::ObjectMeta;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

/// Which version of an object was seen when it was opened.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub(crate) struct ObjectVersion {
    /// Length of the object in bytes.
    pub(crate) size: u64,
    pub(crate) e_tag: Option<String>,
    pub(crate) version: Option<String>,
}

impl ObjectVersion {
    pub(crate) fn of(meta: &ObjectMeta) -> Self {
        Self {
            size: meta.size,
            e_tag: meta.e_tag.clone(),
            version: meta.version.clone(),
        }
    }

    /// Bytes of its names, for caches that weigh what they hold.
    pub(crate) fn weight(&self) -> usize {
        let names = [&self.e_tag, &self.version];
        names.into_iter().flatten().map(String::len).sum()
    }

    /// Whether what a later response says of the object is still the version seen at open. What
    /// either side does not tell is not compared.
    pub(crate) fn agrees_with(&self, meta: &ObjectMeta) -> bool {
        let same = |ours: &Option<String>, theirs: &Option<String>| match (ours, theirs) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => true,
        };
        self.size == meta.size
            && same(&self.e_tag, &meta.e_tag)
            && same(&self.version, &meta.version)
    }
}

/// One object in one version: what every GET after opening is addressed to.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct ObjectHandle(Arc<Object>);

#[derive(Debug, Eq, Hash, PartialEq)]
struct Object {
    path: Path,
    version: ObjectVersion,
}

impl ObjectHandle {
    pub(crate) fn new(path: Path, version: ObjectVersion) -> Self {
        Self(Arc::new(Object { path, version }))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0.path
    }

    pub(crate) fn version(&self) -> &ObjectVersion {
        &self.0.version
    }

    pub(crate) fn size(&self) -> u64 {
        self.0.version.size
    }

    /// Whether the store tells one version of the object from another of the same size.
    pub(crate) fn is_versioned(&self) -> bool {
        self.0.version.e_tag.is_some() || self.0.version.version.is_some()
    }

    /// Bytes of its names, for caches that weigh their keys.
    pub(crate) fn weight(&self) -> usize {
        self.0.path.as_ref().len() + self.0.version.weight()
    }
}

impl fmt::Display for ObjectHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.path.fmt(f)
    }
}

/// The last bytes of an object, and which version they belong to.
#[derive(Debug)]
pub(crate) struct Tail {
    pub(crate) bytes: Vec<u8>,
    /// Offset of the first of `bytes` in the object.
    pub(crate) start: u64,
    pub(crate) version: ObjectVersion,
}
