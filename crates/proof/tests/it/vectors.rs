//! The committed vectors, `vectors/valid` and `vectors/tampered`: generated here, kept in the repository, and checked
//! as another implementation would check them, from the files alone.
//!
//! `PROOF_VECTORS=write cargo test -p proof committed_files` writes them anew.

use crate::tampered::{self, Input};
use crate::valid;
use alloy_primitives::hex;
use proof::{
    Failure, Identity, Receipt, Verdict,
    canonical::{Object, Value},
    verify,
};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("vectors")
        .join(name)
}

fn hexadecimal(bytes: impl AsRef<[u8]>) -> Value {
    Value::String(hex::encode_prefixed(bytes))
}

fn parse(json: &str) -> Value {
    Value::parse(json.as_bytes()).unwrap()
}

/// File name and text of each vector.
fn valid_files() -> BTreeMap<String, String> {
    let file = |vector: valid::Valid| {
        let verdict = verify(&vector.receipt, Some(&vector.identity)).unwrap();
        let members = [
            ("name", vector.name.into()),
            ("about", vector.about.into()),
            ("identity", hexadecimal(vector.identity)),
            ("cbor", hexadecimal(vector.receipt.to_cbor())),
            ("receipt", parse(&vector.receipt.to_json())),
            ("verdict", parse(&verdict.to_json())),
        ];
        (
            format!("{}.json", vector.name),
            Value::Object(Object::from_iter(members)).pretty(),
        )
    };
    unique(valid::all().into_iter().map(file).collect())
}

fn tampered_files() -> BTreeMap<String, String> {
    let file = |vector: tampered::Tampered| {
        let mut members = vec![
            ("name", vector.name.as_str().into()),
            ("about", vector.about.into()),
            ("identity", vector.pinned.map_or(Value::Null, hexadecimal)),
            ("step", vector.step.name().into()),
        ];
        match vector.input {
            Input::Receipt(receipt) => {
                members.push(("cbor", hexadecimal(receipt.to_cbor())));
                members.push(("json", receipt.to_json().as_str().into()));
            }
            Input::Cbor(bytes) => members.push(("cbor", hexadecimal(bytes))),
            Input::Json(text) => members.push(match std::str::from_utf8(&text) {
                Ok(text) => ("json", text.into()),
                Err(_) => ("json_bytes", hexadecimal(text)),
            }),
        }
        (
            format!("{}.json", vector.name),
            Value::Object(Object::from_iter(members)).pretty(),
        )
    };
    unique(tampered::all().into_iter().map(file).collect())
}

fn unique(files: Vec<(String, String)>) -> BTreeMap<String, String> {
    let count = files.len();
    let files = BTreeMap::from_iter(files);
    assert_eq!(files.len(), count, "two vectors have one name");
    files
}

/// Writes the generated files, when asked to.
fn write(name: &str, generated: &BTreeMap<String, String>) {
    if std::env::var_os("PROOF_VECTORS").is_none_or(|value| value != "write") {
        return;
    }
    let folder = folder(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    for (file, text) in generated {
        fs::write(folder.join(file), text).unwrap();
    }
}

/// The files in the repository.
fn committed(name: &str) -> BTreeMap<String, String> {
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(path).unwrap())
    };
    fs::read_dir(folder(name)).unwrap().map(read).collect()
}

/// A vector as a file has it.
struct Vector {
    name: String,
    members: Value,
}

impl Vector {
    fn read((file, text): (String, String)) -> Self {
        Self {
            name: file,
            members: parse(&text),
        }
    }

    fn text(&self, member: &str) -> Option<&str> {
        self.members.get(member)?.as_str()
    }

    fn bytes(&self, member: &str) -> Option<Vec<u8>> {
        Some(hex::decode(self.text(member)?).unwrap())
    }

    fn pinned(&self) -> Option<Identity> {
        self.bytes("identity")
            .map(|identity| Identity::from_slice(&identity))
    }
}

fn decode_and_verify(file: &[u8], pinned: Option<&Identity>) -> Result<Verdict, Failure> {
    verify(&Receipt::decode(file)?, pinned)
}

#[test]
fn committed_files_are_the_generated_ones() {
    for (name, generated) in [("valid", valid_files()), ("tampered", tampered_files())] {
        write(name, &generated);
        let committed = committed(name);
        let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&committed), names(&generated), "{name}");
        for (file, text) in &generated {
            assert_eq!(committed[file], *text, "{name}/{file}");
        }
    }
}

#[test]
fn valid_ones_are_accepted_with_their_verdict() {
    let vectors = committed("valid");
    assert!(vectors.len() >= 20, "{}", vectors.len());
    for vector in vectors.into_iter().map(Vector::read) {
        let name = &vector.name;
        let cbor = vector.bytes("cbor").unwrap();
        let json = vector.members.get("receipt").unwrap();
        let receipt = Receipt::from_cbor(&cbor).unwrap();
        assert_eq!(
            receipt,
            Receipt::from_json(json.canonical().as_bytes()).unwrap(),
            "{name}"
        );
        assert_eq!(
            receipt,
            Receipt::decode(json.pretty().as_bytes()).unwrap(),
            "{name}"
        );
        assert_eq!(receipt.to_cbor(), cbor, "{name}");
        assert_eq!(receipt.to_json(), json.canonical(), "{name}");

        let verdict = decode_and_verify(&cbor, vector.pinned().as_ref()).unwrap();
        assert_eq!(
            parse(&verdict.to_json()),
            *vector.members.get("verdict").unwrap(),
            "{name}"
        );
        assert!(verdict.pinned, "{name}");
        let unpinned = decode_and_verify(&cbor, None).unwrap();
        assert_eq!(
            unpinned,
            Verdict {
                pinned: false,
                ..verdict
            },
            "{name}"
        );
    }
}

#[test]
fn tampered_ones_are_refused_at_their_step() {
    let vectors = committed("tampered");
    assert!(vectors.len() >= 40, "{}", vectors.len());
    for vector in vectors.into_iter().map(Vector::read) {
        let text = vector.text("json").map(|text| text.as_bytes().to_vec());
        let encodings = [vector.bytes("cbor"), vector.bytes("json_bytes"), text];
        assert!(encodings.iter().any(Option::is_some), "{}", vector.name);
        for file in encodings.iter().flatten() {
            let failure = match decode_and_verify(file, vector.pinned().as_ref()) {
                Ok(_) => panic!("{} was accepted", vector.name),
                Err(failure) => failure,
            };
            assert_eq!(
                Some(failure.step().name()),
                vector.text("step"),
                "{}: {failure}",
                vector.name
            );
        }
    }
}
