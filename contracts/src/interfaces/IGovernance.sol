// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {IBallots} from "./IBallots.sol";

/// @title Governance
/// @notice How organizations decide: a proposal, a vote of organizations, a timelock, execution.
///
/// A proposal is a list of typed actions on the other system contracts; there is no other kind of action, so nothing else
/// can ever be decided here. Its electorate, its majority and its times are fixed when it is made:
///
/// - *ordinary* actions need the share `Threshold` of all organizations, at least a strict majority;
/// - *critical* ones (members, validators, voting rules, forks, the network's end) need more than two thirds, and a proposal
///   with one such action is critical as a whole.
///
/// Accepted as soon as enough organizations approve, it waits for the timelock, can then be executed by any account, all
/// of its actions or none, once, and expires at the end of its window. Its organization may cancel it while the vote is
/// open.
///
/// What it would lead to, anybody may ask before voting: `simulate` executes actions and reports the outcome by
/// reverting, so it changes nothing (`eth_call`); or the calls from `callOf`, sent from this contract's address with
/// `eth_simulateV1`, show every event.
///
/// System contract at `0x4153484c41520000000000000000000000000003`, present at genesis.
interface IGovernance is IBallots {
    /// @notice What a proposal can do, each with the function it calls.
    enum Kind {
        /// `IMembers.addOrganization`, critical.
        AddOrganization,
        /// `IMembers.suspendOrganization`, critical.
        SuspendOrganization,
        /// `IMembers.reinstateOrganization`, critical.
        ReinstateOrganization,
        /// `IMembers.removeOrganization`, critical.
        RemoveOrganization,
        /// `IMembers.setValidatorLimit`, critical.
        SetValidatorLimit,
        /// `IMembers.appointAdministrator`, critical.
        AppointAdministrator,
        /// `IParameters.setLimit`, ordinary.
        SetLimit,
        /// `IParameters.setVotingRule`, critical.
        SetVotingRule,
        /// `IUpgrades.scheduleFork`, critical.
        ScheduleFork,
        /// `IUpgrades.cancelFork`, critical.
        CancelFork,
        /// `IUpgrades.setMinimumVersion`, critical.
        SetMinimumVersion,
        /// `ISuccession.close`, critical.
        CloseNetwork,
        /// `ISuccession.reopen`, critical.
        ReopenNetwork,
        /// `ISuccession.nameSuccessor`, critical.
        NameSuccessor
    }

    /// @notice One thing to do.
    /// @param kind What.
    /// @param arguments The arguments of the function, ABI encoded.
    struct Action {
        Kind kind;
        bytes arguments;
    }

    /// @notice Where a proposal stands.
    enum State {
        /// There is none with this number.
        None,
        /// The vote is open.
        Voting,
        /// Its organization withdrew it.
        Canceled,
        /// It was rejected, or not approved in time.
        Defeated,
        /// Accepted; the timelock runs.
        Waiting,
        /// It can be executed.
        Executable,
        /// It was executed.
        Executed,
        /// It was not executed in time.
        Expired
    }

    /// @notice A proposal.
    /// @param proposer The organization that made it.
    /// @param critical Whether it needs more than two thirds.
    /// @param canceled Whether it was canceled.
    /// @param executed Whether it was executed.
    /// @param timelock Seconds from acceptance to execution.
    /// @param window Seconds it can be executed in.
    /// @param executableFrom The second from which on it can be executed; 0 until it is accepted.
    struct Proposal {
        bytes32 proposer;
        bool critical;
        bool canceled;
        bool executed;
        uint32 timelock;
        uint32 window;
        uint48 executableFrom;
    }

    /// @notice What the network looks like: what a vote should know about a proposal's consequences.
    /// @param organizations How many organizations are active.
    /// @param ordinary How many of them an ordinary decision takes.
    /// @param critical How many of them a critical decision takes.
    /// @param validators How many validators there are, by the network's policy.
    /// @param faults How many of these may fail, `(validators - 1) / 3`.
    /// @param halting The organizations with more validators than that: each of them alone can halt the network.
    /// None in a bonded network, whose validators belong to no organization.
    struct Outlook {
        uint256 organizations;
        uint256 ordinary;
        uint256 critical;
        uint256 validators;
        uint256 faults;
        bytes32[] halting;
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Events
    // ---------------------------------------------------------------------------------------------------------------

