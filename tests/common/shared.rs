//! The folder of real splits and documents that lies beside a checkout.

use std::path::{Path, PathBuf};

/// `name` in that folder (`$FOREWARM_SHARED`, or `../shared`), or `None`, having said so.
pub fn shared(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("FOREWARM_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"),
        PathBuf::from,
    );
    let path = folder.join(name);
    if !path.exists() {
        eprintln!("skipped: {} is not there", path.display());
        return None;
    }
    Some(path)
}
