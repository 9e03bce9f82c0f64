import { expect, it } from 'vitest';
import { forecast } from './forecast';
import { SIGNS, signOf } from './zodiac';

it('says the same to a sign all day', () => {
  expect(forecast(SIGNS[3], '2025-03-21')).toBe(forecast(signOf(4, 1), '2025-03-21'));
});

it('has something to say to every sign on every day of a month', () => {
  for (const sign of SIGNS) {
    for (let day = 1; day <= 31; day++) {
      const text = forecast(sign, `2025-01-${String(day).padStart(2, '0')}`);
      expect(text).toMatch(/^[A-Z].+: [a-z].+\.$/);
      expect(text).not.toContain('undefined');
    }
  }
});
