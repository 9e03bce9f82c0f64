import path from 'node:path';

const { artifact, core } = await import(path.join(process.env.RUNNER_TOOL_CACHE, 'toolkit', 'toolkit.mjs'));
const to = path.resolve(core.getInput('path') || process.env.GITHUB_WORKSPACE);

try {
  const client = new artifact.DefaultArtifactClient();
  const { artifact: one } = await client.getArtifact(core.getInput('name'));
  await client.downloadArtifact(one.id, { path: to, expectedHash: one.digest });
  core.setOutput('download-path', to);
} catch (error) {
  core.setFailed(`Unable to download artifact(s): ${error.message}`);
}
