// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IMembers} from "../src/interfaces/IMembers.sol";
import {IPause} from "../src/interfaces/IPause.sol";
import {SystemAddresses} from "../src/libraries/SystemAddresses.sol";
import {SystemTest} from "./base/SystemTest.sol";
import {Test} from "./base/Test.sol";

/// @title PauseHandler
/// @notice What forge calls at random: six organizations that move, approve, and are suspended and reinstated, while time
/// passes. The model of a motion is who could approve and who did.
contract PauseHandler is SystemTest {
    struct Model {
        IPause.Scope scope;
        bytes32 subject;
        uint256 duration;
        uint256 madeAt;
        bool[6] electorate;
        bool[6] approved;
        uint256 carriedAt;
    }

    uint256 private constant _ORGANIZATIONS = 6;

    Model[] private _models;
    mapping(bytes32 thing => uint256 until) private _until;

    /// @notice The latest moment at which any pause was decided.
    uint256 public lastDecision;

    constructor() {
        _found(_ORGANIZATIONS, false);
    }

    function move(uint256 sender, uint8 kind, uint256 which, uint256 duration) external {
        sender %= _ORGANIZATIONS;
        (IPause.Scope scope, bytes32 subject, bool valid) = _subject(kind, which);
        duration %= 8 days;
        bool lifts = duration < 2 days;
        if (!lifts) duration -= 2 days;
        bytes memory data = lifts
            ? abi.encodeCall(IPause.moveLift, (scope, subject))
            : abi.encodeCall(IPause.movePause, (scope, subject, duration));

        bool allowed = _isActive(sender) && valid && (lifts || duration != 0);
        if (allowed) {
            Model storage model = _models.push();
            (model.scope, model.subject, model.duration) = (scope, subject, lifts ? 0 : duration);
            model.madeAt = vm.getBlockTimestamp();
            for (uint256 i = 0; i < _ORGANIZATIONS; ++i) {
                model.electorate[i] = _isActive(i);
            }
            _expectApproval(model, sender);
        }
        _send(_admin(sender), data, allowed);
    }

    function approve(uint256 sender, uint256 motion) public {
        if (_models.length == 0) return;
        sender %= _ORGANIZATIONS;
        motion = _models.length - motion % (_models.length < 3 ? _models.length : 3);
        Model storage model = _models[motion - 1];
        bool allowed = _isActive(sender) && model.electorate[sender] && !model.approved[sender] && model.carriedAt == 0
            && vm.getBlockTimestamp() < model.madeAt + 1 days;
        if (allowed) _expectApproval(model, sender);
        _send(_admin(sender), abi.encodeCall(IPause.approve, (motion)), allowed);
    }

    function approveTogether(uint256 motion) external {
        for (uint256 i = 0; i < 4; ++i) {
            approve(i, motion);
        }
    }

    function suspendOrReinstate(uint256 organization) external {
        organization %= _ORGANIZATIONS;
        _nextBlock();
        bool active = _isActive(organization);
        if (active && members.activeAt(vm.getBlockNumber() - 1) <= 2) return;
        _governing();
        if (active) members.suspendOrganization(_org(organization));
        else members.reinstateOrganization(_org(organization));
    }

    function pass(uint256 time) external {
        _pass(time % 1 days);
        _nextBlock();
    }

    /// @dev To the end of a motion's vote, or the second before it.
    function jump(uint256 motion, uint256 before) external {
        if (_models.length == 0) return;
        uint256 to = _models[motion % _models.length].madeAt + 1 days - before % 2;
        if (to > vm.getBlockTimestamp()) vm.warp(to);
        _nextBlock();
    }

    /// @notice Fails unless exactly that is paused which was decided, for no longer than there can be.
    function check() external view {
        for (uint8 kind = 0; kind < 3; ++kind) {
            for (uint256 which = 0; which < 8; ++which) {
                (IPause.Scope scope, bytes32 subject, bool valid) = _subject(kind, which);
                // There are no several deployments to tell apart.
                if (scope == IPause.Scope.Deployments && !valid) continue;
                uint256 until = pause.pausedUntil(scope, subject);
                vm.assertEq(until, valid ? _until[_thing(scope, subject)] : 0, "until");
                vm.assertTrue(until <= lastDecision + 7 days, "always expires");
                vm.assertTrue(pause.isPaused(scope, subject) == (until > vm.getBlockTimestamp()), "paused");
            }
        }
        for (uint256 i = 0; i < _models.length; ++i) {
            vm.assertTrue(pause.motionAt(i + 1).carried == (_models[i].carriedAt != 0), "carried");
            vm.assertEq(pause.tallyOf(i + 1).approvals, _approvals(_models[i]), "approvals");
        }
    }

    /// @notice Fails unless every organization can still govern and lift, and records stand where they can be read.
    function checkNobodyIsLockedOut() external view {
        for (uint256 i = 0; i < _ORGANIZATIONS; ++i) {
            for (uint160 j = 2; j <= 8; ++j) {
                address system = address(uint160(SystemAddresses.RECORDS) - 1 + j);
                vm.assertTrue(!pause.isStopped(_admin(i), system, false), "governing contracts are open");
            }
        }
        vm.assertEq(
            pause.pausedUntil(IPause.Scope.Contract, bytes32(uint256(uint160(SystemAddresses.RECORDS)))), 0, "records"
        );
    }

    function _expectApproval(Model storage model, uint256 sender) private {
        model.approved[sender] = true;
        uint256 electorate = 0;
        for (uint256 i = 0; i < _ORGANIZATIONS; ++i) {
            if (model.electorate[i]) ++electorate;
        }
        if (_approvals(model) * 2 <= electorate) return;
        model.carriedAt = vm.getBlockTimestamp();
        lastDecision = model.carriedAt;
        _until[_thing(model.scope, model.subject)] = model.duration == 0 ? 0 : model.carriedAt + model.duration;
    }

    function _approvals(Model storage model) private view returns (uint256 count) {
        for (uint256 i = 0; i < _ORGANIZATIONS; ++i) {
            if (model.approved[i]) ++count;
        }
    }

    /// @dev Of each kind some that cannot be stopped.
    function _subject(uint8 kind, uint256 which)
        private
        pure
        returns (IPause.Scope scope, bytes32 subject, bool valid)
    {
        which %= 8;
        scope = IPause.Scope(kind % 3);
        if (scope == IPause.Scope.Deployments) return (scope, bytes32(which / 4), which < 4);
        if (scope == IPause.Scope.Organization) return (scope, _org(which), which < _ORGANIZATIONS);
        if (which < 4) return (scope, bytes32(0xC0DE + which), true);
        return (scope, bytes32(uint256(uint160(SystemAddresses.RECORDS)) + which - 4), false);
    }

    function _thing(IPause.Scope scope, bytes32 subject) private pure returns (bytes32 thing) {
        return keccak256(abi.encode(scope, subject));
    }

    function _isActive(uint256 organization) private view returns (bool) {
        return members.organizationAt(_org(organization)).status == IMembers.Status.Active;
    }

    function _send(address sender, bytes memory data, bool allowed) private {
        _nextBlock();
        vm.prank(sender);
        (bool ok,) = SystemAddresses.PAUSE.call(data);
        vm.assertTrue(ok == allowed, allowed ? "must pass" : "must be refused");
    }
}

/// @title PauseInvariantTest
/// @notice What holds whoever pulls the brake.
contract PauseInvariantTest is Test {
    PauseHandler private _handler;

    function setUp() external {
        _handler = new PauseHandler();
    }

    /// @notice Read by forge: whom to call at random.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function invariant_PausedIsWhatWasDecidedAndExpires() external view {
        _handler.check();
    }

    function invariant_NobodyIsLockedOut() external view {
        _handler.checkNobodyIsLockedOut();
    }
}
