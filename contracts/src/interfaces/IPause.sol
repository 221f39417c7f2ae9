// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {IBallots} from "./IBallots.sol";

/// @title Pause
/// @notice The emergency brake: stops deployments, one contract, or the transactions of one organization, for a time.
///
/// A motion is voted on by organizations like a proposal, by the ordinary majority, but has no timelock: it is carried with
/// the last approval it needs. A pause ends by itself after at most seven days. It is lifted earlier by a motion of the
/// same kind, and prolonged by none but a new one.
///
/// What no pause reaches:
///
/// - the system contracts themselves; so nothing stops records being read or proved, nor the rest of the network writing;
/// - a paused organization's calls of `Members`, `Governance`, `Pause`, `Disputes` and the other governing contracts: it
///   may vote on its own pause.
///
/// The node refuses a transaction when `isStopped` says so, at the state before its block; inside a transaction it
/// refuses to create a contract, or to call one, that is paused.
///
/// System contract at `0x4153484c41520000000000000000000000000006`, present at genesis.
interface IPause is IBallots {
    /// @notice What can be stopped, and what the subject is.
    enum Scope {
        /// Creation of contracts; the subject is 0.
        Deployments,
        /// Calls of a contract; the subject is its address, padded with zeros.
        Contract,
        /// Transactions of an organization's accounts; the subject is its id.
        Organization
    }

    /// @notice A motion.
    /// @param proposer The organization that made it.
    /// @param subject What it is about, see `Scope`.
    /// @param scope What kind of thing that is.
    /// @param carried Whether enough organizations approved.
    /// @param duration Seconds to pause; 0: lift the pause.
    struct Motion {
        bytes32 proposer;
        bytes32 subject;
        Scope scope;
        bool carried;
        uint32 duration;
    }

    /// @notice A motion was made; its organization approves of it.
    /// @param motion Its number, from 1.
    /// @param proposer The organization that made it.
    /// @param scope What kind of thing it is about.
    /// @param subject Which one.
    /// @param duration Seconds to pause; 0: lift the pause.
    /// @param tally Electorate, majority and end of the vote.
    event MotionMade(
        uint256 indexed motion, bytes32 indexed proposer, Scope scope, bytes32 subject, uint256 duration, Tally tally
    );

    /// @notice An organization approved.
    /// @param motion The motion.
    /// @param organization The organization.
    event MotionApproved(uint256 indexed motion, bytes32 indexed organization);

    /// @notice A pause began, or runs to another end.
    /// @param scope What kind of thing is stopped.
    /// @param subject Which one.
    /// @param motion The motion that was carried.
    /// @param until The second in which it ends.
    event Paused(Scope indexed scope, bytes32 indexed subject, uint256 indexed motion, uint256 until);

    /// @notice A pause was ended before its time, or had ended already.
    /// @param scope What kind of thing was stopped.
    /// @param subject Which one.
    /// @param motion The motion that was carried.
    event Lifted(Scope indexed scope, bytes32 indexed subject, uint256 indexed motion);

    /// @notice There is no such thing, or it cannot be stopped.
    /// @param scope What kind of thing.
    /// @param subject Which one.
    error InvalidSubject(Scope scope, bytes32 subject);

    /// @notice A pause takes 1 second to seven days.
    /// @param duration The seconds that were wanted.
    /// @param greatest The most there can be.
    error InvalidDuration(uint256 duration, uint256 greatest);

    /// @notice There is no motion with this number.
    /// @param motion The number.
    error UnknownMotion(uint256 motion);

    /// @notice Moves to pause something, and approves in the name of the sender's organization. The vote is open for a day.
    /// @param scope What kind of thing.
    /// @param subject Which one, see `Scope`.
    /// @param duration Seconds, 1 to 604,800, counted from the last approval.
    /// @return motion Its number.
    function movePause(Scope scope, bytes32 subject, uint256 duration) external returns (uint256 motion);

    /// @notice Moves to end a pause, and approves in the name of the sender's organization. The vote is open for a day.
    /// @param scope What kind of thing.
    /// @param subject Which one, see `Scope`.
    /// @return motion Its number.
    function moveLift(Scope scope, bytes32 subject) external returns (uint256 motion);

    /// @notice Approves in the name of the sender's organization.
    /// @param motion The motion.
    function approve(uint256 motion) external;

    /// @notice The second in which a pause ends; 0, or one that is past, when there is none.
    /// @param scope What kind of thing.
    /// @param subject Which one.
    function pausedUntil(Scope scope, bytes32 subject) external view returns (uint256 until);

    /// @notice Whether something is paused now.
    /// @param scope What kind of thing.
    /// @param subject Which one.
    function isPaused(Scope scope, bytes32 subject) external view returns (bool paused);

    /// @notice Whether a transaction is stopped by a pause now.
    /// @param sender Who sends it.
    /// @param to Whom it calls; of no meaning when it creates a contract.
    /// @param creates Whether it creates a contract.
    function isStopped(address sender, address to, bool creates) external view returns (bool stopped);

    /// @notice A motion.
    /// @param motion Its number.
    function motionAt(uint256 motion) external view returns (Motion memory found);

    /// @notice The count of a motion's vote.
    /// @param motion Its number.
    function tallyOf(uint256 motion) external view returns (Tally memory tally);

    /// @notice Whether an organization approved of a motion.
    /// @param motion Its number.
    /// @param organization The organization's id.
    function choiceOf(uint256 motion, bytes32 organization) external view returns (Choice choice);

    /// @notice How many motions were ever made.
    function motions() external view returns (uint256 count);
}
