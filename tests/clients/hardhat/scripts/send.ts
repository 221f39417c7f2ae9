import assert from "node:assert/strict";
import { network } from "hardhat";

// `hardhat run`: a transfer, with the first account of the network's configuration.
const { viem } = await network.create();
const client = await viem.getPublicClient();
const [wallet] = await viem.getWalletClients();
const to = "0x000000000000000000000000000000000000bEEF";
const before = await client.getBalance({ address: to });
const hash = await wallet.sendTransaction({ to, value: 3n });
const receipt = await client.waitForTransactionReceipt({ hash });
assert.equal(receipt.status, "success");
assert.equal(await client.getBalance({ address: to }), before + 3n);
console.log(`sent in block ${receipt.blockNumber}`);
