// The main flows of OpenZeppelin's contracts, through viem.
import { finish } from "./checks.mjs";
import { governor } from "./openzeppelin/governor.mjs";
import { erc1155, erc20, erc721 } from "./openzeppelin/tokens.mjs";
import { upgrade } from "./openzeppelin/upgrade.mjs";

await erc20();
await erc721();
await erc1155();
await upgrade();
await governor("blocks");
await governor("seconds");
finish();
