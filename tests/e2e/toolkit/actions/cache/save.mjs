import path from 'node:path';

const { cache, core } = await import(path.join(process.env.RUNNER_TOOL_CACHE, 'toolkit', 'toolkit.mjs'));
const key = core.getState('CACHE_KEY');

if (core.getState('CACHE_RESULT').toLowerCase() === key.toLowerCase())
  core.info(`Cache hit occurred on the primary key ${key}, not saving cache.`);
else if (await cache.saveCache(core.getInput('path').split('\n').map((s) => s.trim()).filter(Boolean), key) !== -1)
  core.info(`Cache saved with key: ${key}`);
