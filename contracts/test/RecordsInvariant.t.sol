// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Records} from "../src/Records.sol";
import {Test} from "./base/Test.sol";
import {Vm} from "./base/Vm.sol";
import {RecordsModel} from "./model/RecordsModel.sol";

/// @title RecordsHandler
/// @notice What forge calls at random: three organizations that all want the same few keys. Each call runs beside the
/// model, so every emitted root, count and bitmap is compared at once; what must hold over time is kept here.
contract RecordsHandler is RecordsModel {
    struct Claim {
        bytes32 id;
        bytes32 commitment;
    }

    uint256 private constant _KEYS = 48;
    uint256 private constant _COMMITMENTS = 3;

    address[3] private _senders = [address(0xA11CE), address(0xB0B), address(0xCA201)];
    Claim[] private _claims;

    /// @notice How many records all `Recorded` events together reported.
    uint256 public reported;

    constructor(Records target) {
        records = target;
    }

    function record(uint256 organization, uint256 size, uint256 seed) external {
        address sender = _senders[organization % _senders.length];
        size = 1 + size % 24;
        bytes32[] memory keys = new bytes32[](size);
        bytes32[] memory commitments = new bytes32[](size);
        for (uint256 i = 0; i < size; ++i) {
            uint256 draw = uint256(keccak256(abi.encode(seed, i)));
            keys[i] = bytes32(draw % _KEYS);
            commitments[i] = bytes32(1 + (draw >> 128) % _COMMITMENTS);
        }

        bool[] memory unclaimed = new bool[](size);
        for (uint256 i = 0; i < size; ++i) {
            unclaimed[i] = records.commitmentOf(_idOf(sender, keys[i])) == 0;
        }
        (Vm.Log[] memory logs, uint256 count) = _recordBeside(sender, keys, commitments);
        _keep(sender, keys, unclaimed);
        if (count != 0) _checkRecorded(logs[logs.length - 1], size);
    }

    function claims() external view returns (Claim[] memory all) {
        return _claims;
    }

    /// @notice Fails unless every organization holds exactly what its own calls claimed.
    function checkHoldings() external view {
        for (uint256 i = 0; i < _senders.length; ++i) {
            bytes32 organization = bytes32(uint256(uint160(_senders[i])));
            for (uint256 key = 0; key < _KEYS; ++key) {
                _assertStanding(organization, bytes32(key));
            }
        }
    }

    /// @dev Remembers the ids this call claimed with the commitments the contract gave them, each once.
    function _keep(address sender, bytes32[] memory keys, bool[] memory unclaimed) private {
        for (uint256 i = 0; i < keys.length; ++i) {
            if (!unclaimed[i]) continue;
            bool again = false;
            for (uint256 j = 0; j < i; ++j) {
                again = again || keys[j] == keys[i];
            }
            bytes32 id = _idOf(sender, keys[i]);
            if (!again) _claims.push(Claim(id, records.commitmentOf(id)));
        }
    }

    function _checkRecorded(Vm.Log memory log, uint256 size) private {
        (, uint256 count, bytes memory claimed) = abi.decode(log.data, (bytes32, uint256, bytes));
        reported += count;
        if (claimed.length == 0) {
            vm.assertEq(count, size, "no bitmap means all");
            return;
        }

        vm.assertEq(claimed.length, (size + 7) / 8, "one bit per entry");
        uint256 ones = 0;
        for (uint256 i = 0; i < claimed.length * 8; ++i) {
            if (uint8(claimed[i / 8]) & (2 ** (i % 8)) == 0) continue;
            vm.assertTrue(i < size, "no bit beyond the entries");
            ++ones;
        }
        vm.assertEq(ones, count, "count and bitmap agree");
        vm.assertTrue(count < size, "a bitmap means: not all");
    }

    function _idOf(address sender, bytes32 key) private pure returns (bytes32 id) {
        return keccak256(abi.encodePacked(bytes32(uint256(uint160(sender))), key));
    }
}

/// @title RecordsInvariantTest
/// @notice What holds whatever is sent, in whatever order.
contract RecordsInvariantTest is Test {
    Records private _records;
    RecordsHandler private _handler;

    function setUp() external {
        _records = new Records();
        _handler = new RecordsHandler(_records);
    }

    /// @notice Read by forge: whom to call at random.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function invariant_ClaimedIdNeverChanges() external view {
        RecordsHandler.Claim[] memory claims = _handler.claims();
        for (uint256 i = 0; i < claims.length; ++i) {
            vm.assertEq(_records.commitmentOf(claims[i].id), claims[i].commitment, "a claimed id changed");
        }
    }

    function invariant_OrganizationClaimsOnlyItsOwnIds() external view {
        _handler.checkHoldings();
    }

    function invariant_EveryClaimIsReportedOnce() external view {
        vm.assertEq(_handler.reported(), _handler.claims().length, "reported and stored records differ in number");
    }
}
