import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Horoscope } from './Horoscope';

const root = document.getElementById('root');
if (!root) throw new Error('index.html has no #root');

createRoot(root).render(
  <StrictMode>
    <Horoscope today={new Date().toISOString().slice(0, 10)} />
  </StrictMode>,
);
