// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IBallots} from "../src/interfaces/IBallots.sol";
import {IGovernance} from "../src/interfaces/IGovernance.sol";
import {IMembers} from "../src/interfaces/IMembers.sol";
import {IParameters} from "../src/interfaces/IParameters.sol";
import {ISuccession} from "../src/interfaces/ISuccession.sol";
import {IUpgrades} from "../src/interfaces/IUpgrades.sol";
import {SystemAddresses} from "../src/libraries/SystemAddresses.sol";
import {SystemTest} from "./base/SystemTest.sol";

/// @title GovernanceTest
/// @notice One rule of `IGovernance` per test. Seven organizations: four are a majority, five more than two thirds.
contract GovernanceTest is SystemTest {
    uint48 private constant _VOTING = 3 days;
    uint256 private constant _TIMELOCK = 1 days;
    uint256 private constant _WINDOW = 14 days;

    function setUp() external {
        _found(7, false);
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Proposals
    // ---------------------------------------------------------------------------------------------------------------

    function test_ProposalFixesElectorateMajorityAndTimes() external {
        IGovernance.Action[] memory actions = _ordinaryActions();
        IBallots.Tally memory wanted = IBallots.Tally(9, 1_000_000 + _VOTING, 7, 4, 0, 0);
        vm.expectEmit(SystemAddresses.GOVERNANCE);
        emit IGovernance.Proposed(1, _org(0), actions, "because", wanted);
        _asAdmin(0);
        vm.assertEq(governance.propose(actions, "because"), 1, "numbers from 1");

        IBallots.Tally memory tally = governance.tallyOf(1);
        vm.assertEq(abi.encode(tally), abi.encode(wanted), "tally");
        IGovernance.Proposal memory made = governance.proposalAt(1);
        vm.assertEq(made.proposer, _org(0), "proposer");
        vm.assertTrue(!made.critical, "ordinary");
        vm.assertEq(made.timelock, _TIMELOCK, "timelock");
        vm.assertEq(made.window, _WINDOW, "window");
        vm.assertEq(governance.proposals(), 1, "count");
        vm.assertEq(abi.encode(governance.actionsOf(1)), abi.encode(actions), "actions");
        _assertState(1, IGovernance.State.Voting);
        _assertState(2, IGovernance.State.None);
    }

    function test_OneCriticalActionMakesTheProposalCritical() external {
        IGovernance.Action[] memory actions = new IGovernance.Action[](2);
        actions[0] = _ordinaryActions()[0];
        actions[1] = _criticalActions()[0];
        uint256 proposal = _propose(actions);
        vm.assertTrue(governance.proposalAt(proposal).critical, "critical");
        vm.assertEq(governance.tallyOf(proposal).required, 5, "more than two thirds");
    }

    function test_KindsHaveTheirFunctionsAndMajorities() external pure {
        bytes4[14] memory selectors = [
            IMembers.addOrganization.selector,
            IMembers.suspendOrganization.selector,
            IMembers.reinstateOrganization.selector,
            IMembers.removeOrganization.selector,
            IMembers.setValidatorLimit.selector,
            IMembers.appointAdministrator.selector,
            IParameters.setLimit.selector,
            IParameters.setVotingRule.selector,
            IUpgrades.scheduleFork.selector,
            IUpgrades.cancelFork.selector,
            IUpgrades.setMinimumVersion.selector,
            ISuccession.close.selector,
            ISuccession.reopen.selector,
            ISuccession.nameSuccessor.selector
        ];
        vm.assertEq(uint8(type(IGovernance.Kind).max), 13, "every kind is here");
        for (uint8 i = 0; i < 14; ++i) {
            (address target, bytes memory data, bool critical) =
                governance.callOf(IGovernance.Action(IGovernance.Kind(i), hex"00ff"));
            address wanted = i < 6
                ? SystemAddresses.MEMBERS
                : i < 8 ? SystemAddresses.PARAMETERS : i < 11 ? SystemAddresses.UPGRADES : SystemAddresses.SUCCESSION;
            vm.assertEq(target, wanted, "target");
            vm.assertEq(data, abi.encodePacked(selectors[i], hex"00ff"), "call");
            vm.assertTrue(critical == (i != 6), "only limits are ordinary");
        }
    }

    function test_UnknownKindIsRefused() external {
        bytes memory data = abi.encodeCall(IGovernance.propose, (_ordinaryActions(), ""));
        // The kind of the first action: after selector, two offsets, count and the action's offset.
        uint256 place = 4 + 32 * 4;
        data[place + 31] = bytes1(uint8(type(IGovernance.Kind).max) + 1);
        _asAdmin(0);
        (bool ok,) = SystemAddresses.GOVERNANCE.call(data);
        vm.assertTrue(!ok, "there is no such kind");
    }

    function test_NumberOfActionsIsBounded() external {
        _asAdmin(0);
        vm.expectRevert(abi.encodeWithSelector(IGovernance.InvalidActions.selector, 0));
        governance.propose(new IGovernance.Action[](0), "");
        _asAdmin(0);
        vm.expectRevert(abi.encodeWithSelector(IGovernance.InvalidActions.selector, 17));
        governance.propose(new IGovernance.Action[](17), "");
    }

    function test_OnlyAdministratorsProposeVoteAndCancel() external {
        _propose(_ordinaryActions());
        _asAdmin(1);
        members.setAccount(_account(1), TRANSACT | DEPLOY);
        address[2] memory others = [_account(1), _account(2)];
        for (uint256 i = 0; i < 2; ++i) {
            bytes memory refused = abi.encodeWithSelector(IBallots.NotVoter.selector, others[i]);
            vm.prank(others[i]);
            vm.expectRevert(refused);
            governance.propose(_ordinaryActions(), "");
            vm.prank(others[i]);
            vm.expectRevert(refused);
            governance.vote(1, IBallots.Choice.Approve);
            vm.prank(others[i]);
            vm.expectRevert(refused);
            governance.cancel(1);
        }
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Votes
    // ---------------------------------------------------------------------------------------------------------------

    function test_VoteIsCountedOnce() external {
        uint256 proposal = _propose(_ordinaryActions());
        vm.expectEmit(SystemAddresses.GOVERNANCE);
        emit IGovernance.Voted(proposal, _org(1), IBallots.Choice.Reject);
        _vote(proposal, 1, IBallots.Choice.Reject);
        vm.assertEq(governance.tallyOf(proposal).rejections, 1, "counted");
        vm.assertTrue(governance.choiceOf(proposal, _org(1)) == IBallots.Choice.Reject, "kept");

        // Not even by another of its administrators.
        _asAdmin(1);
        members.setAccount(_account(1), ADMINISTER);
        vm.prank(_account(1));
        vm.expectRevert(abi.encodeWithSelector(IBallots.AlreadyVoted.selector, _org(1)));
        governance.vote(proposal, IBallots.Choice.Approve);
    }

    function test_NoChoiceIsNoVote() external {
        uint256 proposal = _propose(_ordinaryActions());
        _asAdmin(1);
        vm.expectRevert(abi.encodeWithSelector(IBallots.NoChoice.selector));
        governance.vote(proposal, IBallots.Choice.None);
    }

    function test_LateComerHasNoVote() external {
        uint256 proposal = _propose(_ordinaryActions());
        _governing();
        members.addOrganization(_org(9), "nine", _admin(9), 1);
        _nextBlock();
        _asAdmin(9);
        vm.expectRevert(abi.encodeWithSelector(IBallots.NotEligible.selector, _org(9)));
        governance.vote(proposal, IBallots.Choice.Approve);
        vm.assertEq(governance.tallyOf(proposal).electorate, 7, "nor is it counted");
    }

    function test_JoiningInTheBlockOfTheProposalIsTooLate() external {
        _governing();
        members.addOrganization(_org(9), "nine", _admin(9), 1);
        uint256 proposal = _propose(_ordinaryActions());
        vm.assertEq(governance.tallyOf(proposal).electorate, 7, "as the block before ended");
        _asAdmin(9);
        vm.expectRevert(abi.encodeWithSelector(IBallots.NotEligible.selector, _org(9)));
        governance.vote(proposal, IBallots.Choice.Approve);
    }

    function test_RemovedOrSuspendedOrganizationCannotVote() external {
        uint256 proposal = _propose(_ordinaryActions());
        _governing();
        members.removeOrganization(_org(1));
        _governing();
        members.suspendOrganization(_org(2));
        for (uint256 i = 1; i <= 2; ++i) {
            _asAdmin(i);
            vm.expectRevert(abi.encodeWithSelector(IBallots.NotVoter.selector, _admin(i)));
            governance.vote(proposal, IBallots.Choice.Approve);
        }
    }

    function test_AccountThatChangedSidesVotesForNobodyTwice() external {
        uint256 proposal = _propose(_ordinaryActions());
        _vote(proposal, 1, IBallots.Choice.Approve);
        _governing();
        members.removeOrganization(_org(1));
        _asAdmin(2);
        members.setAccount(_admin(1), ADMINISTER);
        _vote(proposal, 1, IBallots.Choice.Approve);
        vm.assertEq(governance.tallyOf(proposal).approvals, 2, "that was the vote of its new organization");
        _asAdmin(2);
        vm.expectRevert(abi.encodeWithSelector(IBallots.AlreadyVoted.selector, _org(2)));
        governance.vote(proposal, IBallots.Choice.Approve);
    }

    function test_EnoughApprovalsAcceptAtOnce() external {
        uint256 proposal = _propose(_ordinaryActions());
        _approve(proposal, 3);
        _assertState(proposal, IGovernance.State.Voting);
        _pass(100);
        vm.expectEmit(SystemAddresses.GOVERNANCE);
        emit IGovernance.Voted(proposal, _org(3), IBallots.Choice.Approve);
        vm.expectEmit(SystemAddresses.GOVERNANCE);
        emit IGovernance.Accepted(proposal, 1_000_100 + _TIMELOCK, 1_000_100 + _TIMELOCK + _WINDOW);
        _vote(proposal, 3, IBallots.Choice.Approve);
        _assertState(proposal, IGovernance.State.Waiting);
        _asAdmin(4);
        vm.expectRevert(abi.encodeWithSelector(IGovernance.WrongState.selector, proposal, IGovernance.State.Waiting));
        governance.vote(proposal, IBallots.Choice.Reject);
    }

    function test_FourOfSevenDoNotChangeMembers() external {
        uint256 proposal = _propose(_criticalActions());
        _approve(proposal, 4);
        _assertState(proposal, IGovernance.State.Voting);
        _vote(proposal, 4, IBallots.Choice.Approve);
        _assertState(proposal, IGovernance.State.Waiting);
    }

    function test_EnoughRejectionsDefeatAtOnce() external {
        uint256 proposal = _propose(_criticalActions());
        _vote(proposal, 0, IBallots.Choice.Reject);
        _vote(proposal, 1, IBallots.Choice.Reject);
        vm.expectEmit(SystemAddresses.GOVERNANCE);
        emit IGovernance.Voted(proposal, _org(2), IBallots.Choice.Reject);
        vm.expectEmit(SystemAddresses.GOVERNANCE);
        emit IGovernance.Defeated(proposal);
        _vote(proposal, 2, IBallots.Choice.Reject);
        _assertState(proposal, IGovernance.State.Defeated);
    }

    function test_VoteEndsWithItsPeriod() external {
        uint256 proposal = _propose(_ordinaryActions());
        _approve(proposal, 3);
        _pass(_VOTING - 1);
        _assertState(proposal, IGovernance.State.Voting);
        _pass(1);
        _assertState(proposal, IGovernance.State.Defeated);
        _asAdmin(3);
        vm.expectRevert(abi.encodeWithSelector(IGovernance.WrongState.selector, proposal, IGovernance.State.Defeated));
        governance.vote(proposal, IBallots.Choice.Approve);
    }

    function test_ThresholdCountsAtTheProposal() external {
        _governing();
        parameters.setVotingRule(IParameters.Parameter.Threshold, 6667);
        uint256 strict = _propose(_ordinaryActions());
        vm.assertEq(governance.tallyOf(strict).required, 5, "two thirds");
        _governing();
        parameters.setVotingRule(IParameters.Parameter.Threshold, 5000);
        vm.assertEq(governance.tallyOf(strict).required, 5, "as it was");
        vm.assertEq(governance.tallyOf(_propose(_ordinaryActions())).required, 4, "a strict majority at least");
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Cancellation
    // ---------------------------------------------------------------------------------------------------------------

    function test_ProposerCancelsWhileTheVoteIsOpen() external {
        uint256 proposal = _propose(_ordinaryActions());
        vm.expectEmit(SystemAddresses.GOVERNANCE);
        emit IGovernance.Canceled(proposal);
        _asAdmin(0);
        governance.cancel(proposal);
        _assertState(proposal, IGovernance.State.Canceled);
        _asAdmin(1);
        vm.expectRevert(abi.encodeWithSelector(IGovernance.WrongState.selector, proposal, IGovernance.State.Canceled));
        governance.vote(proposal, IBallots.Choice.Approve);
    }

    function test_NobodyElseCancels() external {
        uint256 proposal = _propose(_ordinaryActions());
        _asAdmin(1);
        vm.expectRevert(abi.encodeWithSelector(IGovernance.NotProposer.selector, proposal, _org(1)));
        governance.cancel(proposal);
    }

    function test_AcceptedProposalCannotBeCanceled() external {
        uint256 proposal = _propose(_ordinaryActions());
        _approve(proposal, 4);
        _asAdmin(0);
        vm.expectRevert(abi.encodeWithSelector(IGovernance.WrongState.selector, proposal, IGovernance.State.Waiting));
        governance.cancel(proposal);
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Execution
    // ---------------------------------------------------------------------------------------------------------------

    function test_ExecutionWaitsForTheTimelockAndHappensOnce() external {
        uint256 proposal = _accepted(_ordinaryActions());
        _pass(_TIMELOCK - 1);
        _expectWrong(proposal, IGovernance.State.Waiting);
        governance.execute(proposal);

        _pass(1);
        _assertState(proposal, IGovernance.State.Executable);
        vm.expectEmit(SystemAddresses.GOVERNANCE);
        emit IGovernance.Executed(proposal);
        // Anybody.
        vm.prank(_account(99));
        governance.execute(proposal);
        vm.assertEq(parameters.valueOf(IParameters.Parameter.BlockGas), 60_000_000, "done");

        _expectWrong(proposal, IGovernance.State.Executed);
        governance.execute(proposal);
    }

    function test_ProposalExpires() external {
        uint256 proposal = _accepted(_ordinaryActions());
        _pass(_TIMELOCK + _WINDOW - 1);
        _assertState(proposal, IGovernance.State.Executable);
        _pass(1);
        _expectWrong(proposal, IGovernance.State.Expired);
        governance.execute(proposal);
    }

    function test_AllActionsOrNone() external {
        IGovernance.Action[] memory actions = new IGovernance.Action[](2);
        actions[0] = _ordinaryActions()[0];
        actions[1] = IGovernance.Action(
            IGovernance.Kind.SetLimit, abi.encode(IParameters.Parameter.BlockGas, type(uint256).max)
        );
        uint256 proposal = _accepted(actions);
        _pass(_TIMELOCK);
        bytes memory reason = abi.encodeWithSelector(
            IParameters.OutOfBounds.selector,
            IParameters.Parameter.BlockGas,
            type(uint256).max,
            30_000_000,
            1_000_000_000
        );
        vm.expectRevert(abi.encodeWithSelector(IGovernance.ActionFailed.selector, 1, reason));
        governance.execute(proposal);
        vm.assertEq(parameters.valueOf(IParameters.Parameter.BlockGas), 100_000_000, "nothing done");
        _assertState(proposal, IGovernance.State.Executable);
    }

    function test_EveryKindIsExecuted() external {
        IGovernance.Action[] memory actions = new IGovernance.Action[](15);
        actions[0] = IGovernance.Action(IGovernance.Kind.AddOrganization, abi.encode(_org(9), "nine", _admin(9), 2));
        actions[1] = IGovernance.Action(IGovernance.Kind.SuspendOrganization, abi.encode(_org(1)));
        actions[2] = IGovernance.Action(IGovernance.Kind.ReinstateOrganization, abi.encode(_org(1)));
        actions[3] = IGovernance.Action(IGovernance.Kind.RemoveOrganization, abi.encode(_org(2)));
        actions[4] = IGovernance.Action(IGovernance.Kind.SetValidatorLimit, abi.encode(_org(3), 5));
        actions[5] = IGovernance.Action(IGovernance.Kind.AppointAdministrator, abi.encode(_org(4), _account(4)));
        actions[6] = _ordinaryActions()[0];
        actions[7] =
            IGovernance.Action(IGovernance.Kind.SetVotingRule, abi.encode(IParameters.Parameter.Timelock, 2 days));
        actions[8] = IGovernance.Action(IGovernance.Kind.ScheduleFork, abi.encode(keccak256("fork"), 9000));
        actions[9] = IGovernance.Action(IGovernance.Kind.CancelFork, abi.encode(keccak256("fork")));
        actions[10] = IGovernance.Action(IGovernance.Kind.SetMinimumVersion, abi.encode(2, 9000));
        actions[11] = IGovernance.Action(IGovernance.Kind.CloseNetwork, "");
        actions[12] = IGovernance.Action(IGovernance.Kind.ReopenNetwork, "");
        actions[13] = actions[11];
        bytes memory identity = bytes.concat(hex"80", new bytes(95));
        actions[14] = IGovernance.Action(IGovernance.Kind.NameSuccessor, abi.encode(identity, 7, keccak256("genesis")));
        uint256 proposal = _accepted(actions);
        _pass(_TIMELOCK);
        governance.execute(proposal);

        vm.assertEq(members.organizationOf(_admin(9)), _org(9), "added");
        vm.assertTrue(members.may(_admin(1), IMembers.Permission.Administer), "reinstated");
        vm.assertEq(members.organizationOf(_admin(2)), 0, "removed");
        vm.assertEq(members.organizationAt(_org(3)).validatorLimit, 5, "limit");
        vm.assertEq(members.permissionsOf(_account(4)), ALL, "appointed");
        vm.assertEq(parameters.valueOf(IParameters.Parameter.Timelock), 2 days, "rule");
        vm.assertEq(upgrades.heightOf(keccak256("fork")), 0, "canceled");
        (uint256 version,) = upgrades.nextVersion();
        vm.assertEq(version, 2, "version");
        vm.assertEq(succession.closedAt(), vm.getBlockNumber(), "closed, reopened, closed");
        vm.assertEq(succession.successor().genesis, keccak256("genesis"), "successor");
    }

    function test_ChangedRulesDoNotTouchWhatIsUnderWay() external {
        uint256 proposal = _accepted(_ordinaryActions());
        _governing();
        parameters.setVotingRule(IParameters.Parameter.Timelock, 30 days);
        _pass(_TIMELOCK);
        _assertState(proposal, IGovernance.State.Executable);
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Simulation
    // ---------------------------------------------------------------------------------------------------------------

    function test_SimulationTellsTheOutlookAndChangesNothing() external {
        IGovernance.Action[] memory actions = new IGovernance.Action[](3);
        for (uint256 i = 0; i < 3; ++i) {
            actions[i] = IGovernance.Action(IGovernance.Kind.RemoveOrganization, abi.encode(_org(i + 1)));
        }
        bytes32[] memory nobody = new bytes32[](0);
        vm.expectRevert(
            abi.encodeWithSelector(IGovernance.Simulated.selector, IGovernance.Outlook(4, 3, 3, 4, 1, nobody))
        );
        governance.simulate(actions);
        vm.assertEq(members.organizations().length, 7, "nothing changed");
        vm.assertEq(
            abi.encode(governance.outlook()), abi.encode(IGovernance.Outlook(7, 4, 5, 7, 2, nobody)), "as it is"
        );
    }

    function test_SimulationOfALockOutFails() external {
        IGovernance.Action[] memory actions = new IGovernance.Action[](4);
        for (uint256 i = 0; i < 4; ++i) {
            actions[i] = IGovernance.Action(IGovernance.Kind.RemoveOrganization, abi.encode(_org(i + 1)));
        }
        bytes memory reason = abi.encodeWithSelector(IMembers.TooFewValidators.selector, 3, 4);
        vm.expectRevert(abi.encodeWithSelector(IGovernance.ActionFailed.selector, 3, reason));
        governance.simulate(actions);
    }

    function test_OutlookNamesWhoCanHalt() external {
        _found(4, false);
        _asAdmin(2);
        members.setNode(_key(9), IMembers.Role.Validator);
        IGovernance.Outlook memory seen = governance.outlook();
        vm.assertEq(seen.validators, 5, "five");
        vm.assertEq(seen.faults, 1, "one may fail");
        vm.assertEq(seen.halting.length, 1, "one organization has two");
        vm.assertEq(seen.halting[0], _org(2), "this one");
        _governing();
        members.suspendOrganization(_org(2));
        vm.assertEq(governance.outlook().organizations, 3, "active ones count");
        vm.assertEq(governance.outlook().halting.length, 1, "its validators go on");
    }

    function test_OutlookOfABondedNetworkCountsItsCandidates() external {
        _foundAs(4, false, true, IMembers.Policy.Bonded);
        vm.assertEq(governance.outlook().validators, 0, "none yet");
        vm.deal(_account(1), 1 ether);
        vm.prank(_account(1));
        stake.bond{value: 1 ether}(_key(1));
        IGovernance.Outlook memory seen = governance.outlook();
        vm.assertEq(seen.validators, 1, "one");
        vm.assertEq(seen.faults, 0, "which must not fail");
        vm.assertEq(seen.halting.length, 0, "it is no organization's");
    }

    function test_StatesAndSlots() external {
        uint256 proposal = _propose(_ordinaryActions());
        vm.assertEq(vm.load(SystemAddresses.GOVERNANCE, 0), bytes32(proposal), "slot 0: count");
        bytes32 slot = keccak256(abi.encode(proposal, uint256(1)));
        vm.assertEq(vm.load(SystemAddresses.GOVERNANCE, slot), _org(0), "slot 1: proposals");
    }

    function test_CommittedArtifactIsThisContract() external view {
        _assertArtifact(SystemAddresses.GOVERNANCE, "artifacts/Governance.json");
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Helpers
    // ---------------------------------------------------------------------------------------------------------------

    function _propose(IGovernance.Action[] memory actions) private returns (uint256 proposal) {
        _asAdmin(0);
        return governance.propose(actions, "");
    }

    function _accepted(IGovernance.Action[] memory actions) private returns (uint256 proposal) {
        proposal = _propose(actions);
        _approve(proposal, governance.tallyOf(proposal).required);
    }

    function _approve(uint256 proposal, uint256 count) private {
        for (uint256 i = 0; i < count; ++i) {
            _vote(proposal, i, IBallots.Choice.Approve);
        }
    }

    function _vote(uint256 proposal, uint256 index, IBallots.Choice choice) private {
        _asAdmin(index);
        governance.vote(proposal, choice);
    }

    function _expectWrong(uint256 proposal, IGovernance.State state) private {
        vm.expectRevert(abi.encodeWithSelector(IGovernance.WrongState.selector, proposal, state));
    }

    function _assertState(uint256 proposal, IGovernance.State wanted) private view {
        vm.assertEq(uint8(governance.stateOf(proposal)), uint8(wanted), "state");
    }

    function _ordinaryActions() private pure returns (IGovernance.Action[] memory actions) {
        actions = new IGovernance.Action[](1);
        actions[0] =
            IGovernance.Action(IGovernance.Kind.SetLimit, abi.encode(IParameters.Parameter.BlockGas, 60_000_000));
    }

    function _criticalActions() private pure returns (IGovernance.Action[] memory actions) {
        actions = new IGovernance.Action[](1);
        actions[0] = IGovernance.Action(IGovernance.Kind.RemoveOrganization, abi.encode(_org(6)));
    }
}
