import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";
import Points from "./Points.js";

/** A token, a linked library, a contract that needs both, and the calls that open the shop. */
export default buildModule("Shop", (m) => {
  const { points } = m.useModule(Points);
  const prices = m.library("Prices");
  const shop = m.contract("Shop", [points, m.getParameter("price", 5n)], { libraries: { Prices: prices } });
  const filled = m.call(shop, "fill", [100n]);
  const approved = m.call(points, "approve", [shop, 1_000n]);
  const bought = m.call(shop, "buy", [2n], { after: [filled, approved] });
  // A value of the chain that decides a later transaction: the sum that was paid, sent on.
  const sum = m.readEventArgument(bought, "Sold", "sum", { emitter: shop });
  m.call(points, "transfer", ["0x000000000000000000000000000000000000dEaD", sum]);
  return { points, shop };
});
