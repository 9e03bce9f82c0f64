import { useState } from 'react';
import { forecast } from './forecast';
import { signOf } from './zodiac';

interface Props {
  /** The day to look at, YYYY-MM-DD. */
  today: string;
}

/** Asks for a birthday, and answers with the sign and what the stars say to it today. */
export function Horoscope({ today }: Props) {
  const [birthday, setBirthday] = useState('');
  const [, month, day] = birthday.split('-').map(Number);
  const sign = month && day ? signOf(month, day) : undefined;

  return (
    <main>
      <h1>Horoscopus</h1>
      <label>
        Your birthday{' '}
        <input type="date" value={birthday} onChange={(e) => setBirthday(e.target.value)} />
      </label>
      {sign && (
        <article>
          <h2>
            {sign.glyph} {sign.name}
          </h2>
          <p>{forecast(sign, today)}</p>
        </article>
      )}
    </main>
  );
}
