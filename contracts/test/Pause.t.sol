// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IBallots} from "../src/interfaces/IBallots.sol";
import {IPause} from "../src/interfaces/IPause.sol";
import {SystemAddresses} from "../src/libraries/SystemAddresses.sol";
import {SystemTest} from "./base/SystemTest.sol";

/// @title PauseTest
/// @notice One rule of `IPause` per test. Four organizations: three approvals carry a motion.
contract PauseTest is SystemTest {
    address private constant _CONTRACT = address(0xC0DE);
    bytes32 private constant _SUBJECT = bytes32(uint256(0xC0DE));

    function setUp() external {
        _found(4, false);
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Motions
    // ---------------------------------------------------------------------------------------------------------------

    function test_MotionIsCarriedWithTheLastApprovalItNeeds() external {
        IBallots.Tally memory tally = IBallots.Tally(9, 1_000_000 + 1 days, 4, 3, 0, 0);
        vm.expectEmit(SystemAddresses.PAUSE);
        emit IPause.MotionMade(1, _org(0), IPause.Scope.Contract, _SUBJECT, 7 days, tally);
        vm.expectEmit(SystemAddresses.PAUSE);
        emit IPause.MotionApproved(1, _org(0));
        _asAdmin(0);
        vm.assertEq(pause.movePause(IPause.Scope.Contract, _SUBJECT, 7 days), 1, "numbers from 1");
        _approve(1, 1);
        vm.assertTrue(!pause.isPaused(IPause.Scope.Contract, _SUBJECT), "two are not three");

        _pass(100);
        vm.expectEmit(SystemAddresses.PAUSE);
        emit IPause.MotionApproved(1, _org(2));
        vm.expectEmit(SystemAddresses.PAUSE);
        emit IPause.Paused(IPause.Scope.Contract, _SUBJECT, 1, 1_000_100 + 7 days);
        _approve(1, 2);
        vm.assertTrue(pause.isPaused(IPause.Scope.Contract, _SUBJECT), "at once");
        vm.assertEq(pause.pausedUntil(IPause.Scope.Contract, _SUBJECT), 1_000_100 + 7 days, "until");
        vm.assertTrue(pause.motionAt(1).carried, "carried");
        vm.assertEq(pause.motions(), 1, "count");
        vm.assertEq(pause.tallyOf(1).approvals, 3, "approvals");
        vm.assertTrue(pause.choiceOf(1, _org(2)) == IBallots.Choice.Approve, "kept");
        vm.assertTrue(pause.choiceOf(1, _org(3)) == IBallots.Choice.None, "not asked");

        _asAdmin(3);
        vm.expectRevert(abi.encodeWithSelector(IBallots.BallotNotOpen.selector));
        pause.approve(1);
    }

    function test_OneOrganizationAloneDecidesAlone() external {
        _found(1, true);
        _asAdmin(0);
        pause.movePause(IPause.Scope.Deployments, 0, 1);
        vm.assertTrue(pause.isPaused(IPause.Scope.Deployments, 0), "carried as it was made");
    }

    function test_MotionLapsesAfterADay() external {
        _asAdmin(0);
        pause.movePause(IPause.Scope.Deployments, 0, 1 days);
        _approve(1, 1);
        _pass(1 days);
        _asAdmin(2);
        vm.expectRevert(abi.encodeWithSelector(IBallots.BallotNotOpen.selector));
        pause.approve(1);
    }

    function test_EachOrganizationApprovesOnce() external {
        _asAdmin(0);
        pause.movePause(IPause.Scope.Deployments, 0, 1 days);
        _asAdmin(0);
        vm.expectRevert(abi.encodeWithSelector(IBallots.AlreadyVoted.selector, _org(0)));
        pause.approve(1);
        vm.prank(_account(1));
        vm.expectRevert(abi.encodeWithSelector(IBallots.NotVoter.selector, _account(1)));
        pause.approve(1);
        vm.prank(_account(1));
        vm.expectRevert(abi.encodeWithSelector(IBallots.NotVoter.selector, _account(1)));
        pause.movePause(IPause.Scope.Deployments, 0, 1 days);
        _asAdmin(0);
        vm.expectRevert(abi.encodeWithSelector(IPause.UnknownMotion.selector, 2));
        pause.approve(2);
    }

    function test_RemovedOrSuspendedOrganizationDoesNotApprove() external {
        _found(6, false);
        _asAdmin(0);
        pause.movePause(IPause.Scope.Deployments, 0, 1 days);
        _governing();
        members.removeOrganization(_org(1));
        _asAdmin(1);
        vm.expectRevert(abi.encodeWithSelector(IBallots.NotVoter.selector, _admin(1)));
        pause.approve(1);
        _governing();
        members.addOrganization(_org(9), "nine", _admin(9), 1);
        _nextBlock();
        _asAdmin(9);
        vm.expectRevert(abi.encodeWithSelector(IBallots.NotEligible.selector, _org(9)));
        pause.approve(1);
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Ends
    // ---------------------------------------------------------------------------------------------------------------

    function test_PauseEndsByItself() external {
        _pause(IPause.Scope.Deployments, 0, 7 days);
        _pass(7 days - 1);
        vm.assertTrue(pause.isPaused(IPause.Scope.Deployments, 0), "to the last second");
        _pass(1);
        vm.assertTrue(!pause.isPaused(IPause.Scope.Deployments, 0), "over");
        vm.assertTrue(!pause.isStopped(_admin(0), address(0), true), "deployments go on");
    }

    function test_DurationIsBounded() external {
        uint256[3] memory wrong = [uint256(0), 7 days + 1, type(uint256).max];
        for (uint256 i = 0; i < 3; ++i) {
            _asAdmin(0);
            vm.expectRevert(abi.encodeWithSelector(IPause.InvalidDuration.selector, wrong[i], 7 days));
            pause.movePause(IPause.Scope.Deployments, 0, wrong[i]);
        }
    }

    function test_PauseIsLiftedByVote() external {
        _pause(IPause.Scope.Organization, _org(3), 7 days);
        // The paused one itself moves and votes.
        _asAdmin(3);
        pause.moveLift(IPause.Scope.Organization, _org(3));
        _approve(2, 0);
        vm.expectEmit(SystemAddresses.PAUSE);
        emit IPause.MotionApproved(2, _org(1));
        vm.expectEmit(SystemAddresses.PAUSE);
        emit IPause.Lifted(IPause.Scope.Organization, _org(3), 2);
        _approve(2, 1);
        vm.assertTrue(!pause.isPaused(IPause.Scope.Organization, _org(3)), "lifted");
    }

    function test_NewMotionSetsANewEnd() external {
        _pause(IPause.Scope.Deployments, 0, 7 days);
        _pass(1 days);
        _pause(IPause.Scope.Deployments, 0, 1 hours);
        vm.assertEq(pause.pausedUntil(IPause.Scope.Deployments, 0), 1_000_000 + 1 days + 1 hours, "the newer one");
    }

    // ---------------------------------------------------------------------------------------------------------------
    // What is stopped, and what is not
    // ---------------------------------------------------------------------------------------------------------------

    function test_DeploymentsStop() external {
        _pause(IPause.Scope.Deployments, 0, 1 days);
        vm.assertTrue(pause.isStopped(_admin(0), address(0), true), "no new contract");
        vm.assertTrue(!pause.isStopped(_admin(0), _CONTRACT, false), "calls go on");
    }

    function test_OneContractStops() external {
        _pause(IPause.Scope.Contract, _SUBJECT, 1 days);
        vm.assertTrue(pause.isStopped(_admin(0), _CONTRACT, false), "no call");
        vm.assertTrue(!pause.isStopped(_admin(0), address(0xBEEF), false), "others go on");
        vm.assertTrue(!pause.isStopped(_admin(0), _CONTRACT, true), "so do deployments");
    }

    function test_OneOrganizationStopsButGoverns() external {
        _pause(IPause.Scope.Organization, _org(1), 1 days);
        vm.assertTrue(pause.isStopped(_admin(1), _CONTRACT, false), "no call");
        vm.assertTrue(pause.isStopped(_admin(1), address(0), false), "not even of address 0");
        vm.assertTrue(pause.isStopped(_admin(1), SystemAddresses.RECORDS, false), "no record");
        vm.assertTrue(pause.isStopped(_admin(1), address(0), true), "no contract");
        vm.assertTrue(pause.isStopped(_admin(1), SystemAddresses.GOVERNANCE, true), "a creation has no recipient");
        for (uint160 i = 2; i <= 8; ++i) {
            address system = address(uint160(SystemAddresses.RECORDS) - 1 + i);
            vm.assertTrue(!pause.isStopped(_admin(1), system, false), "it governs");
        }
        vm.assertTrue(!pause.isStopped(_admin(2), _CONTRACT, false), "others go on");
        vm.assertTrue(!pause.isStopped(_account(1), _CONTRACT, false), "strangers are not its accounts");
    }

    function test_SystemContractsAreNoSubject() external {
        for (uint160 i = 0; i < 10; ++i) {
            address system = address(uint160(SystemAddresses.RECORDS) - 1 + i);
            _expectInvalid(IPause.Scope.Contract, bytes32(uint256(uint160(system))));
        }
    }

    function test_MalformedSubjectIsRefused() external {
        _expectInvalid(IPause.Scope.Deployments, _SUBJECT);
        _expectInvalid(IPause.Scope.Contract, 0);
        _expectInvalid(IPause.Scope.Contract, _SUBJECT | bytes32(uint256(1) << 160));
        _expectInvalid(IPause.Scope.Organization, 0);
        _expectInvalid(IPause.Scope.Organization, _org(9));
        _found(5, false);
        _governing();
        members.removeOrganization(_org(4));
        _expectInvalid(IPause.Scope.Organization, _org(4));
    }

    function test_EndsAreInTheirSlots() external {
        _pause(IPause.Scope.Deployments, 0, 1);
        _pause(IPause.Scope.Contract, _SUBJECT, 2);
        _pause(IPause.Scope.Organization, _org(1), 3);
        _assertSlot(0, 1);
        _assertSlot(keccak256(abi.encode(_CONTRACT, uint256(1))), 2);
        _assertSlot(keccak256(abi.encode(_org(1), uint256(2))), 3);
    }

    function test_CommittedArtifactIsThisContract() external view {
        _assertArtifact(SystemAddresses.PAUSE, "artifacts/Pause.json");
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Helpers
    // ---------------------------------------------------------------------------------------------------------------

    function _pause(IPause.Scope scope, bytes32 subject, uint256 duration) private {
        _asAdmin(0);
        uint256 motion = pause.movePause(scope, subject, duration);
        _approve(motion, 1);
        _approve(motion, 2);
    }

    function _approve(uint256 motion, uint256 index) private {
        _asAdmin(index);
        pause.approve(motion);
    }

    function _expectInvalid(IPause.Scope scope, bytes32 subject) private {
        _asAdmin(0);
        vm.expectRevert(abi.encodeWithSelector(IPause.InvalidSubject.selector, scope, subject));
        pause.movePause(scope, subject, 1);
    }

    function _assertSlot(bytes32 slot, uint256 duration) private view {
        vm.assertEq(vm.load(SystemAddresses.PAUSE, slot), bytes32(1_000_000 + duration), "slot");
    }
}
