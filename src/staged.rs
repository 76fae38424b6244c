//! Local files that appear whole or not at all, whenever the process or the machine stops: staged,
//! flushed, renamed, and the directory flushed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// What a file is called until it is whole, before its name.
const STAGED: &str = ".staged-";
/// How long ago the writer of a staged file must have begun to be given up.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Writes `name` in `folder`, which is made where there is none. `unique` is what the staged file is
/// called after its beginning: no two writers may use one.
pub(crate) fn write(folder: &Path, name: &str, unique: &str, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let staged = folder.join(format!("{STAGED}{unique}"));
    let written = File::create_new(&staged).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&staged, folder.join(name))
    });
    if written.is_err() {
        // The first error is the one to tell; the file is tidied away when it is old.
        let _ = fs::remove_file(&staged);
    }
    written?;
    // The name is in the directory, which is flushed by itself. Windows cannot open one.
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// Removes what writers that were killed have left, where `is_ours` knows what a staged file is
/// called after its beginning. Failing to is no harm.
pub(crate) fn tidy(folder: &Path, is_ours: impl Fn(&str) -> bool) {
    let Some(before) = SystemTime::now().checked_sub(ABANDONED) else {
        return;
    };
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let staged = name.to_str().and_then(|name| name.strip_prefix(STAGED));
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        if staged.is_some_and(&is_ours) && modified.is_ok_and(|modified| modified < before) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
