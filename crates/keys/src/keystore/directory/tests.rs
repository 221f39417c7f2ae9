use std::{fs, os::unix::fs::PermissionsExt as _};

use super::{super::format::Cost, *};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// A folder within a new one, with one key that costs nothing to open.
fn folder() -> (tempfile::TempDir, Directory, SecretKey) {
    let home = tempfile::tempdir().unwrap();
    let directory = Directory::new(home.path().join("keys"));
    let key = SecretKey::random(&mut rand::rng());
    let password = Secret::new("password");
    let keystore = Keystore::encrypt_at(Cost::NONE, &key, &password, &mut rand::rng());
    directory
        .write(&name("relayer-1"), &keystore.unwrap())
        .unwrap();
    (home, directory, key)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_key_has_a_file_of_its_own_for_its_owner_alone() {
    let (home, directory, key) = folder();
    let path = directory.path(&name("relayer-1"));
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&home.path().join("keys")), 0o700);
    let files = fs::read_dir(home.path().join("keys")).unwrap();
    assert_eq!(files.count(), 1, "no draft is left behind");
    let keystore = directory.read(&name("relayer-1")).unwrap();
    let opened = keystore.open(&Secret::new("password")).unwrap();
    assert_eq!(opened.to_bytes(), key.to_bytes());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let error = directory.read(&name("relayer-1")).unwrap_err();
    assert!(error.to_string().contains("mode 0640"), "{error}");
}

#[test]
fn a_key_is_never_replaced() {
    let (_home, directory, key) = folder();
    let other = SecretKey::random(&mut rand::rng());
    let password = Secret::new("long enough a password");
    let rng = &mut rand::rng();
    let again = directory.import(&name("relayer-1"), &other, &password, rng);
    assert!(matches!(again, Err(Error::File(FileError::Exists { .. }))));
    let cheap = Keystore::encrypt_at(Cost::NONE, &other, &password, rng).unwrap();
    // Somebody was quicker.
    let again = directory.write(&name("relayer-1"), &cheap);
    assert!(matches!(again, Err(Error::File(FileError::Exists { .. }))));
    let kept = directory.read(&name("relayer-1")).unwrap();
    assert_eq!(kept.address().unwrap(), Some(key.address()));
}

#[test]
fn all_keys_are_listed_by_name() {
    let (home, directory, key) = folder();
    let created = directory
        .create(
            &name("admin"),
            &Secret::new("long enough a password"),
            &mut rand::rng(),
        )
        .unwrap();
    let keys = home.path().join("keys");
    for other in ["notes.txt", ".admin.json.7.draft", "UPPER.json", "..json"] {
        fs::write(keys.join(other), "{}").unwrap();
    }
    fs::write(keys.join("broken.json"), "{}").unwrap();
    fs::set_permissions(keys.join("broken.json"), fs::Permissions::from_mode(0o600)).unwrap();
    let listed = directory.list().unwrap();
    let names: Vec<_> = listed.iter().map(|key| key.name.to_string()).collect();
    assert_eq!(names, ["admin", "broken", "relayer-1"]);
    let address = |index: usize| listed[index].address.as_ref().ok().copied().flatten();
    assert_eq!(address(0), Some(created.address()));
    assert!(matches!(listed[1].address, Err(Error::Malformed { .. })));
    assert_eq!(address(2), Some(key.address()));
    let none = Directory::new(home.path().join("none"));
    assert!(none.list().unwrap().is_empty());
}

#[test]
fn a_name_leads_nowhere_else() {
    for text in ["a", "relayer-1", "acme.relayer_2", "0", &"a".repeat(64)] {
        assert_eq!(name(text).to_string(), text);
    }
    for text in [
        "",
        ".",
        "..",
        ".a",
        "-a",
        "_a",
        "a/b",
        "../a",
        "a b",
        "A",
        "ä",
        "a\0",
        "a\n",
        &"a".repeat(65),
    ] {
        assert!(Name::from_str(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_secret_is_read_from_a_private_file_without_its_line_end() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("password");
    let write = |content: &[u8], mode| {
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    write(b" correct horse \r\n", 0o600);
    assert_eq!(Secret::read(&path).unwrap().expose(), b" correct horse ");
    write(b"correct horse", 0o644);
    assert!(matches!(
        Secret::read(&path),
        Err(FileError::Shared { mode: 0o644, .. })
    ));
    write(&[b'a'; 1025], 0o600);
    assert!(matches!(
        Secret::read(&path),
        Err(FileError::TooLarge { .. })
    ));
    let digits = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";
    for text in [digits.to_owned(), format!("0x{digits}\n")] {
        write(text.as_bytes(), 0o600);
        let key = SecretKey::read_hex(&path).unwrap();
        assert_eq!(
            key.address().to_string(),
            "0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b"
        );
    }
    for (text, expected) in [
        ("", "64 hexadecimal digits"),
        (&digits[1..], "64 hexadecimal digits"),
        (&format!("{digits}00000000000"), "64 hexadecimal digits"),
        (&"0".repeat(64), "zero, or beyond"),
        (&"f".repeat(64), "zero, or beyond"),
    ] {
        write(text.as_bytes(), 0o600);
        let error = SecretKey::read_hex(&path).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
