import fs from 'node:fs';
import path from 'node:path';

const { artifact, core, glob } = await import(path.join(process.env.RUNNER_TOOL_CACHE, 'toolkit', 'toolkit.mjs'));
const name = core.getInput('name'), wanted = core.getInput('path');
const globber = await glob.create(wanted, { excludeHiddenFiles: true });
const files = (await globber.glob()).filter((file) => !fs.statSync(file).isDirectory());
const roots = globber.getSearchPaths();
const days = parseInt(core.getInput('retention-days')) || undefined;

// What all of them lie in.
let root = roots[0];
while (!roots.every((one) => one === root || one.startsWith(root === '/' ? root : `${root}/`))) root = path.dirname(root);
if (roots.length === 1 && files.length === 1 && files[0] === root) root = path.dirname(root);

if (!files.length) {
  const text = `No files were found with the provided path: ${wanted}. No artifacts will be uploaded.`;
  ({ warn: core.warning, error: core.setFailed, ignore: core.info })[core.getInput('if-no-files-found')](text);
} else {
  const client = new artifact.DefaultArtifactClient();
  const done = await client.uploadArtifact(name, files, root, { retentionDays: days });
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository, GITHUB_RUN_ID: run } = process.env;
  core.setOutput('artifact-id', done.id);
  core.setOutput('artifact-digest', done.digest);
  core.setOutput('artifact-url', `${server}/${repository}/actions/runs/${run}/artifacts/${done.id}`);
}
