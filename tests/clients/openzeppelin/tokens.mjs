// ERC-20 with permit, ERC-721 and ERC-1155.
import assert from "node:assert/strict";
import { maxUint256, parseEther, parseSignature, zeroAddress } from "viem";
import { check, essential } from "../checks.mjs";
import { account, as, deploy, domainOf, event, friend, mined, reader, reverts, stranger } from "./account.mjs";

const SUPPLY = parseEther("1000000");

// A contract that takes tokens: OpenZeppelin's timelock holds ERC-721 and ERC-1155.
const deployHolder = async () => (await deploy("TimelockController", [0n, [], [], account.address])).address;

export async function erc20() {
  let token;
  await essential("ERC-20: deploy", async () => {
    token = await deploy("FixtureVotes", [SUPPLY]);
    assert.equal(await token.read.totalSupply(), SUPPLY);
  });
  const owner = account.address;
  const spender = await friend();
  const other = stranger().address;
  const spend = (value) => as(spender, token).write.transferFrom([owner, other, value]);

  await check("ERC-20: approve and transferFrom", async () => {
    const approval = event(token, "Approval", await mined(token.write.approve([spender.address, 100n])));
    assert.deepEqual(approval, { owner, spender: spender.address, value: 100n });
    const transfer = event(token, "Transfer", await mined(spend(60n)));
    assert.deepEqual(transfer, { from: owner, to: other, value: 60n });
    assert.equal(await token.read.allowance([owner, spender.address]), 40n);
    assert.equal(await token.read.balanceOf([other]), 60n);
  });

  await check("ERC-20: no more than the allowance", () =>
    reverts("ERC20InsufficientAllowance", () => spend(41n), [spender.address, 40n, 41n]),
  );

  await check("ERC-20: an unlimited allowance stays", async () => {
    await mined(token.write.approve([spender.address, maxUint256]));
    await mined(spend(5n));
    assert.equal(await token.read.allowance([owner, spender.address]), maxUint256);
  });

  await check("ERC-20: the EIP-712 domain names this chain and contract", async () => {
    const domain = await domainOf(token);
    assert.equal(domain.name, "Fixture Votes");
    assert.equal(domain.verifyingContract, token.address);
    assert.equal(Number(domain.chainId), await reader.getChainId());
  });

  const permit = async (value, deadline) => {
    const domain = await domainOf(token);
    const nonce = await token.read.nonces([owner]);
    const signature = await account.signTypedData({
      domain,
      types: {
        Permit: [
          { name: "owner", type: "address" },
          { name: "spender", type: "address" },
          { name: "value", type: "uint256" },
          { name: "nonce", type: "uint256" },
          { name: "deadline", type: "uint256" },
        ],
      },
      primaryType: "Permit",
      message: { owner, spender: spender.address, value, nonce, deadline },
    });
    const { r, s, v } = parseSignature(signature);
    const args = [owner, spender.address, value, deadline, Number(v), r, s];
    return () => as(spender, token).write.permit(args);
  };

  await check("ERC-20: a permit, sent by the spender, once", async () => {
    const send = await permit(77n, maxUint256);
    await mined(send());
    assert.equal(await token.read.allowance([owner, spender.address]), 77n);
    assert.equal(await token.read.nonces([owner]), 1n);
    await reverts("ERC2612InvalidSigner", send);
  });

  await check("ERC-20: an expired permit", async () => {
    const { timestamp } = await reader.getBlock();
    await reverts("ERC2612ExpiredSignature", await permit(1n, timestamp - 1n), [timestamp - 1n]);
  });
}

export async function erc721() {
  let nft;
  let holder;
  await essential("ERC-721: deploy", async () => {
    nft = await deploy("FixtureNft");
    holder = await deployHolder();
  });
  const owner = account.address;
  const operator = await friend();

  await check("ERC-721: mint", async () => {
    const transfer = event(nft, "Transfer", await mined(nft.write.mint([owner, 7n])));
    assert.deepEqual(transfer, { from: zeroAddress, to: owner, tokenId: 7n });
    await mined(nft.write.mint([owner, 8n]));
    assert.equal(await nft.read.ownerOf([7n]), owner);
    assert.equal(await nft.read.tokenURI([8n]), "https://example.org/nft/8");
    assert.equal(await nft.read.tokenOfOwnerByIndex([owner, 1n]), 8n);
    await reverts("ERC721InvalidSender", () => nft.simulate.mint([owner, 7n], { account }), [zeroAddress]);
  });

  await check("ERC-721: an approved account moves one token, an operator all", async () => {
    const { address } = operator;
    const take = (id) => as(operator, nft).write.safeTransferFrom([owner, address, id]);
    await reverts("ERC721InsufficientApproval", () => take(7n), [address, 7n]);
    await mined(nft.write.approve([address, 7n]));
    await mined(take(7n));
    assert.equal(await nft.read.ownerOf([7n]), address);
    await mined(nft.write.setApprovalForAll([address, true]));
    await mined(take(8n));
    assert.equal(await nft.read.balanceOf([address]), 2n);
  });

  await check("ERC-721: contracts take tokens or refuse them", async () => {
    await mined(nft.write.mint([owner, 9n]));
    const refused = () => nft.simulate.safeTransferFrom([owner, nft.address, 9n], { account });
    await reverts("ERC721InvalidReceiver", refused, [nft.address]);
    await mined(nft.write.safeTransferFrom([owner, holder, 9n]));
    assert.equal(await nft.read.ownerOf([9n]), holder);
  });

  await check("ERC-721: interfaces by ERC-165", async () => {
    assert.equal(await nft.read.supportsInterface(["0x80ac58cd"]), true);
    assert.equal(await nft.read.supportsInterface(["0xd9b67a26"]), false);
  });
}

export async function erc1155() {
  let items;
  let holder;
  await essential("ERC-1155: deploy", async () => {
    items = await deploy("FixtureItems");
    holder = await deployHolder();
  });
  const owner = account.address;
  const other = stranger().address;

  await check("ERC-1155: mint a batch", async () => {
    const minted = event(items, "TransferBatch", await mined(items.write.mintBatch([owner, [1n, 2n], [10n, 20n]])));
    assert.deepEqual([minted.to, minted.ids, minted.values], [owner, [1n, 2n], [10n, 20n]]);
    assert.deepEqual(await items.read.balanceOfBatch([[owner, owner, other], [1n, 2n, 2n]]), [10n, 20n, 0n]);
    assert.equal(await items.read.uri([1n]), "https://example.org/item/{id}.json");
  });

  await check("ERC-1155: transfer one kind and a batch", async () => {
    const single = event(
      items,
      "TransferSingle",
      await mined(items.write.safeTransferFrom([owner, other, 1n, 3n, "0x"])),
    );
    assert.deepEqual([single.from, single.to, single.id, single.value], [owner, other, 1n, 3n]);
    await mined(items.write.safeBatchTransferFrom([owner, holder, [1n, 2n], [4n, 5n], "0x"]));
    const accounts = [owner, other, holder, owner, holder];
    assert.deepEqual(await items.read.balanceOfBatch([accounts, [1n, 1n, 1n, 2n, 2n]]), [3n, 3n, 4n, 15n, 5n]);
  });

  await check("ERC-1155: too much, and to a contract that takes none", async () => {
    const move = (to, value) => () => items.simulate.safeTransferFrom([owner, to, 1n, value, "0x"], { account });
    await reverts("ERC1155InsufficientBalance", move(other, 99n), [owner, 3n, 99n, 1n]);
    await reverts("ERC1155InvalidReceiver", move(items.address, 1n), [items.address]);
  });
}
