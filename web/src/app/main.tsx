import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import '../flow/flow.css';
import './app.css';
import { App } from './App.js';

const root = document.getElementById('root');
if (!root) throw new Error('the page has no #root');
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
