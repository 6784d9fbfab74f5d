// The claims of the JavaScript SDKs, in the order in which a user would find out.
//
// What is claimed is a sentence; what shows it is the function below it. Later claims stand on what earlier ones
// made, so a chapter ends at its first failure and the next begins. The last line counts.

"use strict";

const { World } = require("./world");

const CHAPTERS = ["signing_in", "msal", "machine", "graph", "hosts", "blobs", "management"];

async function main(names) {
  const world = await World.begin();
  let [passed, failed, skipped] = [0, 0, 0];
  for (const name of CHAPTERS.filter((it) => names.length === 0 || names.includes(it))) {
    console.log(`\n${name.replaceAll("_", " ")}`);
    const claims = Object.entries(require(`./${name}`));
    for (const [done, [sentence, shows]] of claims.entries()) {
      try {
        await shows(world);
      } catch (error) {
        console.log(`  FAILED  ${sentence}\n${error.stack}`);
        failed += 1;
        skipped += claims.length - done - 1;
        break;
      }
      console.log(`  ok      ${sentence}`);
      passed += 1;
    }
  }
  console.log(`\njs: ${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ""}`);
  return failed ? 1 : 0;
}

main(process.argv.slice(2)).then((code) => process.exit(code));
