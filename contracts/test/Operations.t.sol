// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IOperations} from "../src/interfaces/IOperations.sol";
import {SystemAddresses} from "../src/libraries/SystemAddresses.sol";
import {Counter, OperationTest} from "./base/OperationTest.sol";
import {Vm} from "./base/Vm.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IERC1155Receiver} from "@openzeppelin/contracts/token/ERC1155/IERC1155Receiver.sol";
import {IERC721Receiver} from "@openzeppelin/contracts/token/ERC721/IERC721Receiver.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title OperationsTest
/// @notice One rule of `IOperations` per test.
contract OperationsTest is OperationTest {
    IOperations private constant _CODE = IOperations(SystemAddresses.OPERATIONS);
    bytes32 private constant _FIRST = "first";
    bytes32 private constant _SECOND = "second";
    bytes32 private constant _SALT = "salt";

    address private _alice;

    function setUp() external {
        _foundOperations();
        _alice = vm.addr(KEY);
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Once
    // ---------------------------------------------------------------------------------------------------------------

    function test_TheContractSeesTheAccount() external {
        IOperations.Operation memory operation = _count(_FIRST);
        bytes memory signature = _sign(KEY, operation);
        vm.expectEmit(_alice);
        emit IOperations.Executed(_FIRST, _CODE.callOf(operation), true, abi.encode(1));
        vm.prank(address(0xBEEF));
        vm.assertTrue(IOperations(_alice).execute(operation, signature) == IOperations.Status.Succeeded, "it says so");
        vm.assertEq(counter.countOf(_alice), 1, "the true sender");
        vm.assertTrue(_statusOf(_FIRST) == IOperations.Status.Succeeded, "kept");
        (, bytes32 call) = IOperations(_alice).statusOf(_FIRST);
        vm.assertEq(call, _CODE.callOf(operation) & ~bytes32(uint256(0xff)), "with its call");
    }

    function test_ASecondTimeChangesNothing() external {
        IOperations.Operation memory operation = _count(_FIRST);
        _bring(operation);
        // Signed again, later and with other gas: still the same call.
        _pass(1 days);
        operation.deadline = uint64(vm.getBlockTimestamp());
        operation.gas = 90_000;
        operation.follows = _SECOND;
        bytes memory signature = _sign(KEY, operation);
        vm.expectEmit(_alice);
        emit IOperations.Repeated(_FIRST, IOperations.Status.Succeeded);
        vm.assertTrue(IOperations(_alice).execute(operation, signature) == IOperations.Status.Succeeded, "as before");
        vm.assertEq(counter.countOf(_alice), 1, "once");
    }

    function test_ARepetitionIsAnsweredAfterTheDeadlineToo() external {
        IOperations.Operation memory operation = _count(_FIRST);
        _bring(operation);
        _pass(1);
        vm.assertTrue(_bring(operation) == IOperations.Status.Succeeded, "as before");
    }

    function test_AnotherCallNeedsAnotherKey() external {
        _bring(_count(_FIRST));
        bytes memory taken = abi.encodeWithSelector(IOperations.KeyTaken.selector, _FIRST, IOperations.Status.Succeeded);
        IOperations.Operation memory other = _operation(_FIRST, abi.encodeCall(Counter.count, (_SECOND)));
        _expectRefusal(other, taken);
        other = _count(_FIRST);
        other.value = 1;
        _expectRefusal(other, taken);
        other = _count(_FIRST);
        other.target = address(this);
        _expectRefusal(other, taken);
        vm.assertEq(counter.countOf(_alice), 1, "once");
    }

    function test_WhatFailedIsOverAndUndone() external {
        IOperations.Operation memory operation = _operation(_FIRST, abi.encodeCall(Counter.refuse, ()));
        bytes memory signature = _sign(KEY, operation);
        vm.expectEmit(_alice);
        emit IOperations.Executed(
            _FIRST, _CODE.callOf(operation), false, abi.encodeWithSelector(Counter.Unwelcome.selector, _alice)
        );
        vm.assertTrue(IOperations(_alice).execute(operation, signature) == IOperations.Status.Failed, "it says so");
        vm.assertTrue(_bring(operation) == IOperations.Status.Failed, "and does not run again");
    }

    function test_WithinItsOwnCallItIsRunning() external {
        // Whoever is called brings the operation again: the same key, so another call, which cannot be.
        IOperations.Operation memory inner = _count(_FIRST);
        bytes memory signature = _sign(KEY, inner);
        IOperations.Operation memory outer =
            _operation(_FIRST, abi.encodeCall(Counter.again, (_alice, inner, signature)));
        outer.gas = 300_000;
        bytes memory outerSignature = _sign(KEY, outer);
        vm.expectEmit(_alice);
        emit IOperations.Executed(
            _FIRST,
            _CODE.callOf(outer),
            false,
            abi.encodeWithSelector(IOperations.KeyTaken.selector, _FIRST, IOperations.Status.Running)
        );
        IOperations(_alice).execute(outer, outerSignature);

        // Another key may run within.
        inner.key = _SECOND;
        outer.key = "third";
        outer.data = abi.encodeCall(Counter.again, (_alice, inner, _sign(KEY, inner)));
        vm.assertTrue(_bring(outer) == IOperations.Status.Succeeded, "outer");
        vm.assertTrue(_statusOf(_SECOND) == IOperations.Status.Succeeded, "inner");
        vm.assertEq(counter.countOf(_alice), 2, "each once");
    }

    function test_ItsOwnKeyWithinItselfFindsItRunning() external {
        Mirror mirror = new Mirror();
        IOperations.Operation memory operation = _operation(_FIRST, "mirror");
        operation.target = address(mirror);
        operation.gas = 300_000;
        mirror.reflect(_alice, operation, _sign(KEY, operation));
        vm.assertTrue(_bring(operation) == IOperations.Status.Succeeded, "once");
        vm.assertTrue(mirror.seen() == IOperations.Status.Running, "running");
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Whose
    // ---------------------------------------------------------------------------------------------------------------

    function test_OnlyTheAccountsKeySigns() external {
        IOperations.Operation memory operation = _count(_FIRST);
        bytes memory wrong = abi.encodeWithSelector(IOperations.InvalidSignature.selector);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(0xB0B, _digest(_alice, operation));
        _expectInvalid(operation, abi.encodePacked(r, s, v), wrong);

        bytes memory signature = _sign(KEY, operation);
        operation.key = _SECOND;
        _expectInvalid(operation, signature, wrong);
        operation = _count(_FIRST);
        operation.target = address(this);
        _expectInvalid(operation, signature, wrong);
        operation = _count(_FIRST);
        operation.value = 1;
        _expectInvalid(operation, signature, wrong);
        operation = _count(_FIRST);
        operation.data = "";
        _expectInvalid(operation, signature, wrong);
        operation = _count(_FIRST);
        operation.gas -= 1;
        _expectInvalid(operation, signature, wrong);
        operation = _count(_FIRST);
        operation.deadline += 1;
        _expectInvalid(operation, signature, wrong);
        operation = _count(_FIRST);
        operation.follows = _SECOND;
        _expectInvalid(operation, signature, wrong);
        _expectInvalid(_count(_FIRST), "", wrong);
        vm.assertEq(counter.countOf(_alice), 0, "nothing happened");
    }

    function test_ASignatureHasOneForm() external {
        IOperations.Operation memory operation = _count(_FIRST);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, _digest(_alice, operation));
        uint256 order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        bytes memory other = abi.encodePacked(r, bytes32(order - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        _expectInvalid(operation, other, abi.encodeWithSelector(IOperations.InvalidSignature.selector));
    }

    function test_OfAnotherAccountItIsNot() external {
        address other = _delegate(0xB0B);
        IOperations.Operation memory operation = _count(_FIRST);
        bytes memory signature = _sign(KEY, operation);
        vm.expectRevert(abi.encodeWithSelector(IOperations.InvalidSignature.selector));
        IOperations(other).execute(operation, signature);
        vm.expectRevert(abi.encodeWithSelector(IOperations.InvalidSignature.selector));
        _CODE.execute(operation, signature);
    }

    function test_TheDigestIsThatOfTheStandard() external view {
        IOperations.Operation memory operation = _count(_FIRST);
        vm.assertEq(IOperations(_alice).digestOf(operation), _digest(_alice, operation), "digest");
    }

    // ---------------------------------------------------------------------------------------------------------------
    // When
    // ---------------------------------------------------------------------------------------------------------------

    function test_AfterTheDeadlineItNeverRuns() external {
        IOperations.Operation memory operation = _count(_FIRST);
        _pass(1);
        _expectRefusal(operation, abi.encodeWithSelector(IOperations.Expired.selector, operation.deadline));
        vm.assertTrue(_statusOf(_FIRST) == IOperations.Status.None, "free");
    }

    function test_WhatFollowsWaitsForTheEndOfTheFirst() external {
        IOperations.Operation memory second = _count(_SECOND);
        second.follows = _FIRST;
        _expectRefusal(second, abi.encodeWithSelector(IOperations.TooEarly.selector, _FIRST));
        // To fail is an end too.
        _bring(_operation(_FIRST, abi.encodeCall(Counter.refuse, ())));
        vm.assertTrue(_bring(second) == IOperations.Status.Succeeded, "now");
    }

    function test_WhatFollowsDoesNotRunWithinTheFirst() external {
        IOperations.Operation memory second = _count(_SECOND);
        second.follows = _FIRST;
        IOperations.Operation memory first =
            _operation(_FIRST, abi.encodeCall(Counter.again, (_alice, second, _sign(KEY, second))));
        first.gas = 300_000;
        vm.assertTrue(_bring(first) == IOperations.Status.Failed, "too early");
        vm.assertTrue(_statusOf(_SECOND) == IOperations.Status.None, "free");
    }

    function test_ZeroIsNoKey() external {
        _expectRefusal(_count(0), abi.encodeWithSelector(IOperations.ZeroKey.selector));
    }

    // ---------------------------------------------------------------------------------------------------------------
    // With how much
    // ---------------------------------------------------------------------------------------------------------------

    function test_ItPaysFromTheAccount() external {
        IOperations.Operation memory operation = _count(_FIRST);
        operation.value = 1 ether;
        vm.assertTrue(_bring(operation) == IOperations.Status.Failed, "it has nothing");
        vm.deal(_alice, 3 ether);
        operation.key = _SECOND;
        vm.assertTrue(_bring(operation) == IOperations.Status.Succeeded, "now it has");
        vm.assertEq(_alice.balance, 2 ether, "paid");
        vm.assertEq(counter.received(), 1 ether, "received");
    }

    function test_ATransferNeedsNoContract() external {
        vm.deal(_alice, 3 ether);
        IOperations.Operation memory operation = _operation(_FIRST, "");
        (operation.target, operation.value) = (address(0xCAFE), 1 ether);
        vm.assertTrue(_bring(operation) == IOperations.Status.Succeeded, "sent");
        vm.assertEq(address(0xCAFE).balance, 1 ether, "received");
    }

    function test_ACallNeedsAContract() external {
        IOperations.Operation memory operation = _count(_FIRST);
        operation.target = address(0xCAFE);
        bytes memory signature = _sign(KEY, operation);
        vm.expectEmit(_alice);
        emit IOperations.Executed(
            _FIRST,
            _CODE.callOf(operation),
            false,
            abi.encodeWithSelector(IOperations.NoContract.selector, operation.target)
        );
        IOperations(_alice).execute(operation, signature);
    }

    function test_WhoeverBringsItGivesItsGas() external {
        IOperations.Operation memory operation = _operation(_FIRST, abi.encodeCall(Counter.need, (150_000, _FIRST)));
        operation.gas = 200_000;
        bytes memory signature = _sign(KEY, operation);
        try IOperations(_alice).execute{gas: 250_000}(operation, signature) {
            vm.assertTrue(false, "too little");
        } catch (bytes memory reason) {
            uint256 wanted = 200_000 + uint256(200_000) / 63 + 80_000;
            vm.assertEq(reason, abi.encodeWithSelector(IOperations.NotEnoughGas.selector, wanted), "and it says so");
        }
        vm.assertTrue(_statusOf(_FIRST) == IOperations.Status.None, "free");
        vm.assertTrue(_bring(operation) == IOperations.Status.Succeeded, "with enough it runs");
    }

    /// @dev However little gas is given: an operation runs with all it was signed for, or not at all.
    function testFuzz_LittleGasFailsNothing(uint256 given, uint256 wanted) external {
        wanted %= 400_000;
        given = 30_000 + given % 600_000;
        IOperations.Operation memory operation =
            _operation(_FIRST, abi.encodeCall(Counter.need, (wanted * 9 / 10, _FIRST)));
        operation.gas = SafeCast.toUint64(wanted + 60_000);
        bytes memory signature = _sign(KEY, operation);
        try IOperations(_alice).execute{gas: given}(operation, signature) returns (IOperations.Status status) {
            vm.assertTrue(status == IOperations.Status.Succeeded, "it had its gas");
            vm.assertEq(counter.countOfTag(_FIRST), 1, "it ran");
        } catch {
            vm.assertTrue(_statusOf(_FIRST) == IOperations.Status.None, "free");
            vm.assertEq(counter.countOfTag(_FIRST), 0, "it did not run");
        }
    }

    function test_WhatBurnsAllItsGasIsOver() external {
        IOperations.Operation memory operation = _operation(_FIRST, abi.encodeCall(Counter.burn, (0)));
        vm.assertTrue(_bring(operation) == IOperations.Status.Failed, "failed");
        vm.assertEq(counter.countOf(_alice), 0, "undone");
    }

    function test_OfALongAnswerTheBeginningIsKept() external {
        for (uint256 i = 0; i < 2; ++i) {
            bool succeed = i == 0;
            IOperations.Operation memory operation =
                _operation(bytes32(i + 1), abi.encodeCall(Counter.shout, (20_000, succeed)));
            bytes memory signature = _sign(KEY, operation);
            vm.expectEmit(_alice);
            emit IOperations.Executed(operation.key, _CODE.callOf(operation), succeed, new bytes(1024));
            IOperations(_alice).execute(operation, signature);
        }
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Relay
    // ---------------------------------------------------------------------------------------------------------------

    function test_OneThatCannotRunHoldsUpNoOther() external {
        _delegate(0xB0B);
        IOperations.Signed[] memory operations = new IOperations.Signed[](5);
        operations[0] = _signed(KEY, _count(_FIRST));
        operations[1] = _signed(0xDEAD, _count(_FIRST));
        operations[2] = _signed(KEY, _count(0));
        operations[3] = _signed(KEY, _operation(_SECOND, abi.encodeCall(Counter.burn, (0))));
        operations[4] = _signed(0xB0B, _count(_FIRST));
        vm.expectEmit(SystemAddresses.OPERATIONS);
        emit IOperations.Refused(
            vm.addr(0xDEAD), _FIRST, abi.encodeWithSelector(IOperations.NotDelegated.selector, vm.addr(0xDEAD))
        );
        vm.expectEmit(SystemAddresses.OPERATIONS);
        emit IOperations.Refused(_alice, 0, abi.encodeWithSelector(IOperations.ZeroKey.selector));
        _CODE.relay(operations);
        vm.assertEq(counter.countOf(_alice), 1, "the first");
        vm.assertTrue(_statusOf(_SECOND) == IOperations.Status.Failed, "the fourth");
        vm.assertEq(counter.countOf(vm.addr(0xB0B)), 1, "the last");
        _CODE.relay(operations);
        vm.assertEq(counter.countOf(_alice) + counter.countOf(vm.addr(0xB0B)), 2, "brought twice, done once");
    }

    function test_OtherCodeThanThisIsNotRun() external {
        vm.etch(vm.addr(0xB0B), address(counter).code);
        IOperations.Signed[] memory operations = new IOperations.Signed[](1);
        operations[0] = _signed(0xB0B, _count(_FIRST));
        vm.expectEmit(SystemAddresses.OPERATIONS);
        emit IOperations.Refused(
            vm.addr(0xB0B), _FIRST, abi.encodeWithSelector(IOperations.NotDelegated.selector, vm.addr(0xB0B))
        );
        _CODE.relay(operations);
    }

    function test_NothingIsRelayedOutOfNothing() external {
        vm.recordLogs();
        _CODE.relay(new IOperations.Signed[](0));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 0, "nothing");
    }

    // ---------------------------------------------------------------------------------------------------------------
    // The account stays an account
    // ---------------------------------------------------------------------------------------------------------------

    function test_ItCreatesContracts() external {
        bytes memory code = type(Counter).creationCode;
        IOperations.Operation memory operation = _operation(_FIRST, abi.encodeCall(IOperations.deploy, (_SALT, code)));
        operation.target = _alice;
        operation.gas = 2_000_000;
        bytes32 hash = keccak256(abi.encodePacked(bytes1(0xff), _alice, _SALT, keccak256(code)));
        address created = address(uint160(uint256(hash)));
        bytes memory signature = _sign(KEY, operation);
        vm.expectEmit(_alice);
        emit IOperations.Executed(_FIRST, _CODE.callOf(operation), true, abi.encode(created));
        IOperations(_alice).execute(operation, signature);
        vm.assertEq(created.code, address(counter).code, "there it is");

        // The same again under another key fails, and says so.
        operation.key = _SECOND;
        vm.assertTrue(_bring(operation) == IOperations.Status.Failed, "taken");
    }

    function test_NobodyElseCreatesContractsWithIt() external {
        vm.expectRevert(abi.encodeWithSelector(IOperations.NotSelf.selector));
        IOperations(_alice).deploy(0, type(Counter).creationCode);
    }

    function test_ItTakesWhatAnAccountTakes() external {
        (bool taken,) = _alice.call{value: 1}("");
        vm.assertTrue(taken, "ether");
        (taken,) = _alice.call{value: 1}(hex"01020304");
        vm.assertTrue(taken, "any call");
        vm.assertEq(_alice.balance, 2, "kept");
        vm.assertTrue(
            IERC721Receiver(_alice).onERC721Received(address(0), address(0), 1, "")
                == IERC721Receiver.onERC721Received.selector,
            "ERC-721"
        );
        vm.assertTrue(
            IERC1155Receiver(_alice).onERC1155Received(address(0), address(0), 1, 1, "")
                == IERC1155Receiver.onERC1155Received.selector,
            "ERC-1155"
        );
    }

    function test_ItsSignaturesStayValid() external view {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, keccak256("permit"));
        bytes memory signature = abi.encodePacked(r, s, v);
        vm.assertTrue(
            IOperations(_alice).isValidSignature(keccak256("permit"), signature) == IERC1271.isValidSignature.selector,
            "its key's"
        );
        vm.assertTrue(
            IOperations(_alice).isValidSignature(keccak256("other"), signature) == bytes4(0xffffffff), "no other's"
        );
    }

    function test_StatusStandsInItsNamespace() external {
        _bring(_count(_FIRST));
        bytes32 namespace = keccak256(abi.encode(uint256(keccak256("ashlar.operations")) - 1)) & ~bytes32(uint256(0xff));
        bytes32 slot = keccak256(abi.encode(_FIRST, namespace));
        bytes32 kept = _CODE.callOf(_count(_FIRST)) & ~bytes32(uint256(0xff)) | bytes32(uint256(2));
        vm.assertEq(vm.load(_alice, slot), kept, "one slot");
    }

    function test_CommittedArtifactIsThisContract() external view {
        _assertArtifact(SystemAddresses.OPERATIONS, "artifacts/Operations.json");
    }

    function test_Gas_Operations() external {
        IOperations.Signed[] memory one = new IOperations.Signed[](1);
        one[0] = _signed(KEY, _count("one"));
        _CODE.relay(one);
        vm.snapshotGasLastCall("Operations", "relay the first of an account");
        one[0] = _signed(KEY, _count("two"));
        _CODE.relay(one);
        vm.snapshotGasLastCall("Operations", "relay one");
        _CODE.relay(one);
        vm.snapshotGasLastCall("Operations", "relay one again");
        IOperations.Signed[] memory many = new IOperations.Signed[](100);
        for (uint256 i = 0; i < 100; ++i) {
            many[i] = _signed(KEY, _count(bytes32(i + 1)));
        }
        _CODE.relay(many);
        vm.snapshotGasLastCall("Operations", "relay 100");
    }

    function _expectInvalid(IOperations.Operation memory operation, bytes memory signature, bytes memory reason)
        private
    {
        vm.expectRevert(reason);
        IOperations(_alice).execute(operation, signature);
    }
}

/// @title Mirror
/// @notice Brings the operation that calls it, from within.
contract Mirror {
    address private _account;
    bytes private _again;
    IOperations.Status public seen;

    function reflect(address account, IOperations.Operation calldata operation, bytes calldata signature) external {
        _account = account;
        _again = abi.encodeCall(IOperations.execute, (operation, signature));
    }

    fallback() external {
        (bool done, bytes memory said) = _account.call(_again);
        require(done, "refused");
        seen = abi.decode(said, (IOperations.Status));
    }
}
