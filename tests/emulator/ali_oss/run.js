// Runs one scenario with the official Node client and prints its outcome as JSON.
// argv[2] is JSON: { scenario, client: options of the OSS constructor, args: for the scenario }.
'use strict';

const OSS = require('ali-oss');
const scenarios = require('./scenarios');

function describe(error) {
  const { name, code, status, message, requestId, ecCode } = error;
  return { error: { name, code, status, message, requestId, ecCode } };
}

async function main() {
  const { scenario, client, args } = JSON.parse(process.argv[2]);
  try {
    return { value: await scenarios[scenario](new OSS(client), args || {}) };
  } catch (error) {
    return describe(error);
  }
}

main().then(outcome => {
  process.stdout.write(JSON.stringify(outcome), () => process.exit(0));
});
