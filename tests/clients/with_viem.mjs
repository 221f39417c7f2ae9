// viem, as a user writes it: no option that is not needed on any other chain.
import assert from "node:assert/strict";
import {
  ContractFunctionRevertedError,
  InsufficientFundsError,
  NonceTooLowError,
  createPublicClient,
  createWalletClient,
  defineChain,
  getContract,
  getContractAddress,
  http,
  parseEther,
  webSocket,
} from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { CHAIN_ID, KEY, RPC, TOKEN, WS, check, essential, finish, heard, skip, thrown } from "./checks.mjs";

const chain = defineChain({
  id: CHAIN_ID,
  name: "Ashlar",
  nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
  rpcUrls: { default: { http: [RPC] } },
});
const account = privateKeyToAccount(KEY);
const transport = http(RPC);
const reader = createPublicClient({ chain, transport, pollingInterval: 100 });
const wallet = createWalletClient({ account, chain, transport });

const stranger = () => privateKeyToAccount(generatePrivateKey());
const mined = (hash) => reader.waitForTransactionReceipt({ hash, timeout: 20_000 });

await essential("chain id", async () => assert.equal(await reader.getChainId(), CHAIN_ID));

await check("balance of the funded account", async () => {
  assert.ok((await reader.getBalance({ address: account.address })) > parseEther("1"));
});

for (const type of ["legacy", "eip1559"]) {
  await check(`${type} transfer`, async () => {
    const to = stranger().address;
    const receipt = await mined(await wallet.sendTransaction({ to, value: 7n, type }));
    assert.equal(receipt.status, "success");
    assert.equal(receipt.type, type);
    assert.equal(receipt.gasUsed, 21_000n);
    assert.equal(await reader.getBalance({ address: to }), 7n);
    const sent = await reader.getTransaction({ hash: receipt.transactionHash });
    assert.equal(sent.type, type);
    assert.equal(sent.blockHash, receipt.blockHash);
  });
}

let token;
await essential("deploy an OpenZeppelin ERC-20", async () => {
  const nonce = await reader.getTransactionCount({ address: account.address });
  const hash = await wallet.deployContract({
    abi: TOKEN.abi,
    bytecode: TOKEN.bytecode.object,
    args: ["Fixture", "FIX", parseEther("1000000")],
  });
  const receipt = await mined(hash);
  assert.equal(receipt.status, "success");
  const address = getContractAddress({ from: account.address, nonce: BigInt(nonce) });
  assert.equal(receipt.contractAddress?.toLowerCase(), address.toLowerCase());
  assert.equal(await reader.getCode({ address }), TOKEN.deployedBytecode.object);
  token = getContract({ address, abi: TOKEN.abi, client: { public: reader, wallet } });
});

await check("token metadata", async () => {
  assert.equal(await token.read.name(), "Fixture");
  assert.equal(await token.read.symbol(), "FIX");
  assert.equal(await token.read.decimals(), 18);
});

const recipient = stranger().address;
let transfer;
await check("token transfer and balances", async () => {
  transfer = await mined(await token.write.transfer([recipient, 500n]));
  assert.equal(transfer.status, "success");
  assert.equal(await token.read.balanceOf([recipient]), 500n);
  assert.equal(await token.read.balanceOf([account.address]), parseEther("1000000") - 500n);
});

await check("Transfer logs by getLogs", async () => {
  const logs = await token.getEvents.Transfer(
    { to: recipient },
    { fromBlock: transfer.blockNumber, toBlock: transfer.blockNumber },
  );
  assert.equal(logs.length, 1);
  assert.deepEqual(logs[0].args, { from: account.address, to: recipient, value: 500n });
  assert.equal(logs[0].transactionHash, transfer.transactionHash);
});

await check("Transfer logs by filter", async () => {
  const filter = await token.createEventFilter.Transfer({ to: recipient });
  await mined(await token.write.transfer([recipient, 11n]));
  const logs = await reader.getFilterChanges({ filter });
  assert.deepEqual(logs.map((log) => log.args.value), [11n]);
  assert.deepEqual(await reader.getFilterChanges({ filter }), []);
  assert.equal(await reader.uninstallFilter({ filter }), true);
});

await check("Transfer logs by watching", async () => {
  let stop;
  const logs = await heard(
    "watched log",
    (onLogs, onError) => {
      stop = token.watchEvent.Transfer({ to: recipient }, { onLogs, onError });
    },
    async () => mined(await token.write.transfer([recipient, 13n])),
  ).finally(() => stop());
  assert.deepEqual(logs[0].args, { from: account.address, to: recipient, value: 13n });
});

const revertOf = async (body) => (await thrown(body)).walk((cause) => cause instanceof ContractFunctionRevertedError);

await check("a custom error is decoded", async () => {
  const poor = stranger().address;
  const revert = await revertOf(() => token.simulate.transfer([recipient, 3n], { account: poor }));
  assert.equal(revert?.data?.errorName, "ERC20InsufficientBalance");
  assert.deepEqual(revert.data.args, [poor, 0n, 3n]);
});

