import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { network } from "hardhat";
import ShopModule from "../ignition/modules/Shop.js";

describe("Shop", async () => {
  const { viem, ignition } = await network.create();
  const [buyer] = await viem.getWalletClients();
  let shop: Awaited<ReturnType<typeof deploy>>["shop"];
  let points: Awaited<ReturnType<typeof deploy>>["points"];

  const deploy = () => ignition.deploy(ShopModule, { parameters: { Shop: { price: 7n } } });

  before(async () => {
    ({ shop, points } = await deploy());
  });

  it("is deployed by Ignition with its parameter", async () => {
    assert.equal(await shop.read.PRICE(), 7n);
    assert.equal(await shop.read.stock(), 98n);
  });

  it("sells", async () => {
    await viem.assertions.emitWithArgs(shop.write.buy([3n]), shop, "Sold", [buyer.account.address, 3n, 21n]);
    assert.equal(await points.read.balanceOf([shop.address]), 35n);
  });

  it("explains why it does not sell", async () => {
    await viem.assertions.revertWithCustomErrorWithArgs(shop.write.buy([96n]), shop, "TooFew", [95n]);
  });

  it("deploys a contract and reads its events", async () => {
    const client = await viem.getPublicClient();
    const fresh = await viem.deployContract("Points", [9n]);
    const events = await client.getContractEvents({ ...fresh, eventName: "Transfer", fromBlock: 0n });
    assert.deepEqual(events.map((event) => event.args.value), [9n]);
  });
});
