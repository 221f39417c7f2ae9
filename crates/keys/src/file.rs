//! Files that only their owner may read.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

/// Why a file could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// Others can read it, or change it.
    #[error(
        "{} can be read by other users (mode {mode:04o}), so they may know it already: replace it, or run chmod 600 {}",
        path.display(),
        path.display()
    )]
    Shared {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is larger than any such file.
    #[error("{} has more than {bytes_max} bytes, so it is not what it is taken for", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// How large it may be.
        bytes_max: usize,
    },
    /// There is one already. It was left as it is.
    #[error("{} is there already and is not replaced: choose another name", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Its answer.
        source: io::Error,
    },
}

impl FileError {
    fn io(action: &'static str, path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

/// Reads a file of at most `bytes_max` bytes that nobody but its owner can read.
pub(crate) fn read(path: &Path, bytes_max: usize) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let file = File::open(path).map_err(FileError::io("open", path))?;
    refuse_shared(&file, path)?;
    // Room for all at once: a buffer that grows leaves copies behind.
    let mut content = Zeroizing::new(Vec::with_capacity(bytes_max + 1));
    file.take(bytes_max as u64 + 1)
        .read_to_end(&mut content)
        .map_err(FileError::io("read", path))?;
    if content.len() > bytes_max {
        return Err(FileError::TooLarge {
            path: path.to_owned(),
            bytes_max,
        });
    }
    Ok(content)
}

/// Writes a new file with mode 0600. It is there whole or not at all, and durable on return.
pub(crate) fn create(path: &Path, content: &[u8]) -> Result<(), FileError> {
    create_whole(path, content).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => FileError::Exists {
            path: path.to_owned(),
        },
        _ => FileError::io("create", path)(source),
    })
}

/// Linking (unlike renaming) fails when the name is taken, so an existing key is never replaced.
fn create_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = folder.join(format!(".{name}.{}.draft", std::process::id()));
    let _ = fs::remove_file(&draft);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let written = options.open(&draft).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    let linked = written.and_then(|()| fs::hard_link(&draft, path));
    let _ = fs::remove_file(&draft);
    linked?;
    File::open(folder)?.sync_all()
}

/// Makes a folder for its owner alone, unless it is there.
pub(crate) fn create_folder(path: &Path) -> Result<(), FileError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path).map_err(FileError::io("create", path))
}

/// The names in a folder, sorted; none if it is not there.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>, FileError> {
    let failed = FileError::io("list", folder);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        // A name that is no text is none that was given here.
        names.extend(entry.map_err(&failed)?.file_name().into_string().ok());
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(unix)]
fn refuse_shared(file: &File, path: &Path) -> Result<(), FileError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = file.metadata().map_err(FileError::io("inspect", path))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(FileError::Shared {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_shared(_: &File, _: &Path) -> Result<(), FileError> {
    Ok(())
}
