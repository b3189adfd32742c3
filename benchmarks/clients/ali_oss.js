// One upload by ali-oss: node ali_oss.js NODE_MODULES JOB ACCOUNT. Writes an account as benchmarks/job.py has it.
'use strict';

const fs = require('fs');
const path = require('path');

function usage() {
  const cpu = process.cpuUsage();
  return {
    wall_seconds: Number(process.hrtime.bigint()) / 1e9,
    user_seconds: cpu.user / 1e6,
    system_seconds: cpu.system / 1e6,
  };
}

function difference(later, earlier) {
  return Object.fromEntries(Object.keys(later).map(name => [name, later[name] - earlier[name]]));
}

function memory(name) {
  const status = '/proc/self/status';
  const found = fs.existsSync(status) && fs.readFileSync(status, 'utf8').match(new RegExp(`${name}:\\s+(\\d+)`));
  return found ? Number(found[1]) * 1024 : 0;
}

async function main(modules, job) {
  const began = usage();
  const OSS = require(path.join(modules, 'ali-oss'));
  const imported = usage();
  const importedBytes = memory('VmRSS');
  const client = new OSS({
    endpoint: job.endpoint,
    sldEnable: true, // an address has no subdomains: the bucket goes into the path
    secure: job.authority !== null,
    accessKeyId: 'benchmark',
    accessKeySecret: 'benchmark-secret',
    authorizationV4: true,
    region: 'oss-cn-hangzhou',
    bucket: job.bucket,
  });
  const options = {};
  if (job.parallel !== null) options.parallel = job.parallel;
  if (job.part_size_bytes !== null) options.partSize = job.part_size_bytes;
  await client.multipartUpload(job.key, job.file_path, options);
  return {
    framework: { wall_seconds: 0, user_seconds: 0, system_seconds: 0 },
    library: difference(imported, began),
    upload: difference(usage(), imported),
    imported_bytes: importedBytes,
    peak_bytes: memory('VmHWM'),
  };
}

const [, , modules, job, accountPath] = process.argv;
main(modules, JSON.parse(job)).then(
  account => {
    fs.writeFileSync(accountPath, JSON.stringify(account));
    process.exit(0); // else kept connections keep the process
  },
  error => {
    console.error(error);
    process.exit(1);
  },
);
