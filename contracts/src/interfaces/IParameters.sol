// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {IGoverned} from "./IGoverned.sol";

/// @title Parameters
/// @notice The numbers of the network that governance may change, each within bounds that nobody may change. The bounds
/// are such that no value, and no combination of values, stops the network, its governance or a member's way out.
///
/// Parameters before `VotingPeriod` are *limits*, which an ordinary decision changes. Those from it on are the *voting
/// rules*: changing how decisions are made takes the majority that membership takes (see `IGovernance`).
///
/// Governance reads a voting rule when a proposal is made, so a change does not touch proposals that are under way. What
/// the node reads, it reads from the state before a block.
///
/// System contract at `0x4153484c41520000000000000000000000000004`, present at genesis.
interface IParameters is IGoverned {
    /// @notice What can be set. The position is the storage slot. Least, greatest and default value in brackets; in a
    /// dev network every parameter marked * may be as small as 1.
    enum Parameter {
        /// Gas of a block [30 M; 1,000 M; 100 M]. The least is above the gas cap of a transaction (EIP-7825).
        BlockGas,
        /// Gas that the transactions of one account may use per block [16,777,216; 1,000 M; 1,000 M].
        AccountGas,
        /// Gas that the transactions of one organization's accounts may use per block [16,777,216; 1,000 M; 1,000 M].
        OrganizationGas,
        /// Milliseconds an idle chain waits before an empty block [100; 1,000; 1,000].
        IdleInterval,
        /// Least milliseconds between two blocks [1; 100; 5].
        BlockGap,
        /// Milliseconds to wait while an ancestor with transactions is not final [1; 100; 50].
        SettleInterval,
        /// Blocks from a decision about a fork to its activation, at least [600*; 1 M; 1,200].
        UpgradeNotice,
        /// Validators of a bonded network [4*; 32; 32].
        StakeValidators,
        /// Wei that a validator of a bonded network must bond [1; 10^27; 10^18].
        StakeMinimum,
        /// Seconds from unbonding to withdrawal [1 day*; 90 days; 14 days].
        UnbondingPeriod,
        /// Seconds to answer a claim [1 day*; 90 days; 14 days].
        AnswerPeriod,
        /// Seconds to compensate after a ruling [1 day*; 180 days; 30 days].
        CompensationPeriod,
        /// Seconds to vote [1 hour*; 30 days; 3 days].
        VotingPeriod,
        /// Seconds from acceptance to execution, at least [1 hour*; 30 days; 1 day].
        Timelock,
        /// Seconds during which an accepted proposal can be executed [1 hour; 90 days; 14 days].
        ExecutionWindow,
        /// Ten-thousandths of the organizations that must approve an ordinary decision [5,000; 6,667; 5,000]. Never less
        /// than a strict majority, never more than what membership takes, whatever stands here.
        Threshold
    }

    /// @notice What a parameter can be.
    /// @param least The least value.
    /// @param greatest The greatest value.
    /// @param initial The value as long as none was set.
    struct Bounds {
        uint256 least;
        uint256 greatest;
        uint256 initial;
    }

    /// @notice A parameter has a new value.
    /// @param parameter Which one.
    /// @param previous What it was.
    /// @param value What it is.
    event ParameterSet(Parameter indexed parameter, uint256 previous, uint256 value);

    /// @notice The value is out of bounds.
    /// @param parameter Which one.
    /// @param value What was wanted.
    /// @param least The least value.
    /// @param greatest The greatest value.
    error OutOfBounds(Parameter parameter, uint256 value, uint256 least, uint256 greatest);

    /// @notice This one changes by `setVotingRule`.
    /// @param parameter Which one.
    error IsVotingRule(Parameter parameter);

    /// @notice This one changes by `setLimit`.
    /// @param parameter Which one.
    error IsLimit(Parameter parameter);

    /// @notice Sets a limit; an ordinary decision.
    /// @param parameter Which one.
    /// @param value What it shall be.
    function setLimit(Parameter parameter, uint256 value) external;

    /// @notice Sets a voting rule; a decision like one about membership.
    /// @param parameter Which one.
    /// @param value What it shall be.
    function setVotingRule(Parameter parameter, uint256 value) external;

    /// @notice The value of a parameter.
    /// @param parameter Which one.
    function valueOf(Parameter parameter) external view returns (uint256 value);

    /// @notice The bounds of a parameter in this network.
    /// @param parameter Which one.
    function boundsOf(Parameter parameter) external view returns (Bounds memory bounds);
}
