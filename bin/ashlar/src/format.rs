//! In which form a node keeps its data directory, so that a program never reads what it does not understand.

use crate::files::write_public;
use anyhow::{Context as _, Result};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The form that this program reads and writes. It rises when an older program would misread what a newer one wrote, and
/// every program reads all forms up to its own or says from which release on.
pub const FORMAT: u32 = 1;

/// The file in a data directory that says its form, a number in decimal.
const FILE: &str = "format";

/// A newer program wrote a data directory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} has format {found}, and this program knows formats up to {FORMAT}: install the version of Ashlar that last ran on \
     it, or a newer one. Nothing was changed", dir.display()
)]
pub struct NewerFormat {
    /// The directory.
    pub dir: PathBuf,
    /// Its format.
    pub found: u32,
}

/// Checks that this program understands a data directory, or that there is none yet. Changes nothing.
///
/// # Errors
/// [`NewerFormat`]; or that the file cannot be read.
pub fn check(dir: &Path) -> Result<()> {
    let file = dir.join(FILE);
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        // Nobody has written here, or a program from before the file was there: that is format 1.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    let found: u32 = text.trim().parse().with_context(|| {
        format!(
            "{} says no format: the data directory is damaged, restore this node's own backup",
            file.display()
        )
    })?;
    if found > FORMAT {
        let dir = dir.to_owned();
        return Err(NewerFormat { dir, found }.into());
    }
    Ok(())
}

/// Notes the format of a data directory that this process holds, before anything else is written there.
///
/// # Errors
/// As [`check`]; or that the file cannot be written.
pub fn mark(dir: &Path) -> Result<()> {
    check(dir)?;
    let file = dir.join(FILE);
    if file.exists() {
        return Ok(());
    }
    write_public(&file, format!("{FORMAT}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_says_its_format() {
        let dir = tempfile::tempdir().unwrap();
        check(&dir.path().join("absent")).unwrap();
        mark(dir.path()).unwrap();
        let file = dir.path().join(FILE);
        assert_eq!(fs::read_to_string(&file).unwrap(), "1\n");
        mark(dir.path()).unwrap();
    }

    #[test]
    fn what_a_newer_program_wrote_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE);
        fs::write(&file, "2\n").unwrap();
        for refused in [check(dir.path()), mark(dir.path())] {
            let refused: NewerFormat = refused.unwrap_err().downcast().unwrap();
            assert_eq!(refused.found, 2);
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "2\n");
        fs::write(&file, "two").unwrap();
        let said = check(dir.path()).unwrap_err().to_string();
        assert!(said.contains("damaged"), "{said}");
    }
}
