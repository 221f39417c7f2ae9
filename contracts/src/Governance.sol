// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IGovernance} from "./interfaces/IGovernance.sol";
import {IMembers} from "./interfaces/IMembers.sol";
import {IParameters} from "./interfaces/IParameters.sol";
import {IStake} from "./interfaces/IStake.sol";
import {Actions} from "./libraries/Actions.sol";
import {Ballots} from "./libraries/Ballots.sol";
import {Quorum} from "./libraries/Quorum.sol";
import {SystemAddresses} from "./libraries/SystemAddresses.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Governance
/// @notice See `IGovernance`.
///
/// @dev A system contract, see `Records` for what that means. Genesis writes nothing here.
///
/// | slot | content                                                                                      |
/// | ---- | -------------------------------------------------------------------------------------------- |
/// | 0    | `_proposalCount`                                                                             |
/// | 1    | `_proposals`: at `keccak256(number ‖ 1)` the two slots of `Proposal`                         |
/// | 2    | `_ballots`: at `keccak256(number ‖ 2)` the `Tally` in one slot; at the next slot the choices |
/// | 3    | `_actions`: at `keccak256(number ‖ 3)` their number                                          |
contract Governance is IGovernance {
    using Ballots for Ballots.Ballot;
    using SafeCast for uint256;

    uint256 private constant _ACTIONS_MAX = 16;

    IMembers private constant _MEMBERS = IMembers(SystemAddresses.MEMBERS);
    IParameters private constant _PARAMETERS = IParameters(SystemAddresses.PARAMETERS);
    IStake private constant _STAKE = IStake(SystemAddresses.STAKE);

    uint256 private _proposalCount;
    mapping(uint256 proposal => Proposal) private _proposals;
    mapping(uint256 proposal => Ballots.Ballot) private _ballots;
    mapping(uint256 proposal => Action[]) private _actions;

    // ---------------------------------------------------------------------------------------------------------------
    // Decisions
    // ---------------------------------------------------------------------------------------------------------------

    /// @inheritdoc IGovernance
    function propose(Action[] calldata actions, string calldata description) external returns (uint256 proposal) {
        bytes32 proposer = Ballots.voterOf(msg.sender);
        if (actions.length == 0 || actions.length > _ACTIONS_MAX) revert InvalidActions(actions.length);

        proposal = ++_proposalCount;
        bool critical = false;
        for (uint256 i = 0; i < actions.length; ++i) {
            _actions[proposal].push(actions[i]);
            critical = critical || Actions.isCritical(actions[i].kind);
        }

        Proposal storage made = _proposals[proposal];
        made.proposer = proposer;
        made.critical = critical;
        made.timelock = _PARAMETERS.valueOf(IParameters.Parameter.Timelock).toUint32();
        made.window = _PARAMETERS.valueOf(IParameters.Parameter.ExecutionWindow).toUint32();

        uint256 electorate = Ballots.electorateAt(Ballots.snapshot());
        uint256 required = critical ? Quorum.critical(electorate) : _ordinary(electorate);
        uint256 period = _PARAMETERS.valueOf(IParameters.Parameter.VotingPeriod);
        _ballots[proposal].open(period, electorate, required);
        emit Proposed(proposal, proposer, actions, description, _ballots[proposal].tally);
    }

    /// @inheritdoc IGovernance
    function vote(uint256 proposal, Choice choice) external {
        _require(proposal, State.Voting);
        bytes32 organization = Ballots.voterOf(msg.sender);
        Ballots.Ballot storage ballot = _ballots[proposal];
        ballot.cast(organization, choice);
        emit Voted(proposal, organization, choice);

        Outcome outcome = ballot.outcome();
        if (outcome == Outcome.Rejected) emit Defeated(proposal);
        if (outcome == Outcome.Approved) {
            Proposal storage accepted = _proposals[proposal];
            uint256 executableFrom = block.timestamp + accepted.timelock;
            accepted.executableFrom = executableFrom.toUint48();
            emit Accepted(proposal, executableFrom, executableFrom + accepted.window);
        }
    }

    /// @inheritdoc IGovernance
    function cancel(uint256 proposal) external {
        _require(proposal, State.Voting);
        bytes32 organization = Ballots.voterOf(msg.sender);
        Proposal storage open = _proposals[proposal];
        if (open.proposer != organization) revert NotProposer(proposal, organization);
        open.canceled = true;
        emit Canceled(proposal);
    }

    /// @inheritdoc IGovernance
    function execute(uint256 proposal) external {
        _require(proposal, State.Executable);
        // Before the actions: whatever they call, this proposal is over.
        _proposals[proposal].executed = true;
        emit Executed(proposal);
        _perform(_actions[proposal]);
    }

    /// @inheritdoc IGovernance
    function simulate(Action[] calldata actions) external {
        _perform(actions);
        revert Simulated(outlook());
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Views
    // ---------------------------------------------------------------------------------------------------------------

    /// @inheritdoc IGovernance
    function stateOf(uint256 proposal) public view returns (State state) {
        Proposal storage found = _proposals[proposal];
        if (found.proposer == 0) return State.None;
        if (found.canceled) return State.Canceled;
        if (found.executed) return State.Executed;

        Outcome outcome = _ballots[proposal].outcome();
        if (outcome == Outcome.Open) return State.Voting;
        if (outcome != Outcome.Approved) return State.Defeated;
        if (block.timestamp < found.executableFrom) return State.Waiting;
        if (block.timestamp < uint256(found.executableFrom) + found.window) return State.Executable;
        return State.Expired;
    }

    /// @inheritdoc IGovernance
    function proposalAt(uint256 proposal) external view returns (Proposal memory found) {
        return _proposals[proposal];
    }

    /// @inheritdoc IGovernance
    function tallyOf(uint256 proposal) external view returns (Tally memory tally) {
        return _ballots[proposal].tally;
    }

    /// @inheritdoc IGovernance
    function choiceOf(uint256 proposal, bytes32 organization) external view returns (Choice choice) {
        return _ballots[proposal].choices[organization];
    }

    /// @inheritdoc IGovernance
    function actionsOf(uint256 proposal) external view returns (Action[] memory actions) {
        return _actions[proposal];
    }

    /// @inheritdoc IGovernance
    function proposals() external view returns (uint256 count) {
        return _proposalCount;
    }

    /// @inheritdoc IGovernance
    function callOf(Action calldata action) external pure returns (address target, bytes memory data, bool critical) {
        (target, data) = Actions.callOf(action);
        critical = Actions.isCritical(action.kind);
    }

    /// @inheritdoc IGovernance
    function outlook() public view returns (Outlook memory seen) {
        bytes32[] memory ids = _MEMBERS.organizations();
        bool bonded = _MEMBERS.policy() == IMembers.Policy.Bonded;
        seen.validators = bonded ? _STAKE.validators().length : _MEMBERS.validators().length;
        seen.faults = seen.validators == 0 ? 0 : (seen.validators - 1) / 3;
        bytes32[] memory halting = new bytes32[](ids.length);
        uint256 count = 0;
        for (uint256 i = 0; i < ids.length; ++i) {
            IMembers.Organization memory organization = _MEMBERS.organizationAt(ids[i]);
            if (organization.status == IMembers.Status.Active) ++seen.organizations;
            if (!bonded && organization.validators > seen.faults) halting[count++] = ids[i];
        }

        seen.ordinary = _ordinary(seen.organizations);
        seen.critical = Quorum.critical(seen.organizations);
        seen.halting = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            seen.halting[i] = halting[i];
        }
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Helpers
    // ---------------------------------------------------------------------------------------------------------------

    function _perform(Action[] memory actions) private {
        for (uint256 i = 0; i < actions.length; ++i) {
            (address target, bytes memory data) = Actions.callOf(actions[i]);
            (bool ok, bytes memory reason) = target.call(data);
            if (!ok) revert ActionFailed(i, reason);
        }
    }

    function _require(uint256 proposal, State wanted) private view {
        State state = stateOf(proposal);
        if (state != wanted) revert WrongState(proposal, state);
    }

    function _ordinary(uint256 electorate) private view returns (uint256 required) {
        return Quorum.ordinary(electorate, _PARAMETERS.valueOf(IParameters.Parameter.Threshold));
    }
}
