//! The layers: which of our crates may use which. The table in ARCHITECTURE.md decides; a new edge is a decision about
//! the architecture, so it fails the build until the table, and whoever reviews it, agrees.

use crate::cargo::{self, Workspace};
use anyhow::{Context as _, Result, bail};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

/// The head of the table.
const HEAD: [&str; 4] = ["layer", "crate", "uses", "in tests also"];

/// What a crate uses of ours.
#[derive(Debug, Default, PartialEq, Eq)]
struct Uses {
    /// In its code.
    code: BTreeSet<String>,
    /// In its tests only.
    tests: BTreeSet<String>,
}

/// The table: the layer of each crate, and what it uses.
#[derive(Debug, Default, PartialEq, Eq)]
struct Table(BTreeMap<String, (u8, Uses)>);

/// `cargo xtask layers`.
pub(crate) fn run() -> Result<bool> {
    let findings = check()?;
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        println!(
            "every dependency between our crates is in the table of ARCHITECTURE.md, and goes down"
        );
    }
    Ok(findings.is_empty())
}

/// Everything in which code and table differ, or the table breaks the rule of layers.
fn check() -> Result<Vec<String>> {
    let path = cargo::root().join("ARCHITECTURE.md");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let table = Table::parse(&text)?;
    Ok(compare(&edges(&Workspace::read()?), &table))
}

/// The dependencies between our crates.
fn edges(workspace: &Workspace) -> BTreeMap<String, Uses> {
    let mut edges = BTreeMap::new();
    for package in &workspace.packages {
        let mut uses = Uses::default();
        let ours = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.path.is_some());
        for dependency in ours {
            let kind = if dependency.kind.as_deref() == Some("dev") {
                &mut uses.tests
            } else {
                &mut uses.code
            };
            kind.insert(dependency.name.clone());
        }
        uses.tests.retain(|name| !uses.code.contains(name));
        edges.insert(package.name.clone(), uses);
    }
    edges
}

fn compare(edges: &BTreeMap<String, Uses>, table: &Table) -> Vec<String> {
    let mut findings = Vec::new();
    for (name, found) in edges {
        let Some((_, stated)) = table.0.get(name) else {
            findings.push(format!("crate {name} is not in the table"));
            continue;
        };
        for (place, found, stated) in [
            ("", &found.code, &stated.code),
            (" in tests", &found.tests, &stated.tests),
        ] {
            for other in found.difference(stated) {
                findings.push(format!(
                    "{name} uses {other}{place}, which the table does not say"
                ));
            }
            for other in stated.difference(found) {
                findings.push(format!(
                    "{name} does not use {other}{place}, as the table says"
                ));
            }
        }
    }
    for (name, (layer, uses)) in &table.0 {
        if !edges.contains_key(name) {
            findings.push(format!("the table has a crate {name} that there is not"));
        }
        for other in &uses.code {
            match table.0.get(other) {
                Some((below, _)) if below < layer => {}
                Some(_) => findings.push(format!("{name} uses {other}, which is not below it")),
                None => findings.push(format!("{name} uses {other}, which the table lacks")),
            }
        }
    }
    findings
}

impl Table {
    /// Reads the table out of the document: the rows after [`HEAD`] and its rule, up to the first line that is no row.
    fn parse(text: &str) -> Result<Self> {
        let mut lines = text.lines().map(cells);
        if !lines.any(|cells| cells.as_deref() == Some(&HEAD)) {
            bail!(
                "ARCHITECTURE.md has no table with the head | {} |",
                HEAD.join(" | ")
            );
        }
        let mut table = Self::default();
        for cells in lines.skip(1).map_while(|cells| cells) {
            let [layer, name, code, tests] = cells[..] else {
                bail!("this row of the layer table has not four cells: {cells:?}");
            };
            let layer = layer
                .strip_prefix('L')
                .and_then(|number| number.parse().ok())
                .with_context(|| format!("{layer:?} is no layer: write L1 to L5"))?;
            let [name] = &names(name)[..] else {
                bail!("{name:?} is not one crate: write `name`");
            };
            let uses = Uses {
                code: names(code).into_iter().collect(),
                tests: names(tests).into_iter().collect(),
            };
            if table.0.insert(name.clone(), (layer, uses)).is_some() {
                bail!("the layer table has {name} twice");
            }
        }
        Ok(table)
    }
}

/// The cells of a row, if the line is one.
fn cells(line: &str) -> Option<Vec<&str>> {
    let row = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(row.split('|').map(str::trim).collect())
}

/// The names in backticks.
fn names(cell: &str) -> Vec<String> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_has_the_edges_of_architecture_md() {
        assert_eq!(check().unwrap(), Vec::<String>::new());
    }

    const TABLE: &str = "
| layer | crate | uses | in tests also |
|---|---|---|---|
| L1 | `low` | | |
| L2 | `high` | `low` | `other` |
| L1 | `other` | | |

| not | the | layer | table |
";

    fn uses(code: &[&str], tests: &[&str]) -> Uses {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Uses {
            code: set(code),
            tests: set(tests),
        }
    }

    fn code(high: Uses, low: Uses) -> BTreeMap<String, Uses> {
        BTreeMap::from([
            ("high".to_owned(), high),
            ("low".to_owned(), low),
            ("other".to_owned(), Uses::default()),
        ])
    }

    fn check_against_table(edges: &BTreeMap<String, Uses>, expected: &[&str]) {
        assert_eq!(compare(edges, &Table::parse(TABLE).unwrap()), expected);
    }

    #[test]
    fn what_the_table_says_passes() {
        check_against_table(&code(uses(&["low"], &["other"]), uses(&[], &[])), &[]);
    }

    #[test]
    fn every_difference_is_named() {
        check_against_table(
            &code(uses(&["low", "other"], &[]), uses(&["other"], &[])),
            &[
                "high uses other, which the table does not say",
                "high does not use other in tests, as the table says",
                "low uses other, which the table does not say",
            ],
        );
        let mut edges = code(uses(&["low"], &["other"]), uses(&[], &[]));
        edges.remove("other");
        edges.insert("new".to_owned(), Uses::default());
        check_against_table(
            &edges,
            &[
                "crate new is not in the table",
                "the table has a crate other that there is not",
            ],
        );
    }

    #[test]
    fn a_table_that_goes_up_is_refused() {
        let table = Table::parse(&TABLE.replace("| L1 | `low` |", "| L2 | `low` |")).unwrap();
        let findings = compare(&code(uses(&["low"], &["other"]), uses(&[], &[])), &table);
        assert_eq!(findings, ["high uses low, which is not below it"]);
    }

    #[test]
    fn a_damaged_table_is_refused() {
        for (from, to) in [
            ("| layer |", "| level |"),
            ("| L1 | `low` | | |", "| L1 | `low` | |"),
            ("| L1 | `low` |", "| first | `low` |"),
            ("| L1 | `low` |", "| L1 | low |"),
            ("| L1 | `low` |", "| L1 | `high` |"),
        ] {
            assert!(Table::parse(&TABLE.replacen(from, to, 1)).is_err(), "{to}");
        }
    }
}
