/** The twelve signs in the order of the year, each with its first day (month and day, from 1). */
export const SIGNS = [
  { name: 'Capricorn', glyph: '♑', from: [12, 22] },
  { name: 'Aquarius', glyph: '♒', from: [1, 20] },
  { name: 'Pisces', glyph: '♓', from: [2, 19] },
  { name: 'Aries', glyph: '♈', from: [3, 21] },
  { name: 'Taurus', glyph: '♉', from: [4, 20] },
  { name: 'Gemini', glyph: '♊', from: [5, 21] },
  { name: 'Cancer', glyph: '♋', from: [6, 21] },
  { name: 'Leo', glyph: '♌', from: [7, 23] },
  { name: 'Virgo', glyph: '♍', from: [8, 23] },
  { name: 'Libra', glyph: '♎', from: [9, 23] },
  { name: 'Scorpio', glyph: '♏', from: [10, 23] },
  { name: 'Sagittarius', glyph: '♐', from: [11, 22] },
] as const;

export type Sign = (typeof SIGNS)[number];

/** The sign of someone born on that day of the year. Capricorn spans the turn of the year. */
export function signOf(month: number, day: number): Sign {
  const begun = SIGNS.slice(1).filter(
    ({ from: [m, d] }) => m < month || (m === month && d <= day),
  );
  const turned = month === 12 && day >= 22;

  return turned ? SIGNS[0] : (begun.at(-1) ?? SIGNS[0]);
}
