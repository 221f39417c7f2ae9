// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Records} from "../src/Records.sol";
import {IRecords} from "../src/interfaces/IRecords.sol";
import {Vm} from "./base/Vm.sol";
import {RecordsModel} from "./model/RecordsModel.sol";
import {TreeModel} from "./model/TreeModel.sol";

/// @title RecordsTest
/// @notice One rule of `IRecords` per test, with expectations spelled out; the model checks each call besides.
contract RecordsTest is RecordsModel {
    address private constant _ALICE = address(0xA11CE);
    address private constant _BOB = address(0xB0B);
    bytes32 private constant _ALICE_ORGANIZATION = bytes32(uint256(0xA11CE));

    function setUp() external {
        records = new Records();
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Newly stored records
    // ---------------------------------------------------------------------------------------------------------------

    function test_OneRecordIsItsOwnRoot() external {
        vm.recordLogs();
        vm.prank(_ALICE);
        records.record(_words("key", 1), _words("commitment", 1));

        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 1, "one event");
        vm.assertEq(logs[0].topics[0], IRecords.Recorded.selector, "Recorded");
        vm.assertEq(logs[0].topics[1], _ALICE_ORGANIZATION, "organization");
        (bytes32 root, uint256 count, bytes memory claimed) = abi.decode(logs[0].data, (bytes32, uint256, bytes));
        vm.assertEq(root, _leaf(0), "root");
        vm.assertEq(count, 1, "count");
        vm.assertEq(claimed, "", "an empty bitmap says: all");
        vm.assertEq(records.commitmentOf(_id(0)), _word("commitment", 0), "stored");
    }

    function test_TwoRecordsMakeOneNode() external {
        vm.assertEq(_rootOf(2), TreeModel.node(_leaf(0), _leaf(1)), "root");
    }

    function test_OddLastLeafMovesUpUnchanged() external {
        bytes32 left = TreeModel.node(_leaf(0), _leaf(1));
        vm.assertEq(_rootOf(3), TreeModel.node(left, _leaf(2)), "root");
    }

    function test_OddLastNodeMovesUpMoreThanOneLevel() external {
        bytes32 left = TreeModel.node(TreeModel.node(_leaf(0), _leaf(1)), TreeModel.node(_leaf(2), _leaf(3)));
        vm.assertEq(_rootOf(5), TreeModel.node(left, _leaf(4)), "root of 5");
    }

    function test_OddLastNodeOfAnInnerLevelMovesUp() external {
        bytes32 left = TreeModel.node(TreeModel.node(_leaf(0), _leaf(1)), TreeModel.node(_leaf(2), _leaf(3)));
        vm.assertEq(_rootOf(6), TreeModel.node(left, TreeModel.node(_leaf(4), _leaf(5))), "root of 6");
    }

    function test_FullBatchIsAccepted() external {
        _assertStores(_ALICE, _words("key", 512), _words("commitment", 512), 512);
    }

    function test_ZeroKeyIsAKey() external {
        bytes32[] memory keys = new bytes32[](1);
        _assertStores(_ALICE, keys, _words("commitment", 1), 1);
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Claimed ids
    // ---------------------------------------------------------------------------------------------------------------

    function test_RepetitionChangesNothing() external {
        _recordBeside(_ALICE, _words("key", 4), _words("commitment", 4));
        _assertStores(_ALICE, _words("key", 4), _words("commitment", 4), 0);
    }

    function test_OtherCommitmentIsRefusedAndProved() external {
        _recordBeside(_ALICE, _words("key", 1), _words("commitment", 1));

        vm.recordLogs();
        vm.prank(_ALICE);
        records.record(_words("key", 1), _words("other", 1));

        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 1, "a conflict alone emits no Recorded");
        vm.assertEq(logs[0].topics[0], IRecords.Conflicted.selector, "Conflicted");
        vm.assertEq(logs[0].topics[1], _ALICE_ORGANIZATION, "organization");
        vm.assertEq(logs[0].topics[2], _id(0), "id");
        vm.assertEq(logs[0].data, abi.encode(_word("commitment", 0), _word("other", 0)), "recorded, attempted");
        vm.assertEq(records.commitmentOf(_id(0)), _word("commitment", 0), "the first stands");
    }

    function test_DuplicateInOneCallIsPassedOver() external {
        bytes32[] memory keys = _words("key", 3);
        bytes32[] memory commitments = _words("commitment", 3);
        (keys[1], commitments[1]) = (keys[0], commitments[0]);

        (bytes32 root, uint256 count, bytes memory claimed) = _recordedBy(_ALICE, keys, commitments);
        vm.assertEq(root, TreeModel.node(_leaf(0), _leaf(2)), "leaves are the stored entries");
        vm.assertEq(count, 2, "count");
        vm.assertEq(claimed, hex"05", "entries 0 and 2");
    }

    function test_ConflictInOneCallKeepsTheFirst() external {
        bytes32[] memory keys = _words("key", 2);
        keys[1] = keys[0];
        _assertStores(_ALICE, keys, _words("commitment", 2), 1);
        vm.assertEq(records.commitmentOf(_id(0)), _word("commitment", 0), "the first stands");
    }

    function test_BitmapCountsFromTheLeastSignificantBit() external {
        // Entries 0, 7, 8 and 9 of ten are known beforehand.
        bytes32[] memory known = _words("key", 10);
        (known[1], known[2], known[3]) = (known[7], known[8], known[9]);
        bytes32[] memory knownCommitments = _words("commitment", 10);
        (knownCommitments[1], knownCommitments[2], knownCommitments[3]) =
        (knownCommitments[7], knownCommitments[8], knownCommitments[9]);
        _recordBeside(_ALICE, _first(known, 4), _first(knownCommitments, 4));

        (, uint256 count, bytes memory claimed) = _recordedBy(_ALICE, _words("key", 10), _words("commitment", 10));
        vm.assertEq(count, 6, "count");
        vm.assertEq(claimed, hex"7e00", "bits 1 to 6 of the first byte");
    }

    function test_BitmapOfWholeBytesHasNoSpareByte() external {
        _recordBeside(_ALICE, _words("key", 1), _words("commitment", 1));
        (,, bytes memory claimed) = _recordedBy(_ALICE, _words("key", 16), _words("commitment", 16));
        vm.assertEq(claimed, hex"feff", "all but the first");
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Organizations
    // ---------------------------------------------------------------------------------------------------------------

    function test_OrganizationsDoNotShareIds() external {
        _recordBeside(_ALICE, _words("key", 2), _words("commitment", 2));
        _assertStores(_BOB, _words("key", 2), _words("other", 2), 2);
        vm.assertEq(records.commitmentOf(_id(0)), _word("commitment", 0), "Alice's stands");
    }

    function test_OrganizationIsTheSender() external view {
        vm.assertEq(records.organizationOf(_ALICE), _ALICE_ORGANIZATION, "left-padded address");
    }

    function test_IdIsTheHashOfOrganizationAndKey() external view {
        bytes32 id = keccak256(bytes.concat(_ALICE_ORGANIZATION, _word("key", 0)));
        vm.assertEq(records.idOf(_ALICE_ORGANIZATION, _word("key", 0)), id, "id");
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Malformed calls
    // ---------------------------------------------------------------------------------------------------------------

    function test_EmptyBatchIsRefused() external {
        vm.expectRevert(abi.encodeWithSelector(IRecords.EmptyBatch.selector));
        records.record(_words("key", 0), _words("commitment", 0));
    }

    function test_BatchAboveTheLimitIsRefused() external {
        vm.expectRevert(abi.encodeWithSelector(IRecords.BatchTooLarge.selector, 513, 512));
        records.record(_words("key", 513), _words("commitment", 513));
    }

    function test_MissingCommitmentIsRefused() external {
        vm.expectRevert(abi.encodeWithSelector(IRecords.LengthMismatch.selector, 2, 1));
        records.record(_words("key", 2), _words("commitment", 1));
    }

    function test_MissingKeyIsRefused() external {
        vm.expectRevert(abi.encodeWithSelector(IRecords.LengthMismatch.selector, 1, 2));
        records.record(_words("key", 1), _words("commitment", 2));
    }

    function test_ZeroCommitmentRevertsTheWholeCall() external {
        bytes32[] memory commitments = _words("commitment", 3);
        commitments[2] = 0;
        vm.expectRevert(abi.encodeWithSelector(IRecords.ZeroCommitment.selector, 2));
        vm.prank(_ALICE);
        records.record(_words("key", 3), commitments);
        vm.assertEq(records.commitmentOf(_id(0)), 0, "nothing stored");
    }

    function test_ZeroCommitmentIsRefusedUnderAClaimedIdToo() external {
        _recordBeside(_ALICE, _words("key", 1), _words("commitment", 1));
        vm.expectRevert(abi.encodeWithSelector(IRecords.ZeroCommitment.selector, 0));
        vm.prank(_ALICE);
        records.record(_words("key", 1), new bytes32[](1));
    }

    function test_TruncatedCalldataIsRefused() external {
        bytes memory input = abi.encodeCall(IRecords.record, (_words("key", 2), _words("commitment", 2)));
        assembly ("memory-safe") {
            mstore(input, sub(mload(input), 1))
        }
        (bool ok,) = address(records).call(input);
        vm.assertTrue(!ok, "one byte is missing");
    }

    function test_ValueIsRefused() external {
        bytes memory input = abi.encodeCall(IRecords.record, (_words("key", 1), _words("commitment", 1)));
        (bool ok,) = address(records).call{value: 1}(input);
        vm.assertTrue(!ok, "it could never get out again");
    }

    // ---------------------------------------------------------------------------------------------------------------
    // What the node relies on
    // ---------------------------------------------------------------------------------------------------------------

    function test_CommitmentsAreTheMappingAtSlotZero() external {
        _recordBeside(_ALICE, _words("key", 1), _words("commitment", 1));
        bytes32 slot = keccak256(abi.encode(_id(0), uint256(0)));
        vm.assertEq(vm.load(address(records), slot), _word("commitment", 0), "slot of the first id");
    }

    function test_CommittedArtifactIsThisContract() external view {
        string memory artifact = vm.readFile("artifacts/Records.json");
        bytes32 committed = keccak256(vm.parseJsonBytes(artifact, ".deployedBytecode"));
        vm.assertEq(address(records).codehash, committed, "stale artifact, run: node build.mjs");
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Helpers
    // ---------------------------------------------------------------------------------------------------------------

    function _assertStores(address sender, bytes32[] memory keys, bytes32[] memory commitments, uint256 wanted)
        private
    {
        (, uint256 count) = _recordBeside(sender, keys, commitments);
        vm.assertEq(count, wanted, "newly stored");
    }

    function _rootOf(uint256 size) private returns (bytes32 root) {
        (root,,) = _recordedBy(_ALICE, _words("key", size), _words("commitment", size));
    }

    /// @dev Sends a call that emits `Recorded` as its last event, checks it by the model, and hands back that event.
    function _recordedBy(address sender, bytes32[] memory keys, bytes32[] memory commitments)
        private
        returns (bytes32 root, uint256 count, bytes memory claimed)
    {
        (Vm.Log[] memory logs,) = _recordBeside(sender, keys, commitments);
        return abi.decode(logs[logs.length - 1].data, (bytes32, uint256, bytes));
    }

    function _id(uint256 index) private pure returns (bytes32 id) {
        return keccak256(abi.encodePacked(_ALICE_ORGANIZATION, _word("key", index)));
    }

    function _leaf(uint256 index) private pure returns (bytes32 leaf) {
        return TreeModel.leaf(_id(index), _word("commitment", index));
    }

    function _first(bytes32[] memory words, uint256 count) private pure returns (bytes32[] memory prefix) {
        prefix = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            prefix[i] = words[i];
        }
    }
}
