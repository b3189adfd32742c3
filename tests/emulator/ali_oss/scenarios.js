// What the tests let the official Node client do. Each function takes a client and arguments and returns plain data.
'use strict';

const fs = require('fs');
const http = require('http');
const { Readable } = require('stream');

async function readStream(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function httpRequest(method, url, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers }, async response => {
      resolve({ status: response.statusCode, body: await readStream(response) });
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function outcome(promise) {
  try {
    await promise;
    return 'no error';
  } catch (error) {
    return { name: error.name, code: error.code, status: error.status };
  }
}

exports.objects = async (client, { key }) => {
  const put = await client.put(key, Buffer.from('content'), { meta: { owner: 'data team' }, mime: 'text/csv' });
  const head = await client.head(key);
  const got = await client.get(key);
  const range = await client.get(key, { headers: { Range: 'bytes=1-3' } });
  const copy = await client.copy(`${key}.copy`, key);
  const meta = await client.getObjectMeta(key);
  const listed = await client.list({ 'max-keys': 10 });
  const removed = await client.delete(key);
  const absent = await outcome(client.get(key));
  return {
    name: put.name,
    etag: put.res.headers.etag,
    crc: put.res.headers['x-oss-hash-crc64ecma'],
    requestIdLength: put.res.headers['x-oss-request-id'].length,
    meta: head.meta,
    type: head.res.headers['content-type'],
    content: got.content.toString(),
    range: [range.res.status, range.content.toString()],
    copied: copy.data.etag,
    metaEtag: meta.res.headers.etag,
    keys: listed.objects.map(object => [object.name, object.size, object.type, object.owner.id.length > 0]),
    removed: removed.res.status,
    absent
  };
};

exports.putFile = async (client, { key, path }) => {
  await client.put(key, path);
  return (await client.head(key)).res.headers['content-length'];
};

exports.streams = async (client, { path }) => {
  await client.putStream('chunked', fs.createReadStream(path));
  await client.putStream('lengthy', fs.createReadStream(path), { contentLength: fs.statSync(path).size });
  await client.putStream('empty', Readable.from([]));
  const got = await client.getStream('chunked');
  const content = await readStream(got.stream);
  const empty = await client.get('empty');
  return { bytes: Buffer.byteLength(content), empty: empty.content.toString() };
};

exports.multipart = async (client, { key, path, partSize, callback }) => {
  const progress = [];
  const result = await client.multipartUpload(key, path, {
    partSize,
    parallel: 3,
    meta: { owner: 'data team' },
    mime: 'text/csv',
    headers: { 'Cache-Control': 'no-cache' },
    callback,
    progress: (share, checkpoint) => {
      progress.push([share, checkpoint ? checkpoint.doneParts.length : null]);
    }
  });
  const head = await client.head(key);
  return {
    etag: result.etag,
    status: result.res.status,
    data: result.data,
    progress,
    meta: head.meta,
    type: head.res.headers['content-type'],
    cacheControl: head.res.headers['cache-control'],
    objectType: head.res.headers['x-oss-object-type']
  };
};

// The first call is meant to fail on the way; the second one goes on from the checkpoint of the first.
exports.multipartResume = async (client, { key, path, partSize }) => {
  let saved;
  const progress = (share, checkpoint) => {
    saved = JSON.parse(JSON.stringify(checkpoint || saved));
  };
  const first = await outcome(client.multipartUpload(key, path, { partSize, parallel: 1, progress }));
  const doneBefore = saved.doneParts.length;
  const result = await client.multipartUpload(key, path, { partSize, parallel: 1, progress, checkpoint: saved });
  return { first, doneBefore, uploadId: saved.uploadId, etag: result.etag };
};

exports.multipartByHand = async (client, { key }) => {
  await client.put('source', Buffer.from('source object'));
  const { uploadId } = await client.initMultipartUpload(key);
  const part = await client.uploadPart(key, uploadId, 1, Buffer.from('first part'), 0, 10);
  await client.uploadPartCopy(key, uploadId, 2, '0-4', { sourceKey: 'source', sourceBucketName: client.options.bucket });
  const parts = await client.listParts(key, uploadId);
  const uploads = await client.listUploads({ 'max-uploads': 10 });
  const done = parts.parts.map(listed => ({ number: Number(listed.PartNumber), etag: listed.ETag }));
  const completed = await client.completeMultipartUpload(key, uploadId, done);
  const content = await client.get(key);
  const again = await outcome(client.completeMultipartUpload(key, uploadId, done));
  return {
    partEtag: part.etag,
    parts: parts.parts.map(listed => [listed.PartNumber, listed.Size]),
    uploads: uploads.uploads.map(listed => [listed.name, listed.uploadId === uploadId]),
    etag: completed.etag,
    content: content.content.toString(),
    again
  };
};

exports.abort = async (client, { key }) => {
  const { uploadId } = await client.initMultipartUpload(key);
  await client.uploadPart(key, uploadId, 1, Buffer.from('part'), 0, 4);
  const aborted = await client.abortMultipartUpload(key, uploadId);
  client.resetCancelFlag();
  return { status: aborted.res.status, then: await outcome(client.listParts(key, uploadId)) };
};

exports.lists = async client => {
  for (const key of ['a', 'b/1', 'b/2', 'c d+e', '中']) await client.put(key, Buffer.from(key));
  const names = found => (found.objects || []).map(object => object.name);
  const first = await client.list({ 'max-keys': 2 });
  const second = await client.list({ 'max-keys': 10, marker: first.nextMarker });
  const rolledUp = await client.list({ delimiter: '/' });
  const v2 = await client.listV2({ 'max-keys': '3' });
  const v2Next = await client.listV2({ 'max-keys': '3', 'continuation-token': v2.nextContinuationToken });
  return {
    first: names(first),
    second: names(second),
    prefixes: rolledUp.prefixes,
    v2: names(v2),
    v2Count: v2.keyCount,
    v2Next: names(v2Next)
  };
};

exports.deleteMulti = async client => {
  for (const key of ['a b', '<&>', '中']) await client.put(key, Buffer.from(key));
  const verbose = await client.deleteMulti(['a b', '<&>', 'absent']);
  const quiet = await client.deleteMulti(['中'], { quiet: true });
  const left = await client.list();
  return { verbose: verbose.deleted.map(entry => entry.Key), quiet: quiet.deleted, left: left.objects || [] };
};

exports.append = async client => {
  const first = await client.append('log', Buffer.from('one'));
  const second = await client.append('log', Buffer.from('two'), { position: first.nextAppendPosition });
  const wrong = await outcome(client.append('log', Buffer.from('x'), { position: '1' }));
  return { position: second.nextAppendPosition, content: (await client.get('log')).content.toString(), wrong };
};

exports.properties = async client => {
  await client.put('a', Buffer.from('x'));
  await client.putObjectTagging('a', { k1: 'v1', k2: 'v2' });
  await client.putACL('a', 'private');
  const tags = await client.getObjectTagging('a');
  const acl = await client.getACL('a');
  await client.deleteObjectTagging('a');
  const noTags = await client.getObjectTagging('a');
  return { tags: tags.tag, acl: acl.acl, noTags: noTags.tag };
};

exports.buckets = async client => {
  await client.putBucket('from-node');
  const info = await client.getBucketInfo('from-node');
  const location = await client.getBucketLocation('from-node');
  await client.putBucketACL('from-node', 'private');
  const acl = await client.getBucketACL('from-node');
  const listed = await client.listBuckets({ 'max-keys': 10 });
  await client.deleteBucket('from-node');
  return {
    name: info.bucket.Name,
    location: location.location,
    acl: acl.acl,
    listed: listed.buckets.map(bucket => bucket.name),
    gone: await outcome(client.getBucketInfo('from-node'))
  };
};

exports.presigned = async (client, { v4 }) => {
  const sign = (method, key, expires = 60) =>
    v4 ? client.signatureUrlV4(method, expires, {}, key) : client.signatureUrl(key, { method, expires });
  const put = await httpRequest('PUT', await sign('PUT', 'a b+c/中'), 'signed');
  const get = await httpRequest('GET', await sign('GET', 'a b+c/中'));
  const altered = (await sign('GET', 'a b+c/中')).replace('/a%20b', '/x%20b');
  const other = await httpRequest('GET', altered);
  return { put: put.status, get: [get.status, get.body], altered: other.status };
};

exports.callback = async (client, { url }) => {
  const callback = {
    url,
    host: 'oss-test',
    body: 'object=${object}&size=${size}&who=${x:who}',
    contentType: 'application/x-www-form-urlencoded',
    customValue: { who: 'node' }
  };
  const result = await client.put('a', Buffer.from('hello'), { callback });
  return { status: result.res.status, data: result.data };
};

exports.put = async (client, { key, headers }) => {
  const result = await client.put(key, Buffer.from('x'), { headers });
  return result.res.status;
};

exports.get = async (client, { key, headers }) => {
  const result = await client.get(key, { headers });
  return [result.res.status, result.content.toString()];
};

exports.uploadPartOfUnknownUpload = async client => {
  await client.uploadPart('a', 'NOSUCHUPLOAD', 1, Buffer.from('x'), 0, 1);
};
