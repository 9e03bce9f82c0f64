import type { Sign } from './zodiac';

const OPENINGS = [
  'Today your pipeline is green',
  'A merge you had given up on comes through',
  'Someone will praise your commit messages',
  'A flaky test shows its true face',
];

const ADVICE = [
  'write the test first.',
  'delete more than you add.',
  'read the error before you search for it.',
  'go home on time.',
  'name it properly.',
];

/** FNV-1a: tiny, and the same on every machine, so that a sign has one forecast a day. */
function hash(text: string): number {
  let h = 0x811c9dc5;

  for (const char of text) {
    h ^= char.codePointAt(0) ?? 0;
    h = Math.imul(h, 0x01000193) >>> 0;
  }
  return h;
}

/** What the stars say to a sign on a day, given as YYYY-MM-DD. */
export function forecast(sign: Sign, day: string): string {
  const h = hash(`${sign.name} ${day}`);
  const opening = OPENINGS[h % OPENINGS.length];
  const advice = ADVICE[Math.floor(h / OPENINGS.length) % ADVICE.length];

  return `${opening}: ${advice}`;
}
