// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Records} from "../src/Records.sol";
import {IRecords} from "../src/interfaces/IRecords.sol";
import {RecordsModel} from "./model/RecordsModel.sol";

/// @title RecordsFuzzTest
/// @notice Random calls against the model. Few keys and fewer commitments make repetitions and conflicts as common as
/// new records, inside one call and between calls.
contract RecordsFuzzTest is RecordsModel {
    function setUp() external {
        records = new Records();
    }

    /// @dev All new, so that every size, odd ones included, gets a tree of that many leaves.
    function testFuzz_NewRecords(address sender, uint256 seed, uint256 size) external {
        size = 1 + size % 512;
        bytes32[] memory keys = new bytes32[](size);
        bytes32[] memory commitments = new bytes32[](size);
        for (uint256 i = 0; i < size; ++i) {
            keys[i] = keccak256(abi.encode(seed, i));
            commitments[i] = keccak256(abi.encode(keys[i]));
        }

        (, uint256 count) = _recordBeside(sender, keys, commitments);
        vm.assertEq(count, size, "all are new");
        _assertRepetitionIsSilent(sender, keys, commitments);
    }

    /// @dev Several calls of two organizations over the same keys.
    function testFuzz_MixedCalls(uint256 seed, uint8 keySpace, uint8 commitmentSpace) external {
        for (uint256 step = 0; step < 6; ++step) {
            address sender = _draw(seed, step, "sender") % 2 == 0 ? address(0xA11CE) : address(0xB0B);
            uint256 size = 1 + _draw(seed, step, "size") % 40;
            (bytes32[] memory keys, bytes32[] memory commitments) =
                _entries(_draw(seed, step, "entries"), size, 1 + uint256(keySpace), 1 + commitmentSpace % 4);
            _recordBeside(sender, keys, commitments);
        }
    }

    function testFuzz_ZeroCommitmentAnywhereRevertsTheWholeCall(uint256 seed, uint256 size, uint256 zeroAt) external {
        size = 1 + size % 64;
        zeroAt %= size;
        (bytes32[] memory keys, bytes32[] memory commitments) = _entries(seed, size, 256, 4);
        commitments[zeroAt] = 0;

        vm.expectRevert(abi.encodeWithSelector(IRecords.ZeroCommitment.selector, zeroAt));
        records.record(keys, commitments);
        for (uint256 i = 0; i < size; ++i) {
            _assertStanding(bytes32(uint256(uint160(address(this)))), keys[i]);
        }
    }

    function testFuzz_UnequalLengthsAreRefused(uint256 keys, uint256 commitments) external {
        keys = 1 + keys % 512;
        commitments %= 600;
        if (commitments == keys) ++commitments;
        vm.expectRevert(abi.encodeWithSelector(IRecords.LengthMismatch.selector, keys, commitments));
        records.record(new bytes32[](keys), new bytes32[](commitments));
    }

    function testFuzz_IdsOfOrganizationsDiffer(address one, address other, bytes32 key) external view {
        if (one == other) return;
        bytes32 id = records.idOf(records.organizationOf(one), key);
        vm.assertTrue(id != records.idOf(records.organizationOf(other), key), "same id");
    }

    function _assertRepetitionIsSilent(address sender, bytes32[] memory keys, bytes32[] memory commitments) private {
        (, uint256 count) = _recordBeside(sender, keys, commitments);
        vm.assertEq(count, 0, "a repetition stores nothing");
    }

    function _entries(uint256 seed, uint256 size, uint256 keySpace, uint256 commitmentSpace)
        private
        pure
        returns (bytes32[] memory keys, bytes32[] memory commitments)
    {
        keys = new bytes32[](size);
        commitments = new bytes32[](size);
        for (uint256 i = 0; i < size; ++i) {
            keys[i] = _word("key", _draw(seed, i, "key") % keySpace);
            commitments[i] = _word("commitment", _draw(seed, i, "commitment") % commitmentSpace);
        }
    }

    function _draw(uint256 seed, uint256 index, string memory what) private pure returns (uint256 value) {
        return uint256(keccak256(abi.encode(seed, index, what)));
    }
}
