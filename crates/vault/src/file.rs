//! Files that hold one 32-byte secret as 64 hexadecimal digits, readable by their owner only.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    path::Path,
};

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::Error;

/// Longest text we read: 64 digits, an optional `0x`, and line ends.
const TEXT_LEN_MAX: u64 = 70;

/// Reads the secret in `path`. A file that its group or others can read is refused, because the secret
/// in it may already be known to them.
pub fn read_secret(path: &Path) -> Result<Zeroizing<[u8; 32]>, Error> {
    let failed = |action| {
        move |source| Error::File {
            action,
            path: path.to_owned(),
            source,
        }
    };
    let file = File::open(path).map_err(failed("open"))?;
    refuse_shared(&file, path)?;
    let mut text = Zeroizing::new(String::with_capacity(TEXT_LEN_MAX as usize + 1));
    let read = file.take(TEXT_LEN_MAX + 1).read_to_string(&mut text);
    let malformed = || Error::FileIsMalformed {
        path: path.to_owned(),
    };
    match read {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => return Err(malformed()),
        Err(error) => return Err(failed("read")(error)),
    }
    let digits = text.trim();
    let mut secret = Zeroizing::new([0; 32]);
    hex::decode_to_slice(
        digits.strip_prefix("0x").unwrap_or(digits),
        secret.as_mut_slice(),
    )
    .map_err(|_| malformed())?;
    Ok(secret)
}

/// Writes a fresh random secret to `path`, which must not exist, and returns it. The file appears whole
/// or not at all, with mode 0600 from its first moment, and is durable when this returns.
pub fn create_secret(path: &Path, rng: &mut impl CryptoRng) -> Result<Zeroizing<[u8; 32]>, Error> {
    let mut secret = Zeroizing::new([0; 32]);
    rng.fill_bytes(secret.as_mut_slice());
    let mut text = Zeroizing::new(hex::encode(secret.as_slice()));
    text.push('\n');
    write_whole(path, text.as_bytes()).map_err(|source| Error::File {
        action: "create",
        path: path.to_owned(),
        source,
    })?;
    Ok(secret)
}

/// Linking (unlike renaming) fails when the name is taken, so an existing secret is never replaced.
fn write_whole(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}.new", std::process::id()));
    let _ = fs::remove_file(&draft);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let written = options.open(&draft).and_then(|mut file| {
        file.write_all(text)?;
        file.sync_all()
    });
    let linked = written.and_then(|()| fs::hard_link(&draft, path));
    let _ = fs::remove_file(&draft);
    linked?;
    File::open(folder)?.sync_all()
}

#[cfg(unix)]
fn refuse_shared(file: &File, path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = file.metadata().map_err(|source| Error::File {
        action: "inspect",
        path: path.to_owned(),
        source,
    })?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(Error::FileIsShared {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_shared(_: &File, _: &Path) -> Result<(), Error> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_created_secret_reads_back_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let secret = create_secret(&path, &mut rand::rng()).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(*read_secret(&path).unwrap(), *secret);
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "no draft is left behind"
        );
    }

    #[test]
    fn an_existing_secret_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let secret = create_secret(&path, &mut rand::rng()).unwrap();
        assert!(create_secret(&path, &mut rand::rng()).is_err());
        assert_eq!(*read_secret(&path).unwrap(), *secret);
    }

    #[test]
    fn a_file_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        create_secret(&path, &mut rand::rng()).unwrap();
        for shared in [0o640, 0o604, 0o660, 0o644, 0o610] {
            fs::set_permissions(&path, fs::Permissions::from_mode(shared)).unwrap();
            let error = read_secret(&path).unwrap_err();
            assert!(
                matches!(error, Error::FileIsShared { mode, .. } if mode == shared),
                "{error}"
            );
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_not_a_secret_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        for text in [
            "",
            "ab",
            &"g".repeat(64),
            &"a".repeat(63),
            &"a".repeat(65),
            &"a".repeat(9000),
            "\u{e9}",
        ] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(
                matches!(read_secret(&path), Err(Error::FileIsMalformed { .. })),
                "{text:?}"
            );
        }
        fs::write(&path, [0xff; 64]).unwrap();
        assert!(matches!(
            read_secret(&path),
            Err(Error::FileIsMalformed { .. })
        ));
        fs::write(&path, format!("0x{}\n", "0b".repeat(32))).unwrap();
        assert_eq!(*read_secret(&path).unwrap(), [0x0b; 32]);
    }

    #[test]
    fn a_missing_file_says_so() {
        let folder = tempfile::tempdir().unwrap();
        assert!(
            read_secret(&folder.path().join("none"))
                .unwrap_err()
                .is_missing_file()
        );
    }
}
