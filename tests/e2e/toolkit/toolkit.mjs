// Lies beside node_modules, where bare names are found.
export * as artifact from '@actions/artifact';
export * as cache from '@actions/cache';
export * as core from '@actions/core';
export * as glob from '@actions/glob';
export * as tools from '@actions/tool-cache';
export { default as artifactV3 } from 'artifact-v3';
