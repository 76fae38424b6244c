use serde::Serialize;

/// How far a hot set has come since its manager was started.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HotSetState {
    /// That of the last run is still part of what is written, for it may not all be warm.
    Merging,
    /// What is written is what is hot now.
    Own,
    /// That of the last run was not read yet, so nothing is written.
    #[default]
    Unread,
}

/// What was read of a hot set, and what is written.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct HotSetStatus {
    /// How far it has come.
    pub state: HotSetState,
    /// Pairs of a split and a request that were hot in the last run.
    pub loaded_pairs: u64,
    /// Plans of theirs.
    pub loaded_plans: u64,
    /// Requests and plans that another version of forewarm or tantivy wrote, and pairs too old,
    /// which were passed over.
    pub passed_over: u64,
    /// Why the last run's was left out as a whole, or could not be read so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_loaded: Option<String>,
    /// Times that it was written.
    pub writes: u64,
    /// Times that it was due and had not changed.
    pub unchanged: u64,
    /// Times that it could not be written.
    pub failed_writes: u64,
    /// When it was last written, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_write: Option<u64>,
    /// Pairs that were written then.
    pub written_pairs: u64,
    /// Bytes that were written then.
    pub written_bytes: u64,
    /// Pairs for which there was no room then.
    pub left_out: u64,
}
