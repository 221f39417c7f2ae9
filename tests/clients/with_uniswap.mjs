// Uniswap V2 as its authors published it (npm: v2-core, v2-periphery), through ethers: the contracts that most chains saw
// first, built by old compilers, with CREATE2 addresses computed off chain and in the router.
//
// The packages are GPL-3.0; they are fetched for the test and are no part of Ashlar.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import {
  Contract,
  ContractFactory,
  JsonRpcProvider,
  MaxUint256,
  Signature,
  Wallet,
  getCreate2Address,
  keccak256,
  parseEther,
  solidityPackedKeccak256,
} from "ethers";
import { CHAIN_ID, KEY, RPC, TOKEN, check, essential, finish, thrown } from "./checks.mjs";

const published = (name, path) =>
  JSON.parse(readFileSync(new URL(`node_modules/@uniswap/${name}/build/${path}.json`, import.meta.url), "utf8"));
const FACTORY = published("v2-core", "UniswapV2Factory");
const PAIR = published("v2-core", "UniswapV2Pair");
const ROUTER = published("v2-periphery", "UniswapV2Router02");
const WETH = published("v2-periphery", "WETH9");

// The number in every UniswapV2Library: without it routers do not find pairs.
const PAIR_HASH = "0x96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f";
const MINIMUM_LIQUIDITY = 1000n;
const ether = parseEther;

// with_ethers.mjs says why these options.
const provider = new JsonRpcProvider(RPC, undefined, { cacheTimeout: -1, pollingInterval: 50 });
const wallet = new Wallet(KEY, provider);

const mined = async (sent) => (await sent).wait(1, 30_000);

async function deploy({ abi, bytecode }, ...args) {
  const contract = await new ContractFactory(abi, bytecode, wallet).deploy(...args);
  await contract.deploymentTransaction().wait(1, 30_000);
  return contract;
}

// The arguments of the events of that name that `contract` itself emitted.
async function events(contract, name, receipt) {
  const address = await contract.getAddress();
  const logs = receipt.logs.filter((log) => log.address === address);
  return logs.map((log) => contract.interface.parseLog(log)).filter((log) => log?.name === name).map((log) => log.args);
}

const isqrt = (square) => {
  let root = 0n;
  for (let bit = 1n << 127n; bit > 0n; bit >>= 1n) if ((root + bit) ** 2n <= square) root += bit;
  return root;
};

// What a constant-product pair with a fee of 0.3 % gives.
const amountOut = (amount, inside, outside) => (amount * 997n * outside) / (inside * 1000n + amount * 997n);

const soon = async () => (await provider.getBlock("latest")).timestamp + 600;

let factory;
let weth;
let router;
await essential("deploy factory, WETH and router", async () => {
  assert.equal(keccak256(`0x${PAIR.evm.bytecode.object}`), PAIR_HASH);
  factory = await deploy(FACTORY, wallet.address);
  weth = await deploy(WETH);
  router = await deploy(ROUTER, factory, weth);
  assert.equal(await router.factory(), await factory.getAddress());
  assert.equal(await router.WETH(), await weth.getAddress());
});

let token0;
let token1;
await essential("deploy tokens", async () => {
  const token = () => deploy({ abi: TOKEN.abi, bytecode: TOKEN.bytecode.object }, "Fixture", "FIX", ether("1000000"));
  const tokens = [await token(), await token()];
  // The factory orders a pair's tokens by address.
  tokens.sort((a, b) => (BigInt(a.target) < BigInt(b.target) ? -1 : 1));
  [token0, token1] = tokens;
  for (const approved of [token0, token1]) await mined(approved.approve(router, MaxUint256));
});

const pairAddress = async (a, b) => {
  const [low, high] = BigInt(a) < BigInt(b) ? [a, b] : [b, a];
  const salt = solidityPackedKeccak256(["address", "address"], [low, high]);
  return getCreate2Address(await factory.getAddress(), salt, PAIR_HASH);
};

