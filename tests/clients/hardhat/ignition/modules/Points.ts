import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";

export default buildModule("Points", (m) => ({ points: m.contract("Points", [1_000_000n]) }));
