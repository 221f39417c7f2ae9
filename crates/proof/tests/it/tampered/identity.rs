//! Keys that are not the pinned one, or nobody's.

use super::{Collector, Input};
use crate::chain::{Scenario, TestNetwork};
use crate::points;
use crate::valid::shipment;
use proof::Identity;

pub fn fill(out: &mut Collector) {
    let other = || TestNetwork::new("another network").identity();
    let own = || shipment().network.identity();
    let receipt = || Box::new(shipment().receipt());
    out.push(
        "other-pinned",
        "a valid receipt of another network",
        Some(other()),
        Input::Receipt(receipt()),
    );
    out.edit(
        "replaced",
        "another network's identity in its place",
        |receipt| receipt.network.identity = other(),
    );
    out.push(
        "forged-network",
        "a whole network made up by a forger",
        Some(own()),
        {
            let network = TestNetwork::new("a forger's network");
            Input::Receipt(Box::new(
                Scenario {
                    network,
                    ..shipment()
                }
                .receipt(),
            ))
        },
    );

    // Not pinned: the key itself must do.
    let mut unpinned = |name, about, identity: Identity| {
        let mut receipt = receipt();
        receipt.network.identity = identity;
        out.push(name, about, None, Input::Receipt(receipt));
    };
    unpinned(
        "infinity",
        "the point at infinity as a key",
        points::g2_infinity(),
    );
    unpinned(
        "outside-subgroup",
        "a key on the curve, outside the subgroup",
        points::g2_outside_subgroup(),
    );
    unpinned("zero", "96 zero bytes", Identity::ZERO);
    unpinned(
        "no-compression-flag",
        "the key's compression flag cleared",
        {
            let mut identity = own();
            identity[0] &= 0x7f;
            identity
        },
    );
    unpinned("infinity-flag", "the key's infinity flag set on a point", {
        let mut identity = own();
        identity[0] |= 0x40;
        identity
    });
    unpinned(
        "beyond-field",
        "a coordinate that is not below the field modulus",
        {
            let mut identity = own();
            identity[0] |= 0x1f;
            identity[1] = 0xff;
            identity
        },
    );

    let mut both = receipt();
    both.network.identity = points::g2_infinity();
    both.finalization.signature = points::g1_infinity();
    out.push(
        "infinity-signed-by-infinity",
        "key and signature at infinity satisfy every pairing",
        None,
        Input::Receipt(both.clone()),
    );
    out.push(
        "infinity-pinned",
        "the same, pinned",
        Some(points::g2_infinity()),
        Input::Receipt(both),
    );
}
