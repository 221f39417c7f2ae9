//! What a gateway must not lose.

use std::path::{Path, PathBuf};

use crate::{Config, Error, start::MASTER_KEY_FILE};

/// The files with the keys of a gateway, and their names in the data directory of one that is not told where they are.
pub fn key_files(config: &Config) -> [(PathBuf, &'static str); 2] {
    [
        (config.data_dir.join(MASTER_KEY_FILE), MASTER_KEY_FILE),
        (config.relayer_key_file(), "relayer.key"),
    ]
}

/// Writes the journal of a gateway, as it is at one moment, into another data directory. The gateway may run meanwhile.
///
/// # Errors
/// [`Error::Journal`] if it cannot be read or written, or is there already.
pub fn snapshot(config: &Config, data_dir: &Path) -> Result<(), Error> {
    Ok(db::snapshot(&config.data_dir, &data_dir.join(db::FILE))?)
}
