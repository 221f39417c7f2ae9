import { fileURLToPath } from "node:url";
import hardhatIgnitionViem from "@nomicfoundation/hardhat-ignition-viem";
import hardhatNodeTestRunner from "@nomicfoundation/hardhat-node-test-runner";
import hardhatViem from "@nomicfoundation/hardhat-viem";
import hardhatViemAssertions from "@nomicfoundation/hardhat-viem-assertions";
import { configVariable, defineConfig } from "hardhat/config";

export default defineConfig({
  plugins: [hardhatIgnitionViem, hardhatNodeTestRunner, hardhatViem, hardhatViemAssertions],
  solidity: {
    version: "0.8.37",
    // The compiler from npm: nothing is downloaded.
    path: fileURLToPath(import.meta.resolve("solc/soljson.js")),
    settings: { evmVersion: "osaka", optimizer: { enabled: true, runs: 200 } },
  },
  ignition: {
    // Final at once: there is nothing to wait for after the first confirmation. Hardhat's default is 5.
    requiredConfirmations: Number(process.env.CONFIRMATIONS ?? 1),
    // Milliseconds; the default is a second.
    blockPollingInterval: 100,
  },
  networks: {
    ashlar: {
      type: "http",
      chainType: "l1",
      url: configVariable("ASHLAR_RPC"),
      accounts: [configVariable("ASHLAR_KEY")],
    },
  },
});
