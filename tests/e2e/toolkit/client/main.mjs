import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

const kit = await import(path.join(process.env.RUNNER_TOOL_CACHE, 'toolkit', 'toolkit.mjs'));
const at = { artifacts: new kit.artifact.DefaultArtifactClient(), assert, crypto, fs, path, ...kit };

// A file of SIZE bytes that no compression makes smaller, the same for the same name.
at.noise = (file, size) => {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  const cipher = crypto.createCipheriv('aes-128-ctr', Buffer.alloc(16, path.basename(file)), Buffer.alloc(16));
  const fd = fs.openSync(file, 'w'), zeroes = Buffer.alloc(1 << 20);
  for (let left = size; left > 0; left -= zeroes.length)
    fs.writeSync(fd, cipher.update(left < zeroes.length ? zeroes.subarray(0, left) : zeroes));
  fs.closeSync(fd);
};
at.sha256 = (file) => {
  const hash = crypto.createHash('sha256'), fd = fs.openSync(file), chunk = Buffer.alloc(1 << 20);
  for (let n; (n = fs.readSync(fd, chunk));) hash.update(chunk.subarray(0, n));
  fs.closeSync(fd);
  return hash.digest('hex');
};
// What a promise is refused with.
at.refusal = (promise) => promise.then(() => assert.fail('it was not refused'), (error) => error.message);

const body = new (Object.getPrototypeOf(async () => {}).constructor)(...Object.keys(at), process.env.INPUT_DO);
await body(...Object.values(at));
