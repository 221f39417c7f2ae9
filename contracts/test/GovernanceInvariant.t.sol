// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IBallots} from "../src/interfaces/IBallots.sol";
import {IGovernance} from "../src/interfaces/IGovernance.sol";
import {IMembers} from "../src/interfaces/IMembers.sol";
import {IParameters} from "../src/interfaces/IParameters.sol";
import {SystemAddresses} from "../src/libraries/SystemAddresses.sol";
import {SystemTest} from "./base/SystemTest.sol";
import {Test} from "./base/Test.sol";

/// @title GovernanceHandler
/// @notice What forge calls at random: nine organizations, seven of them founders, that propose whatever comes to mind,
/// sensible or not, vote, cancel and execute while time passes. Every call is in a block of its own, so who was active
/// before a call is who was active at the end of the block before.
///
/// The model of a proposal is a list of who could vote, who did, and when; whether a call must pass follows from it.
contract GovernanceHandler is SystemTest {
    struct Model {
        uint256 proposer;
        uint256 madeAt;
        uint256 votingPeriod;
        uint256 timelock;
        uint256 window;
        bool critical;
        uint256 threshold;
        bool[9] electorate;
        IBallots.Choice[9] choices;
        uint256 acceptedAt;
        bool canceled;
        bool executed;
    }

    uint256 private constant _ORGANIZATIONS = 9;
    uint256 private constant _FOUNDERS = 7;

    Model[] private _models;
    uint256 private _steps;

    /// @notice How many proposals were executed, so that a run in which nothing happens shows.
    uint256 public executions;

    constructor() {
        _found(_FOUNDERS, false);
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Calls
    // ---------------------------------------------------------------------------------------------------------------

    /// @dev The usual way of a proposal, up to the second in which it becomes executable or the one before.
    function decide(uint256 sender, uint256 seed) external {
        propose(sender, seed);
        voteTogether(seed, 0);
        jump(0, 1, seed % 2);
        execute(0);
    }

    function propose(uint256 sender, uint256 seed) public {
        sender %= _ORGANIZATIONS;
        IGovernance.Action[] memory actions = new IGovernance.Action[](seed % 4 == 0 ? 2 : 1);
        bool critical = false;
        for (uint256 i = 0; i < actions.length; ++i) {
            actions[i] = _randomAction(uint256(keccak256(abi.encode(seed, i))));
            critical = critical || actions[i].kind != IGovernance.Kind.SetLimit;
        }

        bool allowed = _isActive(sender);
        if (allowed) _keep(sender, critical);
        _send(_admin(sender), abi.encodeCall(IGovernance.propose, (actions, "")), allowed);
    }

    /// @dev All others go along with the sender more often than not: else nothing would ever be accepted.
    function voteTogether(uint256 seed, uint256 proposal) public {
        for (uint256 i = 0; i < _ORGANIZATIONS; ++i) {
            uint256 draw = (seed >> (8 * i)) % 8;
            if (draw == 7) continue;
            vote(i, proposal, draw == 6 ? 2 : 1);
        }
    }

    function vote(uint256 sender, uint256 proposal, uint8 choice) public {
        if (_models.length == 0) return;
        sender %= _ORGANIZATIONS;
        proposal = _recent(proposal);
        IBallots.Choice wanted = IBallots.Choice(choice % 3);
        Model storage model = _models[proposal - 1];

        bool allowed = wanted != IBallots.Choice.None && _isOpen(model) && _isActive(sender) && model.electorate[sender]
            && model.choices[sender] == IBallots.Choice.None;
        if (allowed) {
            model.choices[sender] = wanted;
            if (_count(model, IBallots.Choice.Approve) >= _required(model)) model.acceptedAt = vm.getBlockTimestamp();
        }
        _send(_admin(sender), abi.encodeCall(IGovernance.vote, (proposal, wanted)), allowed);
    }

    function cancel(uint256 sender, uint256 proposal, uint256 often) external {
        if (_models.length == 0 || often % 8 != 0) return;
        sender %= _ORGANIZATIONS;
        proposal = _recent(proposal);
        Model storage model = _models[proposal - 1];
        bool allowed = _isOpen(model) && _isActive(sender) && model.proposer == sender;
        if (allowed) model.canceled = true;
        _send(_admin(sender), abi.encodeCall(IGovernance.cancel, (proposal)), allowed);
    }

    /// @dev What the actions say to it is not for the model to know, so a refusal by an action is no fault; success at
    /// the wrong time is, and so is failure to tell which action refused.
    function execute(uint256 proposal) public {
        if (_models.length == 0) return;
        proposal = _recent(proposal);
        Model storage model = _models[proposal - 1];
        uint256 time = vm.getBlockTimestamp();
        bool due = model.acceptedAt != 0 && !model.executed && time >= model.acceptedAt + model.timelock
            && time < model.acceptedAt + model.timelock + model.window;

        _step();
        vm.prank(_account(1));
        (bool ok, bytes memory reason) =
            SystemAddresses.GOVERNANCE.call(abi.encodeCall(IGovernance.execute, (proposal)));
        // The first four bytes of an error are its selector.
        // forge-lint: disable-next-line(unsafe-typecast)
        bytes4 selector = bytes4(reason);
        if (due) vm.assertTrue(ok || selector == IGovernance.ActionFailed.selector, "due");
        else vm.assertTrue(!ok && selector == IGovernance.WrongState.selector, "early, late, again or not accepted");
        if (ok) {
            model.executed = true;
            ++executions;
        }
    }

    function simulate(uint256 seed) external {
        IGovernance.Action[] memory actions = new IGovernance.Action[](1);
        actions[0] = _randomAction(seed);
        bytes32 before = keccak256(abi.encode(governance.outlook()));
        (bool ok,) = SystemAddresses.GOVERNANCE.call(abi.encodeCall(IGovernance.simulate, (actions)));
        vm.assertTrue(!ok, "a simulation never ends well");
        vm.assertEq(keccak256(abi.encode(governance.outlook())), before, "nor changes anything");
    }

    function pass(uint256 time) external {
        _pass(time % 1 days);
        _step();
    }

    /// @dev To one of the moments that matter to a proposal, or the second before it.
    function jump(uint256 proposal, uint256 moment, uint256 before) public {
        if (_models.length == 0) return;
        Model storage model = _models[_recent(proposal) - 1];
        uint256 to = model.madeAt + model.votingPeriod;
        if (model.acceptedAt != 0) to = model.acceptedAt + model.timelock + (moment % 2 == 0 ? model.window : 0);
        to -= before % 2;
        if (to > vm.getBlockTimestamp()) vm.warp(to);
        _step();
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Checks
    // ---------------------------------------------------------------------------------------------------------------

    /// @notice Fails unless every proposal stands where its model says.
    function checkProposals() external view {
        vm.assertEq(governance.proposals(), _models.length, "number of proposals");
        for (uint256 i = 0; i < _models.length; ++i) {
            Model storage model = _models[i];
            vm.assertTrue(governance.stateOf(i + 1) == _stateOf(model), "state");
            IBallots.Tally memory tally = governance.tallyOf(i + 1);
            vm.assertEq(tally.approvals, _count(model, IBallots.Choice.Approve), "approvals");
            vm.assertEq(tally.rejections, _count(model, IBallots.Choice.Reject), "rejections");
            vm.assertEq(tally.electorate, _electorate(model), "electorate");
            vm.assertEq(tally.required, _required(model), "required");
            vm.assertTrue(tally.required * 2 > tally.electorate, "a strict majority at least");
            vm.assertTrue(!model.critical || tally.required * 3 > tally.electorate * 2, "more than two thirds");
        }
        vm.assertEq(vm.getBlockNumber(), 10 + _steps, "a block for every call");
    }

    /// @notice Fails unless the network can go on whatever was decided.
    function checkNobodyIsLockedOut() external view {
        IGovernance.Outlook memory seen = governance.outlook();
        vm.assertTrue(seen.organizations >= 1, "somebody votes");
        vm.assertTrue(seen.ordinary * 2 > seen.organizations, "a majority");
        vm.assertTrue(seen.ordinary <= seen.critical && seen.critical <= seen.organizations, "they can decide");
        vm.assertTrue(seen.validators >= 4, "four validators");

        bytes32[] memory ids = members.organizations();
        for (uint256 i = 0; i < ids.length; ++i) {
            vm.assertTrue(members.organizationAt(ids[i]).administrators >= 1, "an administrator");
        }
        for (uint8 i = 0; i <= uint8(type(IParameters.Parameter).max); ++i) {
            IParameters.Bounds memory bounds = parameters.boundsOf(IParameters.Parameter(i));
            uint256 value = parameters.valueOf(IParameters.Parameter(i));
            vm.assertTrue(value >= bounds.least && value <= bounds.greatest, "within its bounds");
        }
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Model
    // ---------------------------------------------------------------------------------------------------------------

    function _keep(uint256 sender, bool critical) private {
        Model storage model = _models.push();
        model.proposer = sender;
        model.madeAt = vm.getBlockTimestamp();
        model.votingPeriod = parameters.valueOf(IParameters.Parameter.VotingPeriod);
        model.timelock = parameters.valueOf(IParameters.Parameter.Timelock);
        model.window = parameters.valueOf(IParameters.Parameter.ExecutionWindow);
        model.threshold = parameters.valueOf(IParameters.Parameter.Threshold);
        model.critical = critical;
        for (uint256 i = 0; i < _ORGANIZATIONS; ++i) {
            model.electorate[i] = _isActive(i);
        }
    }

    function _stateOf(Model storage model) private view returns (IGovernance.State state) {
        uint256 time = vm.getBlockTimestamp();
        if (model.canceled) return IGovernance.State.Canceled;
        if (model.executed) return IGovernance.State.Executed;
        if (_isOpen(model)) return IGovernance.State.Voting;
        if (model.acceptedAt == 0) return IGovernance.State.Defeated;
        if (time < model.acceptedAt + model.timelock) return IGovernance.State.Waiting;
        if (time < model.acceptedAt + model.timelock + model.window) return IGovernance.State.Executable;
        return IGovernance.State.Expired;
    }

    function _isOpen(Model storage model) private view returns (bool) {
        bool hopeless = _electorate(model) - _count(model, IBallots.Choice.Reject) < _required(model);
        bool late = vm.getBlockTimestamp() >= model.madeAt + model.votingPeriod;
        return !model.canceled && model.acceptedAt == 0 && !hopeless && !late;
    }

    /// @dev The least number that is a majority and, of all organizations, the share that was asked for.
    function _required(Model storage model) private view returns (uint256 required) {
        uint256 all = _electorate(model);
        for (required = 1; required <= all; ++required) {
            if (required * 3 > all * 2) return required;
            if (!model.critical && required * 2 > all && required * 10_000 >= all * model.threshold) return required;
        }
    }

    function _electorate(Model storage model) private view returns (uint256 count) {
        for (uint256 i = 0; i < _ORGANIZATIONS; ++i) {
            if (model.electorate[i]) ++count;
        }
    }

    function _count(Model storage model, IBallots.Choice choice) private view returns (uint256 count) {
        for (uint256 i = 0; i < _ORGANIZATIONS; ++i) {
            if (model.choices[i] == choice) ++count;
        }
    }

    function _isActive(uint256 organization) private view returns (bool) {
        return members.organizationAt(_org(organization)).status == IMembers.Status.Active;
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Helpers
    // ---------------------------------------------------------------------------------------------------------------

    function _randomAction(uint256 draw) private view returns (IGovernance.Action memory action) {
        uint256 kind = draw % 11;
        bytes32 organization = _org((draw >> 16) % _ORGANIZATIONS);
        uint256 number = (draw >> 32) % 6;
        action.kind = IGovernance.Kind(kind);
        if (kind == 0) {
            // Its own account, so that an organization that joins can vote.
            action.arguments = abi.encode(organization, "nine", _admin((draw >> 16) % _ORGANIZATIONS), number);
        } else if (kind < 4) {
            action.arguments = abi.encode(organization);
        } else if (kind == 4) {
            action.arguments = abi.encode(organization, number);
        } else if (kind == 5) {
            action.arguments = abi.encode(organization, _account((draw >> 16) % _ORGANIZATIONS));
        } else if (kind == 8) {
            action.arguments = abi.encode(number, vm.getBlockNumber() + 1000 + (draw >> 64) % 1000);
        } else if (kind == 9) {
            action.arguments = abi.encode(number);
        } else if (kind == 10) {
            action.arguments = abi.encode(number, vm.getBlockNumber() + 1000 + (draw >> 64) % 1000);
        } else {
            action.arguments = _randomParameter(draw, kind == 7);
        }
    }

    /// @dev Values about the bounds, on both sides.
    function _randomParameter(uint256 draw, bool rule) private view returns (bytes memory arguments) {
        uint8 first = uint8(IParameters.Parameter.VotingPeriod);
        uint256 index = rule ? first + (draw >> 40) % 4 : (draw >> 40) % first;
        IParameters.Bounds memory bounds = parameters.boundsOf(IParameters.Parameter(index));
        uint256 span = bounds.greatest - bounds.least;
        uint256 value = (draw >> 64) % (span + span / 8 + 2) + bounds.least - bounds.least / 8;
        return abi.encode(index, value);
    }

    function _recent(uint256 proposal) private view returns (uint256 number) {
        uint256 count = _models.length;
        return count - proposal % (count < 4 ? count : 4);
    }

    function _send(address sender, bytes memory data, bool allowed) private {
        _step();
        vm.prank(sender);
        (bool ok,) = SystemAddresses.GOVERNANCE.call(data);
        vm.assertTrue(ok == allowed, allowed ? "must pass" : "must be refused");
    }

    function _step() private {
        _nextBlock();
        ++_steps;
    }
}

/// @title GovernanceInvariantTest
/// @notice What holds whoever proposes what, and whatever is accepted.
contract GovernanceInvariantTest is Test {
    GovernanceHandler private _handler;

    function setUp() external {
        _handler = new GovernanceHandler();
    }

    /// @notice Read by forge: whom to call at random.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function invariant_ProposalsStandWhereTheModelSays() external view {
        _handler.checkProposals();
    }

    function invariant_NobodyIsLockedOut() external view {
        _handler.checkNobodyIsLockedOut();
    }
}
