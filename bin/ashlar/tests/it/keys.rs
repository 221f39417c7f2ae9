//! `ashlar keys`: what it makes, what it says, and what it refuses.

use crate::network::{ashlar, run, said};
use alloy_primitives::Address;
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};
use tempfile::TempDir;

const PASSWORD: &str = "a password of some length";
/// The well-known key that has signed the example of EIP-155.
const SECRET: &str = "4646464646464646464646464646464646464646464646464646464646464646";
const ADDRESS: &str = "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F";

/// A home with a password file.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        home.secret("password", PASSWORD);
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn secret(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
        self.mode(name, 0o600);
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Runs `ashlar keys` in this folder.
    fn keys(&self, args: &[&str]) -> Result<String, String> {
        run(ashlar(&["keys"]).args(args).current_dir(self.0.path()))
    }

    #[track_caller]
    fn refuses(&self, args: &[&str], expected: &str) {
        let said = self.keys(args).unwrap_err();
        assert!(said.contains(expected), "{expected:?} is not in: {said}");
        for hidden in [PASSWORD, SECRET] {
            assert!(!said.contains(hidden), "{said}");
        }
    }
}

#[test]
fn a_key_is_made_listed_and_opened() {
    let home = Home::new();
    let nothing = said(ashlar(&["keys", "list"]).current_dir(home.0.path()));
    assert!(
        nothing.0 == 0 && nothing.1.contains("make one with ashlar keys create"),
        "{nothing:?}"
    );
    assert_eq!(home.keys(&["list", "--json"]).unwrap(), "[]");

    let with = ["--password-file", "password"];
    let made = home
        .keys(&[&["create", "relayer"], &with[..]].concat())
        .unwrap();
    let address: Address = made.parse().unwrap();
    let file = home.path("keys/relayer.json");
    let modes = [file.clone(), home.path("keys")]
        .map(|path| fs::metadata(path).unwrap().permissions().mode() & 0o777);
    assert_eq!(modes, [0o600, 0o700]);

    let listed = home.keys(&["list"]).unwrap();
    assert!(
        listed.starts_with("relayer ") && listed.ends_with(&made),
        "{listed}"
    );
    let shown = home.keys(&["show", "relayer"]).unwrap();
    assert!(
        shown.contains(&made) && shown.contains("not tried"),
        "{shown}"
    );
    let shown = home
        .keys(&[&["show", "relayer", "--json"], &with[..]].concat())
        .unwrap();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let expected = json!({ "name": "relayer", "file": "keys/relayer.json", "address": address, "opened": true });
    assert_eq!(shown, expected);

    // Never over another one, and in a folder of one's choice.
    let before = fs::read(&file).unwrap();
    home.refuses(
        &[&["create", "relayer"], &with[..]].concat(),
        "is there already and is not replaced",
    );
    assert_eq!(fs::read(&file).unwrap(), before);
    let other = ["create", "relayer", "--dir", "elsewhere/keys"];
    assert_ne!(home.keys(&[&other, &with[..]].concat()).unwrap(), made);
    assert!(home.path("elsewhere/keys/relayer.json").exists());
}

#[test]
fn keys_are_taken_over_and_the_private_key_is_never_shown() {
    let home = Home::new();
    home.secret("hex", &format!("0x{SECRET}\n"));
    let with = ["--password-file", "password"];
    let import = |args: &[&str]| home.keys(&[&["import"], args, &with[..]].concat());
    assert_eq!(import(&["admin", "--key-file", "hex"]).unwrap(), ADDRESS);
    // From the file of another program, here our own: under another password.
    home.secret("old", &format!("{PASSWORD}\r\n"));
    home.secret("new", "another password, as long");
    let again = [
        "import",
        "again",
        "--keystore",
        "keys/admin.json",
        "--old-password-file",
        "old",
    ];
    let made = home.keys(&[&again[..], &["--password-file", "new"]].concat());
    assert_eq!(made.unwrap(), ADDRESS);
    let (old, new) = (["--password-file", "password"], ["--password-file", "new"]);
    assert!(
        home.keys(&[&["show", "again"], &new[..]].concat())
            .unwrap()
            .contains("opens it")
    );
    home.refuses(
        &[&["show", "again"], &old[..]].concat(),
        "the password does not open it",
    );
    for args in [
        &["list"][..],
        &["list", "--json"],
        &["show", "admin", "--json"],
    ] {
        assert!(!home.keys(args).unwrap().contains(&SECRET[..8]));
    }
    assert!(
        !fs::read_to_string(home.path("keys/admin.json"))
            .unwrap()
            .contains(&SECRET[..8])
    );
}

