import path from 'node:path';

const { cache, core } = await import(path.join(process.env.RUNNER_TOOL_CACHE, 'toolkit', 'toolkit.mjs'));
const lines = (name) => core.getInput(name).split('\n').map((s) => s.trim()).filter(Boolean);
const key = core.getInput('key'), others = lines('restore-keys');

core.saveState('CACHE_KEY', key);
const found = await cache.restoreCache(lines('path'), key, others);
if (found) {
  core.saveState('CACHE_RESULT', found);
  core.setOutput('cache-hit', String(found.toLowerCase() === key.toLowerCase()));
  core.info(`Cache restored from key: ${found}`);
} else core.info(`Cache not found for input keys: ${[key, ...others].join(', ')}`);
