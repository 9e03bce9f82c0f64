import { describe, expect, it } from 'vitest';
import { SIGNS, signOf } from './zodiac';

describe('signOf', () => {
  it.each([
    [1, 1, 'Capricorn'],
    [1, 19, 'Capricorn'],
    [1, 20, 'Aquarius'],
    [2, 29, 'Pisces'],
    [7, 22, 'Cancer'],
    [7, 23, 'Leo'],
    [12, 21, 'Sagittarius'],
    [12, 22, 'Capricorn'],
    [12, 31, 'Capricorn'],
  ])('%i/%i is %s', (month, day, name) => {
    expect(signOf(month, day).name).toBe(name);
  });

  it('starts every sign on its first day', () => {
    for (const sign of SIGNS) {
      const [month, day] = sign.from;
      expect(signOf(month, day)).toBe(sign);
    }
  });
});