#[test]
fn each_refusal_says_what_to_do() {
    let home = Home::new();
    let create = ["create", "relayer", "--password-file"];
    let with = |file: &'static str| [&create[..], &[file]].concat();
    home.refuses(&with("none"), "cannot open none");
    home.secret("short", "hunter2");
    home.refuses(
        &with("short"),
        "a new keystore needs 12 at least: head -c 24",
    );
    home.secret("empty", "\n");
    home.refuses(&with("empty"), "the password has 0 bytes");
    home.secret("long", &"a".repeat(1025));
    home.refuses(&with("long"), "has more than 1024 bytes");
    home.mode("password", 0o640);
    home.refuses(&with("password"), "run chmod 600 password");
    home.mode("password", 0o600);
    assert!(!home.path("keys").exists(), "nothing was made");

    home.refuses(
        &["show", "relayer"],
        "there is no key relayer in keys: see ashlar keys list",
    );
    let import = |args: &[&'static str]| {
        [&["import", "admin", "--password-file", "password"], args].concat()
    };
    home.secret("hex", "0x12");
    home.refuses(
        &import(&["--key-file", "hex"]),
        "a key is 64 hexadecimal digits",
    );
    home.secret("hex", &"0".repeat(64));
    home.refuses(
        &import(&["--key-file", "hex"]),
        "no private key of secp256k1",
    );
    home.secret("hex", SECRET);
    home.mode("hex", 0o644);
    home.refuses(&import(&["--key-file", "hex"]), "run chmod 600 hex");
    home.secret("hex", SECRET);
    home.keys(&import(&["--key-file", "hex"])).unwrap();

    let text = fs::read_to_string(home.path("keys/admin.json")).unwrap();
    let foreign = [
        "--keystore",
        "foreign.json",
        "--old-password-file",
        "password",
    ];
    for (from, to, expected) in [
        (
            "\"version\": 3",
            "\"version\": 1",
            "a keystore of version 1",
        ),
        (
            "262144",
            "1048576",
            "its memory for scrypt (128·n·r bytes) is 1073741824",
        ),
        (
            "aes-128-ctr",
            "aes-256-gcm",
            "another cipher than aes-128-ctr",
        ),
        ("scrypt", "argon2", "it is no keystore file of version 3"),
        ("9d8a62", "9d8a63", "the file was tampered with"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        home.secret("foreign.json", &changed);
        home.refuses(
            &[
                &["import", "b", "--password-file", "password"],
                &foreign[..],
            ]
            .concat(),
            expected,
        );
    }
    home.secret("keys/broken.json", "{}");
    let listed = home.keys(&["list"]).unwrap();
    assert!(
        listed.contains("broken") && listed.contains("cannot be used: it is no keystore"),
        "{listed}"
    );
    home.mode("keys/admin.json", 0o604);
    home.refuses(&["show", "admin"], "can be read by other users (mode 0604)");
}

#[test]
fn the_command_line_takes_no_secret() {
    let home = Home::new();
    for (args, expected) in [
        (&["create", "relayer"][..], "--password-file"),
        (
            &["create", "../relayer", "--password-file", "password"],
            "a key's name has 1 to 64 of a-z",
        ),
        (
            &["create", "Relayer", "--password-file", "password"],
            "a key's name has 1 to 64 of a-z",
        ),
        (
            &["create", "relayer", "--password", "x"],
            "unexpected argument '--password'",
        ),
        (
            &["import", "admin", "--password-file", "password"],
            "--key-file",
        ),
        (
            &[
                "import",
                "admin",
                "--password-file",
                "password",
                "--keystore",
                "a",
            ],
            "--old-password-file",
        ),
        (
            &[
                "import",
                "admin",
                "--password-file",
                "password",
                "--keystore",
                "a",
                "--old-password-file",
                "b",
                "--key-file",
                "c",
            ],
            "cannot be used with",
        ),
    ] {
        let (code, text) = said(ashlar(&["keys"]).args(args).current_dir(home.0.path()));
        assert!(
            code == 2 && text.contains(expected),
            "{args:?}: {code} {text}"
        );
    }
    let help = run(&mut ashlar(&["keys", "--help"])).unwrap();
    assert!(
        help.contains("never from an argument or the environment"),
        "{help}"
    );
}