let pair;
await essential("create a pair at its CREATE2 address", async () => {
  const receipt = await mined(factory.createPair(token1, token0));
  const expected = await pairAddress(token0.target, token1.target);
  const [created] = await events(factory, "PairCreated", receipt);
  assert.deepEqual([...created], [token0.target, token1.target, expected, 1n]);
  assert.equal(await factory.getPair(token0, token1), expected);
  assert.equal(await provider.getCode(expected), `0x${PAIR.evm.deployedBytecode.object}`);
  pair = new Contract(expected, PAIR.abi, wallet);
  assert.deepEqual([await pair.token0(), await pair.token1()], [token0.target, token1.target]);
});

await check("a pair exists once", async () => {
  const error = await thrown(() => factory.createPair.staticCall(token0, token1));
  assert.equal(error.reason, "UniswapV2: PAIR_EXISTS");
});

let minted;
await essential("add liquidity", async () => {
  const [amount0, amount1] = [ether("1000"), ether("4000")];
  const receipt = await mined(
    router.addLiquidity(token0, token1, amount0, amount1, 0n, 0n, wallet.address, await soon()),
  );
  minted = isqrt(amount0 * amount1) - MINIMUM_LIQUIDITY;
  assert.equal(await pair.balanceOf(wallet), minted);
  const [reserve0, reserve1, time] = await pair.getReserves();
  assert.deepEqual([reserve0, reserve1], [amount0, amount1]);
  assert.equal(Number(time), (await provider.getBlock(receipt.blockNumber)).timestamp);
  const [mint] = await events(pair, "Mint", receipt);
  assert.deepEqual([...mint], [router.target, amount0, amount1]);
});

await check("swap tokens for tokens", async () => {
  const [reserve0, reserve1] = await pair.getReserves();
  const amount = ether("10");
  const expected = amountOut(amount, reserve0, reserve1);
  const path = [token0.target, token1.target];
  assert.deepEqual([...(await router.getAmountsOut(amount, path))], [amount, expected]);
  const before = await token1.balanceOf(wallet);
  const receipt = await mined(
    router.swapExactTokensForTokens(amount, expected, path, wallet.address, await soon()),
  );
  assert.equal((await token1.balanceOf(wallet)) - before, expected);
  const [swap] = await events(pair, "Swap", receipt);
  assert.deepEqual([...swap], [router.target, amount, 0n, 0n, expected, wallet.address]);
  const [sync] = await events(pair, "Sync", receipt);
  assert.deepEqual([...sync], [reserve0 + amount, reserve1 - expected]);
});

await check("a price that moved away and a deadline that passed", async () => {
  const path = [token0.target, token1.target];
  const swap = (least, deadline) => () =>
    router.swapExactTokensForTokens(1000n, least, path, wallet.address, deadline);
  const dear = await thrown(swap(ether("1"), await soon()));
  assert.equal(dear.reason, "UniswapV2Router: INSUFFICIENT_OUTPUT_AMOUNT");
  const late = await thrown(swap(0n, 1n));
  assert.equal(late.reason, "UniswapV2Router: EXPIRED");
});

let wethPair;
await essential("add liquidity in ether, to a pair that the router creates", async () => {
  const value = ether("5");
  const receipt = await mined(
    router.addLiquidityETH(token1, ether("500"), 0n, 0n, wallet.address, await soon(), { value }),
  );
  const expected = await pairAddress(token1.target, weth.target);
  assert.equal((await events(factory, "PairCreated", receipt))[0].pair, expected);
  assert.equal(await weth.balanceOf(expected), value);
  assert.equal(await provider.getBalance(weth), value);
  wethPair = new Contract(expected, PAIR.abi, wallet);
});

await check("swap through two pairs, into ether", async () => {
  const path = [token0.target, token1.target, weth.target];
  const wanted = ether("0.5");
  const [cost] = await router.getAmountsIn(wanted, path);
  const recipient = Wallet.createRandom().address;
  const before = await token0.balanceOf(wallet);
  await mined(router.swapTokensForExactETH(wanted, cost, path, recipient, await soon()));
  assert.equal(await provider.getBalance(recipient), wanted);
  assert.equal(before - (await token0.balanceOf(wallet)), cost);
});