await check("a revert reason is decoded", async () => {
  const revert = await revertOf(() => token.simulate.redeem([0n]));
  assert.equal(revert?.reason, "nothing to redeem");
});

await check("a panic is decoded", async () => {
  const revert = await revertOf(() => token.read.share([1n, 0n]));
  assert.equal(revert?.data?.errorName, "Panic");
  assert.deepEqual(revert.data.args, [0x12n]);
});

await check("an estimate of a reverting call fails with its reason", async () => {
  const revert = await revertOf(() => token.estimateGas.redeem([0n]));
  assert.equal(revert?.reason, "nothing to redeem");
});

await check("a reverted transaction has a receipt that says so", async () => {
  const receipt = await mined(await token.write.redeem([0n], { gas: 100_000n }));
  assert.equal(receipt.status, "reverted");
  assert.deepEqual(receipt.logs, []);
});

await check("nonce too low is NonceTooLowError", async () => {
  const error = await thrown(() => wallet.sendTransaction({ to: recipient, value: 1n, nonce: 0, gas: 21_000n }));
  assert.ok(error.walk((cause) => cause instanceof NonceTooLowError), error.message);
});

await check("insufficient funds is InsufficientFundsError", async () => {
  const error = await thrown(() =>
    wallet.sendTransaction({ account: stranger(), to: recipient, value: parseEther("1"), gas: 21_000n }),
  );
  assert.ok(error.walk((cause) => cause instanceof InsufficientFundsError), error.message);
});

await check("a transaction signed for another chain is refused by the node", async () => {
  const nonce = await reader.getTransactionCount({ address: account.address });
  const fees = { maxFeePerGas: 10n ** 9n, maxPriorityFeePerGas: 0n };
  const serializedTransaction = await account.signTransaction({
    ...fees, chainId: 1, type: "eip1559", to: recipient, value: 1n, gas: 21_000n, nonce,
  });
  const error = await thrown(() => reader.sendRawTransaction({ serializedTransaction }));
  assert.match(error.message, /chain id/i);
});

await check("blocks by number, hash and tag", async () => {
  const block = await reader.getBlock({ blockNumber: transfer.blockNumber, includeTransactions: true });
  assert.equal(block.hash, transfer.blockHash);
  assert.equal(block.transactions[transfer.transactionIndex].hash, transfer.transactionHash);
  const [byHash, parent, latest] = await Promise.all([
    reader.getBlock({ blockHash: block.hash }),
    reader.getBlock({ blockHash: block.parentHash }),
    reader.getBlock(),
  ]);
  assert.equal(byHash.number, block.number);
  assert.equal(parent.number, block.number - 1n);
  assert.ok(latest.number >= block.number && latest.timestamp >= block.timestamp);
});

await check("the finalized block is on the chain", async () => {
  const finalized = await reader.getBlock({ blockTag: "finalized" });
  assert.equal((await reader.getBlock({ blockNumber: finalized.number })).hash, finalized.hash);
});

const version = await reader.request({ method: "web3_clientVersion" }).catch(() => "");
const finality = "what has a receipt is finalized";
if (version.startsWith("ashlar/")) {
  await check(finality, async () => {
    const receipt = await mined(await wallet.sendTransaction({ to: recipient, value: 1n }));
    assert.ok((await reader.getBlock({ blockTag: "finalized" })).number >= receipt.blockNumber);
  });
} else {
  skip(finality, `a promise of Ashlar, this is ${version || "unknown"}`);
}

await check("many calls at once in one batch", async () => {
  const batching = createPublicClient({ chain, transport: http(RPC, { batch: true }) });
  const numbers = Array.from({ length: 20 }, (_, index) => index);
  const balances = await Promise.all(numbers.map(() => batching.getBalance({ address: recipient })));
  assert.equal(new Set(balances).size, 1);
});

if (WS === "") {
  skip("WebSocket", "ASHLAR_WS is not set");
} else {
  const live = createPublicClient({ chain, transport: webSocket(WS) });

  await check("WebSocket: new blocks", async () => {
    let stop;
    const block = await heard(
      "new block",
      (onBlock, onError) => {
        stop = live.watchBlocks({ onBlock, onError });
      },
      async () => mined(await wallet.sendTransaction({ to: recipient, value: 1n })),
    ).finally(() => stop());
    assert.equal((await reader.getBlock({ blockNumber: block.number })).hash, block.hash);
  });

  await check("WebSocket: Transfer logs", async () => {
    let stop;
    const { abi, address } = token;
    const logs = await heard(
      "Transfer log",
      (onLogs, onError) => {
        const args = { to: recipient };
        stop = live.watchContractEvent({ abi, address, eventName: "Transfer", args, onLogs, onError });
      },
      async () => mined(await token.write.transfer([recipient, 17n])),
    ).finally(() => stop());
    assert.deepEqual(logs[0].args, { from: account.address, to: recipient, value: 17n });
  });
}

finish();
