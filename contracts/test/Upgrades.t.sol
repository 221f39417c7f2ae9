// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {IUpgrades} from "../src/interfaces/IUpgrades.sol";
import {SystemAddresses} from "../src/libraries/SystemAddresses.sol";
import {SystemTest} from "./base/SystemTest.sol";

/// @title UpgradesTest
/// @notice One rule of `IUpgrades` per test. The height is 10, the notice 1,200 blocks.
contract UpgradesTest is SystemTest {
    bytes32 private constant _FORK = keccak256("fork");

    function setUp() external {
        _found(4, false);
    }

    function test_ForkActivatesAtItsHeight() external {
        vm.expectEmit(SystemAddresses.UPGRADES);
        emit IUpgrades.ForkScheduled(_FORK, 1210);
        _schedule(_FORK, 1210);
        vm.assertEq(upgrades.heightOf(_FORK), 1210, "height");
        vm.assertEq(upgrades.forks().length, 1, "listed");
        vm.roll(1209);
        vm.assertTrue(!upgrades.isActive(_FORK), "not yet");
        vm.roll(1210);
        vm.assertTrue(upgrades.isActive(_FORK), "from here on");
        vm.assertTrue(!upgrades.isActive(keccak256("other")), "that one only");
    }

    function test_HeightIsTheMappingAtSlotTwo() external {
        _schedule(_FORK, 5000);
        bytes32 slot = keccak256(abi.encode(_FORK, uint256(2)));
        vm.assertEq(vm.load(SystemAddresses.UPGRADES, slot), bytes32(uint256(5000)), "slot");
    }

    function test_NoticeIsKept() external {
        uint256[3] memory soon = [uint256(0), 10, 1209];
        for (uint256 i = 0; i < 3; ++i) {
            _governing();
            vm.expectRevert(abi.encodeWithSelector(IUpgrades.TooSoon.selector, soon[i], 1210));
            upgrades.scheduleFork(_FORK, soon[i]);
            _governing();
            vm.expectRevert(abi.encodeWithSelector(IUpgrades.TooSoon.selector, soon[i], 1210));
            upgrades.setMinimumVersion(1, soon[i]);
        }
        _governing();
        vm.expectRevert(abi.encodeWithSelector(IUpgrades.TooLate.selector, type(uint256).max));
        upgrades.scheduleFork(_FORK, type(uint256).max);
        _governing();
        vm.expectRevert(abi.encodeWithSelector(IUpgrades.TooLate.selector, uint256(type(uint64).max) + 1));
        upgrades.setMinimumVersion(1, uint256(type(uint64).max) + 1);
    }

    function test_ScheduledForkCanMoveOrBeCanceled() external {
        _schedule(_FORK, 2000);
        _schedule(_FORK, 3000);
        vm.assertEq(upgrades.forks().length, 1, "listed once");
        vm.expectEmit(SystemAddresses.UPGRADES);
        emit IUpgrades.ForkCanceled(_FORK);
        _governing();
        upgrades.cancelFork(_FORK);
        vm.assertEq(upgrades.heightOf(_FORK), 0, "not scheduled");
        vm.assertEq(upgrades.forks().length, 0, "not listed");
        _governing();
        vm.expectRevert(abi.encodeWithSelector(IUpgrades.NotScheduled.selector, _FORK));
        upgrades.cancelFork(_FORK);
    }

    function test_ActiveForkStays() external {
        _schedule(_FORK, 2000);
        vm.roll(2000);
        bytes memory active = abi.encodeWithSelector(IUpgrades.AlreadyActive.selector, _FORK, 2000);
        _governing();
        vm.expectRevert(active);
        upgrades.scheduleFork(_FORK, 9000);
        _governing();
        vm.expectRevert(active);
        upgrades.cancelFork(_FORK);
    }

    function test_ForksAreBounded() external {
        for (uint256 i = 1; i <= 256; ++i) {
            _schedule(bytes32(i), 2000);
        }
        _governing();
        vm.expectRevert(abi.encodeWithSelector(IUpgrades.TooManyForks.selector, 256));
        upgrades.scheduleFork(_FORK, 2000);
        _schedule(bytes32(uint256(7)), 3000);
    }

    function test_ZeroIsNoFork() external {
        _governing();
        vm.expectRevert(abi.encodeWithSelector(IUpgrades.ZeroFork.selector));
        upgrades.scheduleFork(0, 2000);
    }

    function test_MinimumVersionRisesAtItsHeight() external {
        vm.expectEmit(SystemAddresses.UPGRADES);
        emit IUpgrades.MinimumVersionSet(3, 2000);
        _setVersion(3, 2000);
        vm.assertEq(upgrades.minimumVersion(), 0, "not yet");
        (uint256 version, uint256 height) = upgrades.nextVersion();
        vm.assertEq(version, 3, "next");
        vm.assertEq(height, 2000, "from");

        vm.roll(2000);
        vm.assertEq(upgrades.minimumVersion(), 3, "now");
        (version, height) = upgrades.nextVersion();
        vm.assertEq(version, 0, "none ahead");
        _setVersion(4, 4000);
        vm.assertEq(upgrades.minimumVersion(), 3, "until then");
        vm.roll(4000);
        vm.assertEq(upgrades.minimumVersion(), 4, "and then");
    }

    function test_VersionAheadCanBeReplaced() external {
        _setVersion(9, 2000);
        _setVersion(2, 3000);
        vm.roll(2000);
        vm.assertEq(upgrades.minimumVersion(), 0, "the first was taken back");
        vm.roll(3000);
        vm.assertEq(upgrades.minimumVersion(), 2, "the second holds");
        _governing();
        vm.expectRevert(abi.encodeWithSelector(IUpgrades.VersionNotHigher.selector, 2, 2));
        upgrades.setMinimumVersion(2, 9000);
    }

    function test_OnlyGovernanceDecides() external {
        bytes memory refused = abi.encodeWithSelector(IGoverned.NotGovernance.selector, _admin(0));
        _asAdmin(0);
        vm.expectRevert(refused);
        upgrades.scheduleFork(_FORK, 2000);
        _asAdmin(0);
        vm.expectRevert(refused);
        upgrades.cancelFork(_FORK);
        _asAdmin(0);
        vm.expectRevert(refused);
        upgrades.setMinimumVersion(1, 2000);
    }

    function test_CommittedArtifactIsThisContract() external view {
        _assertArtifact(SystemAddresses.UPGRADES, "artifacts/Upgrades.json");
    }

    /// @dev Whatever is asked for and when, what stands in the past stays, and the future keeps its notice.
    function testFuzz_PastStaysAndFutureHasNotice(uint256 seed) external {
        for (uint256 step = 0; step < 12; ++step) {
            uint256 draw = uint256(keccak256(abi.encode(seed, step)));
            vm.roll(vm.getBlockNumber() + draw % 900);
            bytes32 fork = bytes32(1 + (draw >> 32) % 2);
            uint256 before = upgrades.heightOf(fork);
            uint256 height = vm.getBlockNumber() + (draw >> 64) % 2400;
            bool past = before != 0 && before <= vm.getBlockNumber();
            bool cancels = (draw >> 128) % 4 == 0;

            _governing();
            (bool ok,) = SystemAddresses.UPGRADES
                .call(
                    cancels
                        ? abi.encodeCall(IUpgrades.cancelFork, (fork))
                        : abi.encodeCall(IUpgrades.scheduleFork, (fork, height))
                );
            bool allowed = !past && (cancels ? before != 0 : height >= vm.getBlockNumber() + 1200);
            vm.assertTrue(ok == allowed, "allowed");
            vm.assertEq(upgrades.heightOf(fork), !ok ? before : cancels ? 0 : height, "height");
        }
    }

    function _schedule(bytes32 fork, uint256 height) private {
        _governing();
        upgrades.scheduleFork(fork, height);
    }

    function _setVersion(uint32 version, uint256 height) private {
        _governing();
        upgrades.setMinimumVersion(version, height);
    }
}
