// The funded account, the network seen through viem, and the fixtures of contracts/fixtures on it.
import assert from "node:assert/strict";
import {
  ContractFunctionRevertedError,
  createPublicClient,
  createWalletClient,
  defineChain,
  getAddress,
  getContract,
  http,
  parseEther,
  parseEventLogs,
} from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { CHAIN_ID, KEY, RPC, artifact, thrown } from "../checks.mjs";

const chain = defineChain({
  id: CHAIN_ID,
  name: "Ashlar",
  nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
  rpcUrls: { default: { http: [RPC] } },
});

export const account = privateKeyToAccount(KEY);
export const reader = createPublicClient({ chain, transport: http(RPC), pollingInterval: 50 });
export const walletOf = (owner) => createWalletClient({ account: owner, chain, transport: http(RPC) });
export const wallet = walletOf(account);

export const stranger = () => privateKeyToAccount(generatePrivateKey());

export const at = (address, name, file = name) => as(account, { address, abi: artifact(name, file).abi });

// The same contract, used by another account.
export const as = (owner, { address, abi }) =>
  getContract({ address, abi, client: { public: reader, wallet: walletOf(owner) } });

// An account that can pay for its transactions.
export async function friend() {
  const owner = stranger();
  await mined(wallet.sendTransaction({ to: owner.address, value: parseEther("1") }));
  return owner;
}

// Waits for a transaction that must succeed: the hash, or the promise of one.
export async function mined(hash) {
  const receipt = await reader.waitForTransactionReceipt({ hash: await hash, timeout: 30_000 });
  assert.equal(receipt.status, "success");
  return receipt;
}

// The contract `name` of the source file `file`.sol, newly deployed.
export async function deploy(name, args = [], file = name) {
  const { abi, bytecode } = artifact(name, file);
  const receipt = await mined(wallet.deployContract({ abi, bytecode: bytecode.object, args }));
  return at(getAddress(receipt.contractAddress), name, file);
}

// The arguments of the one event of that name in a receipt.
export function event({ abi }, eventName, { logs }) {
  const found = parseEventLogs({ abi, eventName, logs });
  assert.equal(found.length, 1, `${found.length} ${eventName}`);
  return found[0].args;
}

// The EIP-712 domain of a contract, as it tells it (ERC-5267). viem hands out the salt of domains that have none, too.
export async function domainOf({ address }) {
  const { domain, fields } = await reader.getEip712Domain({ address });
  assert.equal(fields, "0x0f", "name, version, chainId, verifyingContract");
  const { salt: _, ...rest } = domain;
  return rest;
}

// Fails unless `body` reverts with this custom error, decoded; `args` are compared when they are given.
export async function reverts(errorName, body, args) {
  const error = await thrown(body);
  const revert = error.walk?.((cause) => cause instanceof ContractFunctionRevertedError);
  assert.equal(revert?.data?.errorName, errorName, error.message);
  if (args !== undefined) assert.deepEqual(revert.data.args, args);
}
