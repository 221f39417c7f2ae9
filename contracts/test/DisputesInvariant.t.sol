// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IBallots} from "../src/interfaces/IBallots.sol";
import {IDisputes} from "../src/interfaces/IDisputes.sol";
import {IMembers} from "../src/interfaces/IMembers.sol";
import {SystemAddresses} from "../src/libraries/SystemAddresses.sol";
import {SystemTest} from "./base/SystemTest.sol";
import {Test} from "./base/Test.sol";

/// @title DisputesHandler
/// @notice What forge calls at random: six organizations that claim, answer, judge, withdraw and compensate, at the right
/// time or not. The model of a dispute is who may judge, who did, and three moments.
contract DisputesHandler is SystemTest {
    struct Model {
        uint256 claimant;
        uint256 respondent;
        uint256 votingFrom;
        bool answered;
        bool[6] judges;
        IBallots.Choice[6] choices;
        uint256 upheldAt;
        bool withdrawn;
        bytes32 compensation;
    }

    uint256 private constant _ORGANIZATIONS = 6;
    bytes32 private constant _HASH = keccak256("hash");

    Model[] private _models;
    bytes32 private _record;

    constructor() {
        _found(_ORGANIZATIONS, false);
        bytes32[] memory words = new bytes32[](1);
        words[0] = _HASH;
        _asAdmin(0);
        registry.record(words, words);
        _record = registry.idOf(registry.organizationOf(_admin(0)), _HASH);
    }

    function claim(uint256 sender, uint256 respondent, bool known) external {
        (sender, respondent) = (sender % _ORGANIZATIONS, respondent % (_ORGANIZATIONS + 1));
        bool allowed = _isActive(sender) && respondent < _ORGANIZATIONS && respondent != sender && known;
        if (allowed) {
            Model storage model = _models.push();
            (model.claimant, model.respondent) = (sender, respondent);
            model.votingFrom = vm.getBlockTimestamp() + 14 days;
            for (uint256 i = 0; i < _ORGANIZATIONS; ++i) {
                model.judges[i] = _isActive(i) && i != sender && i != respondent;
            }
        }
        bytes32 subject = known ? _record : _HASH;
        _send(
            sender, abi.encodeCall(IDisputes.claim, (_org(respondent), IDisputes.Kind.Record, subject, _HASH)), allowed
        );
    }

    function answer(uint256 sender, uint256 dispute) external {
        if (_models.length == 0) return;
        (sender, dispute) = (sender % _ORGANIZATIONS, _recent(dispute));
        Model storage model = _models[dispute - 1];
        // Every other time by the right one.
        if (dispute % 2 == 0) sender = model.respondent;
        bool allowed = _isActive(sender) && sender == model.respondent && !model.withdrawn
            && vm.getBlockTimestamp() < model.votingFrom;
        if (allowed) {
            model.answered = true;
            model.votingFrom = vm.getBlockTimestamp();
        }
        _send(sender, abi.encodeCall(IDisputes.answer, (dispute, _HASH)), allowed);
    }

    function voteTogether(uint256 seed, uint256 dispute) external {
        for (uint256 i = 0; i < _ORGANIZATIONS; ++i) {
            vote(i, dispute, (seed >> (8 * i)) % 4 == 3 ? 2 : 1);
        }
    }

    function vote(uint256 sender, uint256 dispute, uint8 choice) public {
        if (_models.length == 0) return;
        (sender, dispute) = (sender % _ORGANIZATIONS, _recent(dispute));
        Model storage model = _models[dispute - 1];
        IBallots.Choice wanted = IBallots.Choice(choice % 3);
        bool allowed = _stateOf(model) == IDisputes.State.Voting && _isActive(sender) && model.judges[sender]
            && model.choices[sender] == IBallots.Choice.None && wanted != IBallots.Choice.None;
        if (allowed) {
            model.choices[sender] = wanted;
            if (_count(model, IBallots.Choice.Approve) * 2 > _judges(model)) model.upheldAt = vm.getBlockTimestamp();
        }
        _send(sender, abi.encodeCall(IDisputes.vote, (dispute, wanted)), allowed);
    }

    function withdraw(uint256 sender, uint256 dispute) external {
        if (_models.length == 0) return;
        (sender, dispute) = (sender % _ORGANIZATIONS, _recent(dispute));
        Model storage model = _models[dispute - 1];
        IDisputes.State state = _stateOf(model);
        bool pending = state == IDisputes.State.Answering || state == IDisputes.State.Voting;
        bool allowed = pending && _isActive(sender) && sender == model.claimant;
        if (allowed) model.withdrawn = true;
        _send(sender, abi.encodeCall(IDisputes.withdraw, (dispute)), allowed);
    }

    function compensate(uint256 dispute, bytes32 transaction) external {
        if (_models.length == 0) return;
        dispute = _recent(dispute);
        Model storage model = _models[dispute - 1];
        IDisputes.State state = _stateOf(model);
        bool due = state == IDisputes.State.Upheld || state == IDisputes.State.Overdue;
        bool allowed = due && _isActive(model.respondent) && transaction != 0;
        if (allowed) model.compensation = transaction;
        _send(model.respondent, abi.encodeCall(IDisputes.compensate, (dispute, transaction)), allowed);
    }

    function suspendOrReinstate(uint256 organization) external {
        organization %= _ORGANIZATIONS;
        bool active = _isActive(organization);
        _nextBlock();
        // Five stay, so that there is always a judge.
        if (active && members.activeAt(vm.getBlockNumber() - 1) < _ORGANIZATIONS) return;
        _governing();
        if (active) members.suspendOrganization(_org(organization));
        else members.reinstateOrganization(_org(organization));
    }

    /// @dev To a moment that matters to a dispute, or the second before it.
    function jump(uint256 dispute, uint256 before) external {
        if (_models.length == 0) return;
        Model storage model = _models[_recent(dispute) - 1];
        uint256 to = model.votingFrom;
        if (to <= vm.getBlockTimestamp()) to += 3 days;
        if (model.upheldAt != 0) to = model.upheldAt + 30 days;
        to -= before % 2;
        if (to > vm.getBlockTimestamp()) vm.warp(to);
        _nextBlock();
    }

    /// @notice Fails unless every dispute stands where its model says, and the record it is about as it stood.
    function check() external view {
        vm.assertEq(disputes.disputes(), _models.length, "number of disputes");
        for (uint256 i = 0; i < _models.length; ++i) {
            Model storage model = _models[i];
            vm.assertTrue(disputes.stateOf(i + 1) == _stateOf(model), "state");
            vm.assertEq(disputes.disputeAt(i + 1).compensation, model.compensation, "compensation");
            vm.assertEq(disputes.disputeAt(i + 1).answer, model.answered ? _HASH : bytes32(0), "answer");
            vm.assertEq(disputes.tallyOf(i + 1).electorate, _judges(model), "judges");
            vm.assertEq(disputes.tallyOf(i + 1).approvals, _count(model, IBallots.Choice.Approve), "approvals");
            vm.assertEq(disputes.tallyOf(i + 1).rejections, _count(model, IBallots.Choice.Reject), "rejections");
        }
        vm.assertEq(registry.commitmentOf(_record), _HASH, "nothing is rewritten");
    }

    function _stateOf(Model storage model) private view returns (IDisputes.State state) {
        uint256 time = vm.getBlockTimestamp();
        if (model.withdrawn) return IDisputes.State.Withdrawn;
        if (model.compensation != 0) return IDisputes.State.Compensated;
        if (time < model.votingFrom) return IDisputes.State.Answering;
        if (model.upheldAt != 0) {
            return time < model.upheldAt + 30 days ? IDisputes.State.Upheld : IDisputes.State.Overdue;
        }
        if (_count(model, IBallots.Choice.Reject) * 2 >= _judges(model)) return IDisputes.State.Dismissed;
        return time < model.votingFrom + 3 days ? IDisputes.State.Voting : IDisputes.State.Undecided;
    }

    function _judges(Model storage model) private view returns (uint256 count) {
        for (uint256 i = 0; i < _ORGANIZATIONS; ++i) {
            if (model.judges[i]) ++count;
        }
    }

    function _count(Model storage model, IBallots.Choice choice) private view returns (uint256 count) {
        for (uint256 i = 0; i < _ORGANIZATIONS; ++i) {
            if (model.choices[i] == choice) ++count;
        }
    }

    function _recent(uint256 dispute) private view returns (uint256 number) {
        uint256 count = _models.length;
        return count - dispute % (count < 3 ? count : 3);
    }

    function _isActive(uint256 organization) private view returns (bool) {
        return members.organizationAt(_org(organization)).status == IMembers.Status.Active;
    }

    function _send(uint256 sender, bytes memory data, bool allowed) private {
        _nextBlock();
        _asAdmin(sender);
        (bool ok,) = SystemAddresses.DISPUTES.call(data);
        vm.assertTrue(ok == allowed, allowed ? "must pass" : "must be refused");
    }
}

/// @title DisputesInvariantTest
/// @notice What holds whoever quarrels with whom.
contract DisputesInvariantTest is Test {
    DisputesHandler private _handler;

    function setUp() external {
        _handler = new DisputesHandler();
    }

    /// @notice Read by forge: whom to call at random.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function invariant_DisputesStandWhereTheModelSays() external view {
        _handler.check();
    }
}
