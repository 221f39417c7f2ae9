// ethers, as a user writes it, but for two options that any chain faster than a second needs.
import assert from "node:assert/strict";
import {
  Contract,
  ContractFactory,
  JsonRpcProvider,
  Transaction,
  Wallet,
  WebSocketProvider,
  getCreateAddress,
  isError,
  parseEther,
} from "ethers";
import { CHAIN_ID, KEY, RPC, TOKEN, WS, check, essential, finish, heard, skip, thrown, within } from "./checks.mjs";

const provider = new JsonRpcProvider(RPC, undefined, {
  // ethers answers from its cache for 250 ms. Where a receipt takes less, the next transaction would be signed with the
  // nonce of the last.
  cacheTimeout: -1,
  // Receipts and events are asked for at this interval, in ms; the default is 4 s.
  pollingInterval: 100,
});
const wallet = new Wallet(KEY, provider);

const stranger = () => Wallet.createRandom(provider);
const mined = async (sent) => (await sent).wait(1, 20_000);

await essential("chain id", async () => {
  // Before anything else: on a wrong URL ethers tries again for ever.
  const network = await within(10, "answer to eth_chainId", provider.getNetwork());
  assert.equal(network.chainId, BigInt(CHAIN_ID));
});

await check("balance of the funded account", async () => {
  assert.ok((await provider.getBalance(wallet)) > parseEther("1"));
});

for (const [name, type] of [["legacy", 0], ["eip1559", 2]]) {
  await check(`${name} transfer`, async () => {
    const to = stranger().address;
    const receipt = await mined(wallet.sendTransaction({ to, value: 7n, type }));
    assert.equal(receipt.status, 1);
    assert.equal(receipt.type, type);
    assert.equal(receipt.gasUsed, 21_000n);
    assert.equal(await provider.getBalance(to), 7n);
    const sent = await provider.getTransaction(receipt.hash);
    assert.equal(sent.type, type);
    assert.equal(sent.blockHash, receipt.blockHash);
  });
}

let token;
await essential("deploy an OpenZeppelin ERC-20", async () => {
  const nonce = await wallet.getNonce();
  const factory = new ContractFactory(TOKEN.abi, TOKEN.bytecode.object, wallet);
  token = await factory.deploy("Fixture", "FIX", parseEther("1000000"));
  const receipt = await token.deploymentTransaction().wait(1, 20_000);
  assert.equal(receipt.status, 1);
  assert.equal(receipt.contractAddress, getCreateAddress({ from: wallet.address, nonce }));
  assert.equal(await provider.getCode(token), TOKEN.deployedBytecode.object);
});

await check("token metadata", async () => {
  assert.equal(await token.name(), "Fixture");
  assert.equal(await token.symbol(), "FIX");
  assert.equal(await token.decimals(), 18n);
});

const recipient = stranger().address;
let transfer;
await essential("token transfer and balances", async () => {
  transfer = await mined(token.transfer(recipient, 500n));
  assert.equal(transfer.status, 1);
  assert.equal(await token.balanceOf(recipient), 500n);
  assert.equal(await token.balanceOf(wallet), parseEther("1000000") - 500n);
});

await check("Transfer logs by getLogs", async () => {
  const { blockNumber } = transfer;
  const logs = await token.queryFilter(token.filters.Transfer(null, recipient), blockNumber, blockNumber);
  assert.equal(logs.length, 1);
  assert.deepEqual([...logs[0].args], [wallet.address, recipient, 500n]);
  assert.equal(logs[0].transactionHash, transfer.hash);
});

// ethers listens over HTTP with eth_newFilter when the node has it, else with eth_getLogs per block.
await check("Transfer logs by listening", async () => {
  const filter = token.filters.Transfer(null, recipient);
  const { log } = await heard(
    "Transfer log",
    (resolve) => token.once(filter, resolve),
    () => mined(token.transfer(recipient, 11n)),
  );
  assert.equal(log.args.value, 11n);
});

await check("Transfer logs by filter", async () => {
  const topics = await token.filters.Transfer(null, recipient).getTopicFilter();
  const filter = await provider.send("eth_newFilter", [{ address: await token.getAddress(), topics }]);
  await mined(token.transfer(recipient, 13n));
  const changes = await provider.send("eth_getFilterChanges", [filter]);
  assert.deepEqual(changes.map((log) => token.interface.parseLog(log).args.value), [13n]);
  assert.deepEqual(await provider.send("eth_getFilterChanges", [filter]), []);
  assert.equal(await provider.send("eth_uninstallFilter", [filter]), true);
});

