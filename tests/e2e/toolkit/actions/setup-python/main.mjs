import path from 'node:path';

const { core, tools } = await import(path.join(process.env.RUNNER_TOOL_CACHE, 'toolkit', 'toolkit.mjs'));
const folder = tools.find('Python', core.getInput('python-version'), 'x64');

core.setOutput('python-version', path.basename(path.dirname(folder)));
core.setOutput('python-path', path.join(folder, 'bin', 'python'));
core.exportVariable('pythonLocation', folder);
core.addPath(folder);
core.addPath(path.join(folder, 'bin'));