await check("swap ether for tokens, the rest comes back", async () => {
  const path = [weth.target, token1.target];
  const wanted = ether("7");
  const [cost] = await router.getAmountsIn(wanted, path);
  const [tokens, ether0] = [await token1.balanceOf(wallet), await provider.getBalance(wallet)];
  const receipt = await mined(
    router.swapETHForExactTokens(wanted, path, wallet.address, await soon(), { value: cost * 2n }),
  );
  assert.equal((await token1.balanceOf(wallet)) - tokens, wanted);
  assert.equal(ether0 - (await provider.getBalance(wallet)), cost + receipt.gasUsed * receipt.gasPrice);
});

await check("the oracle adds up price times seconds", async () => {
  const read = async () => [await pair.price0CumulativeLast(), ...(await pair.getReserves())];
  const [total, reserve0, reserve1, time] = await read();
  while ((await provider.getBlock("latest")).timestamp <= time) {
    await mined(wallet.sendTransaction({ to: wallet.address }));
  }
  await mined(pair.sync());
  const [totalAfter, , , timeAfter] = await read();
  assert.ok(timeAfter > time);
  assert.equal(totalAfter - total, ((reserve1 << 112n) / reserve0) * (timeAfter - time));
});

await check("remove liquidity with a permit", async () => {
  const liquidity = minted / 2n;
  const deadline = await soon();
  const signature = await wallet.signTypedData(
    { name: "Uniswap V2", version: "1", chainId: CHAIN_ID, verifyingContract: pair.target },
    {
      Permit: [
        { name: "owner", type: "address" },
        { name: "spender", type: "address" },
        { name: "value", type: "uint256" },
        { name: "nonce", type: "uint256" },
        { name: "deadline", type: "uint256" },
      ],
    },
    { owner: wallet.address, spender: router.target, value: liquidity, nonce: 0n, deadline },
  );
  const { v, r, s } = Signature.from(signature);
  const [[reserve0, reserve1], supply] = [await pair.getReserves(), await pair.totalSupply()];
  const before = await token0.balanceOf(wallet);
  const receipt = await mined(
    router.removeLiquidityWithPermit(
      token0, token1, liquidity, 0n, 0n, wallet.address, deadline, false, v, r, s,
    ),
  );
  const [burn] = await events(pair, "Burn", receipt);
  const expected = [(liquidity * reserve0) / supply, (liquidity * reserve1) / supply];
  assert.deepEqual([burn.amount0, burn.amount1], expected);
  assert.equal((await token0.balanceOf(wallet)) - before, expected[0]);
  assert.equal(await pair.totalSupply(), supply - liquidity);
});

await check("remove all liquidity, into ether", async () => {
  const liquidity = await wethPair.balanceOf(wallet);
  await mined(wethPair.approve(router, liquidity));
  const [supply, inside] = [await wethPair.totalSupply(), await weth.balanceOf(wethPair)];
  const before = await provider.getBalance(wallet);
  const receipt = await mined(
    router.removeLiquidityETH(token1, liquidity, 0n, 0n, wallet.address, await soon()),
  );
  const gained = (await provider.getBalance(wallet)) - before + receipt.gasUsed * receipt.gasPrice;
  assert.equal(gained, (liquidity * inside) / supply);
  assert.equal(await wethPair.totalSupply(), MINIMUM_LIQUIDITY);
});

await check("the pairs' whole history by getLogs", async () => {
  const created = await factory.queryFilter(factory.filters.PairCreated());
  assert.deepEqual(created.map((log) => log.args.pair), [pair.target, wethPair.target]);
  const swaps = await pair.queryFilter(pair.filters.Swap(), created[0].blockNumber);
  assert.equal(swaps.length, 2);
});

provider.destroy();
finish();
