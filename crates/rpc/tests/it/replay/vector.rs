//! One file: what is asked, and what is to be answered.

use super::comparison;
use crate::node::Node;
use serde_json::Value;
use std::{fs, path::Path};

/// A file of questions and answers.
#[derive(Debug)]
pub struct Vector {
    /// Folder, which is the method, and name.
    pub name: String,
    /// Whether only the shape of the answers is fixed: they depend on who answers.
    shape_only: bool,
    exchanges: Vec<(String, Value)>,
}

impl Vector {
    /// All files, in the order of their names. That of the methods matters: what is sent is then in the pool.
    pub fn all(tests: &Path) -> Vec<Self> {
        let sorted = |folder: &Path| {
            let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
            let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
            paths.sort();
            paths
        };
        let folders = sorted(tests).into_iter().filter(|path| path.is_dir());
        let files = folders.flat_map(|folder| sorted(&folder));
        let files = files.filter(|path| path.extension().is_some_and(|each| each == "io"));
        files.map(|path| Self::read(tests, &path)).collect()
    }

    fn read(tests: &Path, path: &Path) -> Self {
        let name = path.strip_prefix(tests).unwrap().with_extension("");
        let mut vector = Self {
            name: name.display().to_string(),
            shape_only: false,
            exchanges: Vec::new(),
        };
        let mut asked = None;
        for line in fs::read_to_string(path).unwrap().lines() {
            if let Some(request) = line.strip_prefix(">> ") {
                asked = Some(request.to_owned());
            } else if let Some(response) = line.strip_prefix("<< ") {
                let response = serde_json::from_str(response).unwrap();
                vector.exchanges.push((asked.take().unwrap(), response));
            } else {
                vector.shape_only |= line.starts_with("// speconly");
            }
        }
        assert!(!vector.exchanges.is_empty(), "{} asks nothing", vector.name);
        vector
    }

    /// Where the answers differ.
    pub async fn replay(&self, node: &Node) -> Vec<String> {
        let mut differences = Vec::new();
        for (request, want) in &self.exchanges {
            let (status, text) = node.post(request.clone()).await;
            assert_eq!(status, 200, "{}: {text}", self.name);
            let have: Value = serde_json::from_str(&text).unwrap();
            let simulated = self.name.starts_with("eth_simulateV1/");
            let found = if self.shape_only {
                comparison::shapes(&have, want)
            } else if simulated {
                comparison::simulations(&have, want)
            } else {
                comparison::responses(&have, want)
            };
            differences.extend(found);
        }
        differences
    }
}
