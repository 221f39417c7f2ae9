// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {ISuccession} from "../src/interfaces/ISuccession.sol";
import {SystemAddresses} from "../src/libraries/SystemAddresses.sol";
import {SystemTest} from "./base/SystemTest.sol";

/// @title SuccessionTest
/// @notice One rule of `ISuccession` per test. The height is 10.
contract SuccessionTest is SystemTest {
    bytes32 private constant _GENESIS = keccak256("genesis");

    function setUp() external {
        _found(4, false);
    }

    function test_ClosesAndReopens() external {
        vm.assertEq(succession.closedAt(), 0, "open");
        vm.expectEmit(SystemAddresses.SUCCESSION);
        emit ISuccession.Closed(10);
        _close();
        vm.assertEq(succession.closedAt(), 10, "closed");

        _nextBlock();
        _governing();
        vm.expectRevert(abi.encodeWithSelector(ISuccession.AlreadyClosed.selector, 10));
        succession.close();

        vm.expectEmit(SystemAddresses.SUCCESSION);
        emit ISuccession.Reopened();
        _governing();
        succession.reopen();
        vm.assertEq(succession.closedAt(), 0, "open again");
        _close();
        vm.assertEq(succession.closedAt(), 11, "closed again");
    }

    function test_AnOpenNetworkHasNoSuccessor() external {
        bytes memory open = abi.encodeWithSelector(ISuccession.NotClosed.selector);
        _governing();
        vm.expectRevert(open);
        succession.reopen();
        _governing();
        vm.expectRevert(open);
        succession.nameSuccessor(_identity(0x80), 7, _GENESIS);
        vm.assertEq(succession.successor().genesis, 0, "none");
    }

    function test_ASuccessorIsNamedForEver() external {
        _close();
        vm.expectEmit(SystemAddresses.SUCCESSION);
        emit ISuccession.SuccessorNamed(_identity(0xbf), 7, _GENESIS);
        _governing();
        succession.nameSuccessor(_identity(0xbf), 7, _GENESIS);
        ISuccession.Network memory named = succession.successor();
        vm.assertEq(named.identity, _identity(0xbf), "identity");
        vm.assertEq(named.chainId, 7, "chain id");
        vm.assertEq(named.genesis, _GENESIS, "genesis");

        bytes memory over = abi.encodeWithSelector(ISuccession.AlreadySucceeded.selector, _GENESIS);
        _governing();
        vm.expectRevert(over);
        succession.nameSuccessor(_identity(0x80), 8, _GENESIS);
        _governing();
        vm.expectRevert(over);
        succession.reopen();
        _governing();
        vm.expectRevert(abi.encodeWithSelector(ISuccession.AlreadyClosed.selector, 10));
        succession.close();
    }

    function test_WhatIsNoIdentityIsRefused() external {
        _close();
        bytes[5] memory wrong = [bytes(""), new bytes(96), _identity(0xc0), new bytes(95), new bytes(97)];
        wrong[3][0] = 0x80;
        wrong[4][0] = 0x80;
        for (uint256 i = 0; i < 5; ++i) {
            _governing();
            vm.expectRevert(abi.encodeWithSelector(ISuccession.InvalidIdentity.selector, wrong[i]));
            succession.nameSuccessor(wrong[i], 7, _GENESIS);
        }
    }

    function test_WhatIsNoNetworkIsRefused() external {
        _close();
        _refused(0, _GENESIS);
        _refused(2 ** 53, _GENESIS);
        _refused(type(uint256).max, _GENESIS);
        _refused(7, 0);
        _governing();
        succession.nameSuccessor(_identity(0x80), 2 ** 53 - 1, _GENESIS);
    }

    function test_StorageIsAsWritten() external {
        _close();
        _governing();
        succession.nameSuccessor(_identity(0x9a), 7, _GENESIS);
        address target = SystemAddresses.SUCCESSION;
        vm.assertEq(vm.load(target, 0), bytes32(uint256(10)), "height");
        vm.assertEq(vm.load(target, bytes32(uint256(1))), bytes32(uint256(193)), "length");
        vm.assertEq(vm.load(target, keccak256(abi.encode(1))), bytes32(bytes1(0x9a)), "identity");
        vm.assertEq(vm.load(target, bytes32(uint256(2))), bytes32(uint256(7)), "chain id");
        vm.assertEq(vm.load(target, bytes32(uint256(3))), _GENESIS, "genesis");
    }

    function test_OnlyGovernanceDecides() external {
        bytes memory refused = abi.encodeWithSelector(IGoverned.NotGovernance.selector, _admin(0));
        _asAdmin(0);
        vm.expectRevert(refused);
        succession.close();
        _asAdmin(0);
        vm.expectRevert(refused);
        succession.reopen();
        _asAdmin(0);
        vm.expectRevert(refused);
        succession.nameSuccessor(_identity(0x80), 7, _GENESIS);
    }

    function test_CommittedArtifactIsThisContract() external view {
        _assertArtifact(SystemAddresses.SUCCESSION, "artifacts/Succession.json");
    }

    /// @dev Whatever is asked for and when: what was named stays, and is named in a closed network only.
    function testFuzz_AnEndIsAnEnd(uint256 seed) external {
        uint256 closed = 0;
        bytes32 named = 0;
        for (uint256 step = 0; step < 16; ++step) {
            uint256 draw = uint256(keccak256(abi.encode(seed, step)));
            vm.roll(vm.getBlockNumber() + draw % 3);
            uint256 what = (draw >> 32) % 3;
            bytes32 genesis = bytes32((draw >> 64) % 4);
            bytes memory call = what == 0
                ? abi.encodeCall(ISuccession.close, ())
                : what == 1
                    ? abi.encodeCall(ISuccession.reopen, ())
                    : abi.encodeCall(ISuccession.nameSuccessor, (_identity(0x80), 7, genesis));
            bool allowed = what == 0 ? closed == 0 : closed != 0 && named == 0 && (what == 1 || genesis != 0);

            _governing();
            (bool ok,) = SystemAddresses.SUCCESSION.call(call);
            vm.assertTrue(ok == allowed, "allowed");
            if (ok && what < 2) closed = what == 0 ? vm.getBlockNumber() : 0;
            if (ok && what == 2) named = genesis;
            vm.assertEq(succession.closedAt(), closed, "closed");
            vm.assertEq(succession.successor().genesis, named, "named");
        }
    }

    function _close() private {
        _governing();
        succession.close();
    }

    function _refused(uint256 chainId, bytes32 genesis) private {
        _governing();
        vm.expectRevert(abi.encodeWithSelector(ISuccession.InvalidNetwork.selector, chainId, genesis));
        succession.nameSuccessor(_identity(0x80), chainId, genesis);
    }

    function _identity(uint8 first) private pure returns (bytes memory identity) {
        return bytes.concat(bytes1(first), new bytes(95));
    }
}
