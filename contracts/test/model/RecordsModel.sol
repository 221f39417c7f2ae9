// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IRecords} from "../../src/interfaces/IRecords.sol";
import {Test} from "../base/Test.sol";
import {Vm} from "../base/Vm.sol";
import {TreeModel} from "./TreeModel.sol";

/// @title RecordsModel
/// @notice Says what `Records` must do, from the words of `IRecords` alone, and drives the real contract beside it:
/// `_recordBeside` sends a call and compares every log and every touched commitment with the expectation.
///
/// It works the plain way round: commitments by organization and key instead of by id, leaves in a second pass, and a
/// bitmap that is built bit by bit.
abstract contract RecordsModel is Test {
    IRecords internal records;

    mapping(bytes32 organization => mapping(bytes32 key => bytes32 commitment)) internal expected;

    /// @dev Sends one valid call from `sender` and checks everything observable about it.
    /// @return logs The events of the call.
    /// @return count How many records the call newly stored.
    function _recordBeside(address sender, bytes32[] memory keys, bytes32[] memory commitments)
        internal
        returns (Vm.Log[] memory logs, uint256 count)
    {
        bytes32 organization = bytes32(uint256(uint160(sender)));
        Vm.Log[] memory wanted;
        (wanted, count) = _expect(organization, keys, commitments);

        vm.recordLogs();
        vm.prank(sender);
        records.record(keys, commitments);
        logs = vm.getRecordedLogs();

        _assertLogs(logs, wanted);
        for (uint256 i = 0; i < keys.length; ++i) {
            _assertStanding(organization, keys[i]);
        }
    }

    /// @dev `count` distinct words of one kind.
    function _words(string memory kind, uint256 count) internal pure returns (bytes32[] memory words) {
        words = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            words[i] = _word(kind, i);
        }
    }

    function _word(string memory kind, uint256 index) internal pure returns (bytes32 word) {
        return keccak256(abi.encode(kind, index));
    }

    function _assertStanding(bytes32 organization, bytes32 key) internal view {
        bytes32 id = keccak256(abi.encodePacked(organization, key));
        vm.assertEq(records.commitmentOf(id), expected[organization][key], "standing commitment");
    }

    function _expect(bytes32 organization, bytes32[] memory keys, bytes32[] memory commitments)
        private
        returns (Vm.Log[] memory logs, uint256 count)
    {
        bool[] memory isNew = new bool[](keys.length);
        Vm.Log[] memory all = new Vm.Log[](keys.length + 1);
        uint256 emitted = 0;
        for (uint256 i = 0; i < keys.length; ++i) {
            bytes32 standing = expected[organization][keys[i]];
            if (standing == 0) {
                expected[organization][keys[i]] = commitments[i];
                isNew[i] = true;
                ++count;
            } else if (standing != commitments[i]) {
                all[emitted++] = _conflicted(organization, keys[i], standing, commitments[i]);
            }
        }
        if (count != 0) all[emitted++] = _recorded(organization, keys, commitments, isNew, count);

        logs = new Vm.Log[](emitted);
        for (uint256 i = 0; i < emitted; ++i) {
            logs[i] = all[i];
        }
    }

    function _conflicted(bytes32 organization, bytes32 key, bytes32 standing, bytes32 attempted)
        private
        view
        returns (Vm.Log memory log)
    {
        log.topics = new bytes32[](3);
        log.topics[0] = keccak256("Conflicted(bytes32,bytes32,bytes32,bytes32)");
        log.topics[1] = organization;
        log.topics[2] = keccak256(abi.encodePacked(organization, key));
        log.data = abi.encode(standing, attempted);
        log.emitter = address(records);
    }

    function _recorded(
        bytes32 organization,
        bytes32[] memory keys,
        bytes32[] memory commitments,
        bool[] memory isNew,
        uint256 count
    ) private view returns (Vm.Log memory log) {
        bytes32[] memory leaves = new bytes32[](count);
        bytes memory bitmap = new bytes((keys.length + 7) / 8);
        uint256 next = 0;
        for (uint256 i = 0; i < keys.length; ++i) {
            if (!isNew[i]) continue;
            leaves[next++] = TreeModel.leaf(keccak256(abi.encodePacked(organization, keys[i])), commitments[i]);
            bitmap[i / 8] = bytes1(uint8(bitmap[i / 8]) + uint8(2 ** (i % 8)));
        }

        log.topics = new bytes32[](2);
        log.topics[0] = keccak256("Recorded(bytes32,bytes32,uint256,bytes)");
        log.topics[1] = organization;
        log.data = abi.encode(TreeModel.root(leaves, count), count, count == keys.length ? bytes("") : bitmap);
        log.emitter = address(records);
    }

    function _assertLogs(Vm.Log[] memory actual, Vm.Log[] memory wanted) private pure {
        vm.assertEq(actual.length, wanted.length, "number of events");
        for (uint256 i = 0; i < wanted.length; ++i) {
            vm.assertEq(actual[i].emitter, wanted[i].emitter, "emitter");
            vm.assertEq(actual[i].topics, wanted[i].topics, "topics");
            vm.assertEq(actual[i].data, wanted[i].data, "event data");
        }
    }
}