    /// @notice A proposal was made and its vote is open.
    /// @param proposal Its number, from 1.
    /// @param proposer The organization that made it.
    /// @param actions What it would do.
    /// @param description Why, for people.
    /// @param tally Electorate, majority and end of the vote.
    event Proposed(
        uint256 indexed proposal, bytes32 indexed proposer, Action[] actions, string description, Tally tally
    );

    /// @notice An organization voted.
    /// @param proposal The proposal.
    /// @param organization The organization.
    /// @param choice What it said.
    event Voted(uint256 indexed proposal, bytes32 indexed organization, Choice choice);

    /// @notice Enough organizations approved.
    /// @param proposal The proposal.
    /// @param executableFrom The second from which on it can be executed.
    /// @param expires The second from which on it cannot any more.
    event Accepted(uint256 indexed proposal, uint256 executableFrom, uint256 expires);

    /// @notice So many rejected that it cannot be accepted any more.
    /// @param proposal The proposal.
    event Defeated(uint256 indexed proposal);

    /// @notice Its organization withdrew it.
    /// @param proposal The proposal.
    event Canceled(uint256 indexed proposal);

    /// @notice All its actions were done.
    /// @param proposal The proposal.
    event Executed(uint256 indexed proposal);

    // ---------------------------------------------------------------------------------------------------------------
    // Errors
    // ---------------------------------------------------------------------------------------------------------------

    /// @notice A proposal has 1 to 16 actions.
    /// @param count How many were sent.
    error InvalidActions(uint256 count);

    /// @notice The proposal is not in the state this needs.
    /// @param proposal Its number.
    /// @param state Where it stands.
    error WrongState(uint256 proposal, State state);

    /// @notice Another organization made the proposal.
    /// @param proposal Its number.
    /// @param organization Who tried.
    error NotProposer(uint256 proposal, bytes32 organization);

    /// @notice An action was refused, so none was done.
    /// @param index Which one.
    /// @param reason What its contract said.
    error ActionFailed(uint256 index, bytes reason);

    /// @notice Not a fault: the answer of `simulate`.
    /// @param outlook What the network would look like.
    error Simulated(Outlook outlook);

    // ---------------------------------------------------------------------------------------------------------------
    // Functions
    // ---------------------------------------------------------------------------------------------------------------

    /// @notice Makes a proposal in the name of the sender's organization. It does not vote for it.
    /// @param actions What to do, in this order; 1 to 16.
    /// @param description Why, for people.
    /// @return proposal Its number.
    function propose(Action[] calldata actions, string calldata description) external returns (uint256 proposal);

    /// @notice Votes in the name of the sender's organization, once and for all.
    /// @param proposal The proposal.
    /// @param choice Approve or reject.
    function vote(uint256 proposal, Choice choice) external;

    /// @notice Withdraws a proposal of the sender's organization while its vote is open.
    /// @param proposal The proposal.
    function cancel(uint256 proposal) external;

    /// @notice Does what was decided: all actions, or none when one is refused; then it can be tried again until the
    /// proposal expires. Any account may call this.
    /// @param proposal The proposal.
    function execute(uint256 proposal) external;

    /// @notice Executes actions and always reverts: with `Simulated`, or with `ActionFailed`.
    /// @param actions What to do.
    function simulate(Action[] calldata actions) external;

    /// @notice Where a proposal stands.
    /// @param proposal Its number.
    function stateOf(uint256 proposal) external view returns (State state);

    /// @notice A proposal.
    /// @param proposal Its number.
    function proposalAt(uint256 proposal) external view returns (Proposal memory found);

    /// @notice The count of a proposal's vote.
    /// @param proposal Its number.
    function tallyOf(uint256 proposal) external view returns (Tally memory tally);

    /// @notice What an organization said to a proposal.
    /// @param proposal Its number.
    /// @param organization The organization.
    function choiceOf(uint256 proposal, bytes32 organization) external view returns (Choice choice);

    /// @notice What a proposal would do.
    /// @param proposal Its number.
    function actionsOf(uint256 proposal) external view returns (Action[] memory actions);

    /// @notice How many proposals were ever made.
    function proposals() external view returns (uint256 count);

    /// @notice The call an action stands for.
    /// @param action The action.
    /// @return target The contract.
    /// @return data The call.
    /// @return critical Whether it takes more than two thirds.
    function callOf(Action calldata action) external pure returns (address target, bytes memory data, bool critical);

    /// @notice What the network looks like now.
    function outlook() external view returns (Outlook memory seen);
}