const isRevert = (error) => assert.ok(isError(error, "CALL_EXCEPTION"), error.message);

await check("a custom error is decoded", async () => {
  const poor = stranger();
  const error = await thrown(() => token.connect(poor).transfer.staticCall(recipient, 3n));
  isRevert(error);
  assert.equal(error.revert?.name, "ERC20InsufficientBalance");
  assert.deepEqual([...error.revert.args], [poor.address, 0n, 3n]);
});

await check("a revert reason is decoded", async () => {
  const error = await thrown(() => token.redeem.staticCall(0n));
  isRevert(error);
  assert.equal(error.reason, "nothing to redeem");
});

await check("a panic is decoded", async () => {
  const error = await thrown(() => token.share(1n, 0n));
  isRevert(error);
  assert.equal(error.revert?.name, "Panic");
  assert.equal(BigInt(error.revert.args[0]), 0x12n);
});

await check("an estimate of a reverting call fails with its reason", async () => {
  const error = await thrown(() => token.redeem.estimateGas(0n));
  isRevert(error);
  assert.equal(error.reason, "nothing to redeem");
});

await check("a reverted transaction has a receipt that says so", async () => {
  const error = await thrown(() => mined(token.redeem(0n, { gasLimit: 100_000n })));
  isRevert(error);
  assert.equal(error.receipt.status, 0);
  assert.deepEqual(error.receipt.logs, []);
});

await check("nonce too low is NONCE_EXPIRED", async () => {
  const error = await thrown(() => wallet.sendTransaction({ to: recipient, value: 1n, nonce: 0, gasLimit: 21_000n }));
  assert.ok(isError(error, "NONCE_EXPIRED"), error.message);
});

await check("insufficient funds is INSUFFICIENT_FUNDS", async () => {
  const poor = stranger();
  const error = await thrown(() =>
    poor.sendTransaction({ to: recipient, value: parseEther("1"), gasLimit: 21_000n }),
  );
  assert.ok(isError(error, "INSUFFICIENT_FUNDS"), error.message);
});

await check("another chain is refused by ethers", async () => {
  const error = await thrown(() => wallet.sendTransaction({ to: recipient, value: 1n, chainId: 1, gasLimit: 21_000n }));
  assert.match(error.message, /chainId/);
});

await check("a transaction signed for another chain is refused by the node", async () => {
  const transaction = Transaction.from({
    type: 2, chainId: 1, to: recipient, value: 1n, gasLimit: 21_000n, nonce: await wallet.getNonce(),
    maxFeePerGas: 10n ** 9n, maxPriorityFeePerGas: 0n,
  });
  const error = await thrown(async () => provider.broadcastTransaction(await wallet.signTransaction(transaction)));
  assert.match(error.message, /chain id/i);
});

await check("blocks by number, hash and tag", async () => {
  const block = await provider.getBlock(transfer.blockNumber, true);
  assert.equal(block.hash, transfer.blockHash);
  assert.equal(block.prefetchedTransactions[transfer.index].hash, transfer.hash);
  const byHash = await provider.getBlock(block.hash);
  const parent = await provider.getBlock(block.parentHash);
  const latest = await provider.getBlock("latest");
  assert.equal(byHash.number, block.number);
  assert.equal(parent.number, block.number - 1);
  assert.ok(latest.number >= block.number && latest.timestamp >= block.timestamp);
});

await check("the finalized block is on the chain", async () => {
  const finalized = await provider.getBlock("finalized");
  assert.equal((await provider.getBlock(finalized.number)).hash, finalized.hash);
});

if (WS === "") {
  skip("WebSocket", "ASHLAR_WS is not set");
} else {
  const live = new WebSocketProvider(WS);

  await check("WebSocket: new blocks", async () => {
    const number = await heard(
      "new block",
      (resolve) => live.once("block", resolve),
      () => mined(wallet.sendTransaction({ to: recipient, value: 1n })),
    );
    assert.equal((await live.getBlock(number)).number, number);
  });

  await check("WebSocket: Transfer logs", async () => {
    const watched = new Contract(await token.getAddress(), TOKEN.abi, live);
    const filter = watched.filters.Transfer(null, recipient);
    const { log } = await heard(
      "Transfer log",
      (resolve) => watched.once(filter, resolve),
      () => mined(token.transfer(recipient, 17n)),
    );
    assert.equal(log.args.value, 17n);
  });
  await live.destroy();
}

provider.destroy();
finish();
