// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IMembers} from "../../src/interfaces/IMembers.sol";
import {SystemAddresses} from "../../src/libraries/SystemAddresses.sol";
import {Vm} from "./Vm.sol";

/// @title Genesis
/// @notice Writes the first organizations into the storage of `Members`, slot by slot, as the node does at genesis.
/// `Members` documents the layout; nothing here calls it.
library Genesis {
    /// @notice A first organization: one administrator with every permission, and its validators.
    struct Founder {
        bytes32 organization;
        string name;
        address administrator;
        uint16 validatorLimit;
        bytes32[] validators;
    }

    Vm private constant _VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    address private constant _MEMBERS = SystemAddresses.MEMBERS;

    function write(bool dev, bool open, IMembers.Policy policy, Founder[] memory founders) internal {
        _store(0, (dev ? 1 : 0) + (open ? 0x100 : 0) + uint256(policy) * 0x10000);

        bytes32[] memory validators = new bytes32[](0);
        _store(1, founders.length);
        for (uint256 i = 0; i < founders.length; ++i) {
            _store(_hash(1) + i, uint256(founders[i].organization));
            _writeOrganization(founders[i]);
            validators = _merged(validators, founders[i].validators);
        }

        _store(6, validators.length);
        for (uint256 i = 0; i < validators.length; ++i) {
            _store(_hash(6) + i, uint256(validators[i]));
        }
        // One checkpoint: the height 0, and above its 48 bits the value.
        _store(9, 1);
        _store(_hash(9), founders.length << 48);
    }

    function _writeOrganization(Founder memory founder) private {
        uint256 nodes = founder.validators.length;
        uint256 slot = _entry(founder.organization, 2);
        _store(
            slot,
            uint256(IMembers.Status.Active) + (uint256(founder.validatorLimit) << 8) + (nodes << 24) + (nodes << 40)
                + (1 << 56) + (1 << 88)
        );
        bytes memory name = bytes(founder.name);
        // A short string: at most 31 bytes.
        // forge-lint: disable-next-line(unsafe-typecast)
        _store(slot + 1, uint256(bytes32(name)) + name.length * 2);

        uint256 account = _entry(bytes32(uint256(uint160(founder.administrator))), 3);
        _store(account, uint256(founder.organization));
        _store(account + 1, 7);

        uint256 keys = _entry(founder.organization, 5);
        _store(keys, nodes);
        for (uint256 i = 0; i < nodes; ++i) {
            uint256 node = _entry(founder.validators[i], 4);
            _store(node, uint256(founder.organization));
            _store(node + 1, uint256(IMembers.Role.Validator));
            _store(_hash(keys) + i, uint256(founder.validators[i]));
        }

        uint256 activity = _entry(founder.organization, 8);
        _store(activity, 1);
        _store(_hash(activity), 1 << 48);
    }

    /// @dev Both lists, ascending.
    function _merged(bytes32[] memory sorted, bytes32[] memory more) private pure returns (bytes32[] memory all) {
        all = new bytes32[](sorted.length + more.length);
        for (uint256 i = 0; i < all.length; ++i) {
            bytes32 next = i < sorted.length ? sorted[i] : more[i - sorted.length];
            uint256 place = i;
            for (; place != 0 && all[place - 1] > next; --place) {
                all[place] = all[place - 1];
            }
            all[place] = next;
        }
    }

    function _store(uint256 slot, uint256 value) private {
        _VM.store(_MEMBERS, bytes32(slot), bytes32(value));
    }

    function _entry(bytes32 key, uint256 slot) private pure returns (uint256 place) {
        return uint256(keccak256(abi.encode(key, slot)));
    }

    function _hash(uint256 slot) private pure returns (uint256 place) {
        return uint256(keccak256(abi.encode(slot)));
    }
}
