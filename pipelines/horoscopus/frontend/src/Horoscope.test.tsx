import { cleanup, fireEvent, render, screen } from '@testing-library/react';
import { afterEach, expect, it } from 'vitest';
import { forecast } from './forecast';
import { Horoscope } from './Horoscope';
import { signOf } from './zodiac';

afterEach(cleanup);

it('says nothing before it knows the birthday', () => {
  render(<Horoscope today="2025-06-01" />);

  expect(screen.queryByRole('article')).toBeNull();
});

it('tells the sign and the forecast of the day', () => {
  render(<Horoscope today="2025-06-01" />);
  fireEvent.change(screen.getByLabelText(/birthday/), { target: { value: '1987-08-01' } });

  expect(screen.getByRole('heading', { level: 2 }).textContent).toBe('♌ Leo');
  expect(screen.getByRole('article').textContent).toContain(
    forecast(signOf(8, 1), '2025-06-01'),
  );
});
