//! The tampered vectors: each must be refused, and at the step it names. Those where a network itself says something
//! odd (a log of another contract, a tree of another shape) are properly signed: only the step can catch them.

mod content;
mod encoding;
mod finalization;
mod headers;
mod identity;
mod inclusion;
mod path;

use crate::chain::Scenario;
use crate::valid::shipment;
use proof::{Identity, Receipt, Record, Step};

/// A receipt that must be refused at `step`, when `pinned` is.
pub struct Tampered {
    pub name: String,
    pub about: &'static str,
    pub pinned: Option<Identity>,
    pub step: Step,
    pub input: Input,
}

pub enum Input {
    /// Both encodings of a receipt.
    Receipt(Box<Receipt>),
    /// What only CBOR can express.
    Cbor(Vec<u8>),
    /// What only a JSON text can express.
    Json(Vec<u8>),
}

/// Collects the vectors of one step.
pub struct Collector {
    step: Step,
    all: Vec<Tampered>,
}

impl Collector {
    fn push(&mut self, name: &str, about: &'static str, pinned: Option<Identity>, input: Input) {
        let name = format!("{}-{name}", self.step);
        self.all.push(Tampered {
            name,
            about,
            pinned,
            step: self.step,
            input,
        });
    }

    /// The receipt of `scenario`, under its network's identity, after `edit`.
    fn of(
        &mut self,
        name: &str,
        about: &'static str,
        scenario: &Scenario,
        edit: impl FnOnce(&mut Receipt),
    ) {
        let mut receipt = scenario.receipt();
        edit(&mut receipt);
        let pinned = Some(scenario.network.identity());
        self.push(name, about, pinned, Input::Receipt(Box::new(receipt)));
    }

    /// The typical receipt after `edit`.
    fn edit(&mut self, name: &str, about: &'static str, edit: impl FnOnce(&mut Receipt)) {
        self.of(name, about, &shipment(), edit);
    }

    /// What a network says of its own accord.
    fn said(&mut self, name: &str, about: &'static str, scenario: &Scenario) {
        self.of(name, about, scenario, |_| {});
    }

    fn cbor(&mut self, name: &str, about: &'static str, bytes: Vec<u8>) {
        self.push(
            name,
            about,
            Some(shipment().network.identity()),
            Input::Cbor(bytes),
        );
    }

    fn json(&mut self, name: &str, about: &'static str, text: impl Into<Vec<u8>>) {
        self.push(
            name,
            about,
            Some(shipment().network.identity()),
            Input::Json(text.into()),
        );
    }
}

pub fn all() -> Vec<Tampered> {
    let collect = |step, fill: fn(&mut Collector)| {
        let mut collector = Collector {
            step,
            all: Vec::new(),
        };
        fill(&mut collector);
        collector.all
    };
    [
        collect(Step::Format, encoding::fill),
        collect(Step::Identity, identity::fill),
        collect(Step::Headers, headers::fill),
        collect(Step::Inclusion, inclusion::fill),
        collect(Step::Path, path::fill),
        collect(Step::Content, content::fill),
        collect(Step::Finalization, finalization::fill),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn record(receipt: &mut Receipt) -> &mut Record {
    receipt.record.as_mut().unwrap()
}
