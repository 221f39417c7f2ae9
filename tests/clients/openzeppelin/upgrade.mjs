// A UUPS proxy, upgraded by its owner.
import assert from "node:assert/strict";
import { encodeFunctionData, getAddress, slice } from "viem";
import { check, essential } from "../checks.mjs";
import { account, at, deploy, event, mined, reader, reverts, stranger } from "./account.mjs";

// ERC-1967: keccak256("eip1967.proxy.implementation") - 1.
const IMPLEMENTATION_SLOT = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc";

const implementation = async (proxy) =>
  getAddress(slice(await reader.getStorageAt({ address: proxy.address, slot: IMPLEMENTATION_SLOT }), 12));

// A box behind a proxy, with its first value.
export async function boxOf(owner, value) {
  const first = await deploy("FixtureBox");
  const data = encodeFunctionData({ abi: first.abi, functionName: "initialize", args: [owner, value] });
  const proxy = await deploy("ERC1967Proxy", [first.address, data]);
  return { box: at(proxy.address, "FixtureBox"), first };
}

export const boxV2 = () => deploy("FixtureBoxV2", [], "FixtureBox");

export async function upgrade() {
  let box;
  let first;
  await essential("UUPS: deploy a proxy", async () => {
    ({ box, first } = await boxOf(account.address, 14n));
    assert.equal(await implementation(box), first.address);
  });

  await check("UUPS: the proxy has the state, the implementation none", async () => {
    await mined(box.write.store([15n]));
    assert.deepEqual([await box.read.value(), await first.read.value()], [15n, 0n]);
    assert.equal(await box.read.owner(), account.address);
    await reverts("InvalidInitialization", () => box.simulate.initialize([account.address, 1n]));
    await reverts("InvalidInitialization", () => first.simulate.initialize([account.address, 1n]));
  });

  await check("UUPS: only the owner upgrades, and only to what can be upgraded again", async () => {
    const other = stranger().address;
    const byOther = () => box.simulate.upgradeToAndCall([first.address, "0x"], { account: other });
    await reverts("OwnableUnauthorizedAccount", byOther, [other]);
    const nft = await deploy("FixtureNft");
    const toNft = () => box.simulate.upgradeToAndCall([nft.address, "0x"], { account });
    await reverts("ERC1967InvalidImplementation", toNft, [nft.address]);
    await reverts("UUPSUnauthorizedCallContext", () => first.simulate.upgradeToAndCall([first.address, "0x"]));
  });

  await check("UUPS: upgrade with a migration", async () => {
    const second = await boxV2();
    const migrate = encodeFunctionData({ abi: second.abi, functionName: "migrate", args: [2n] });
    const receipt = await mined(box.write.upgradeToAndCall([second.address, migrate]));
    assert.deepEqual(event(box, "Upgraded", receipt), { implementation: second.address });
    assert.equal(await implementation(box), second.address);
    const upgraded = at(box.address, "FixtureBoxV2", "FixtureBox");
    assert.equal(await upgraded.read.version(), 2n);
    await mined(upgraded.write.increment());
    assert.equal(await upgraded.read.value(), 31n);
  });
}
