// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @title Points
/// @notice What the shop takes.
contract Points is ERC20 {
    constructor(uint256 supply) ERC20("Points", "PTS") {
        _mint(msg.sender, supply);
    }
}

/// @title Prices
/// @notice A library with code of its own, to be linked.
library Prices {
    function total(uint256 price, uint256 count) external pure returns (uint256 sum) {
        return price * count;
    }
}

/// @title Shop
/// @notice Sells one kind of thing for points.
contract Shop {
    using SafeERC20 for IERC20;

    /// @notice Who bought how much for what.
    event Sold(address indexed buyer, uint256 count, uint256 sum);

    /// @notice Only `left` are there.
    error TooFew(uint256 left);

    IERC20 public immutable POINTS;
    uint256 public immutable PRICE;
    uint256 public stock;

    constructor(IERC20 points, uint256 price) {
        POINTS = points;
        PRICE = price;
    }

    function fill(uint256 count) external {
        stock += count;
    }

    function buy(uint256 count) external {
        if (count > stock) revert TooFew(stock);
        stock -= count;
        uint256 sum = Prices.total(PRICE, count);
        POINTS.safeTransferFrom(msg.sender, address(this), sum);
        emit Sold(msg.sender, count, sum);
    }
}
